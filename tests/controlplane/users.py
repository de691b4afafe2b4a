"""Users of the control plane: a name, groups, a client certificate and a kubeconfig each."""

import json
import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from controlplane.certificates import Pair
from controlplane.client import Client

__all__ = ["User", "write_kubeconfig"]


@dataclass(frozen=True)
class User:
    """Somebody whom the API servers know by certificate.

    Attributes:
        name: what the API server calls them, as in `userInfo.username`.
        groups: their groups, besides `system:authenticated`.
        servers: the URL of every API server.
        authority: the certificate (PEM file) to check the API servers by.
        pair: their client certificate and key.
        kubeconfig: a file for kubectl and clients, for the first API server.
    """

    name: str
    groups: tuple[str, ...]
    servers: tuple[str, ...]
    authority: Path
    pair: Pair
    kubeconfig: Path

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What an HTTPS client needs to be this user."""
        context = ssl.create_default_context(cafile=str(self.authority))
        context.load_cert_chain(self.pair.certificate, self.pair.key)
        return context

    def client(self, server: int = 0) -> Client:
        """A new blocking client of the API server with that number."""
        return Client(self.servers[server], self.tls)


def write_kubeconfig(path: Path, user: str, server: str, authority: Path, pair: Pair) -> None:
    """Write a kubeconfig with one context, named after the user; it refers to the files beside it."""
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "controlplane", "cluster": {"server": server, "certificate-authority": str(authority)}}
        ],
        "users": [
            {"name": user, "user": {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}}
        ],
        "contexts": [{"name": user, "context": {"cluster": "controlplane", "user": user}}],
        "current-context": user,
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))  # JSON is YAML too
