"""Users of the control plane: a name, groups, a client certificate and a kubeconfig each."""

import json
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from controlplane.certificates import Authority, Pair
from controlplane.client import Client
from controlplane.errors import ControlPlaneError
from controlplane.process import wait_until

__all__ = ["Bearer", "User", "Users", "grant"]

RBAC = "rbac.authorization.k8s.io"


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

    def kubeconfig_for(self, server: int) -> Path:
        """A kubeconfig for the API server with that number."""
        path = self.kubeconfig.with_suffix(f".{server}.kubeconfig")
        _write_kubeconfig(path, self.name, self.servers[server], self.authority, self.pair)
        return path


@dataclass(frozen=True)
class Bearer(User):
    """Somebody whom the API servers know by a token alone; `pair` is nobody's that counts."""

    token: str = ""

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What an HTTPS client needs to call, as nobody so far."""
        return ssl.create_default_context(cafile=str(self.authority))

    def client(self, server: int = 0) -> Client:
        """A new blocking client of the API server with that number."""
        return Client(self.servers[server], self.tls, self.token)


class Users:
    """Makes users and remembers them by name."""

    def __init__(self, folder: Path, authority: Authority, servers: tuple[str, ...]) -> None:
        self._folder, self._authority, self._servers = folder, authority, servers
        self._known: dict[str, User] = {}
        self._lock = threading.Lock()

    def make(self, name: str, groups: Iterable[str] = ()) -> tuple[User, bool]:
        """The user of that name, and whether they are new.

        Raises:
            ControlPlaneError: the user is known with other groups, or the name is too long for a certificate.
        """
        groups = tuple(groups)
        if len(name) > 64:
            raise ControlPlaneError(f"user {name!r}: a name in a certificate has at most 64 characters")
        with self._lock:
            known = self._known.get(name)
            if known is not None and known.groups != groups:
                raise ControlPlaneError(f"user {name!r} exists with groups {known.groups}, not {groups}")
            if known is not None:
                return known, False
            number = len(self._known)
            pair = self._authority.client(f"user-{number}", name, groups)
            path = self._folder / f"{number}.kubeconfig"
            _write_kubeconfig(path, name, self._servers[0], self._authority.certificate, pair)
            self._known[name] = User(name, groups, self._servers, self._authority.certificate, pair, path)
            return self._known[name], True


def grant(admin: Client, user: User, role: str) -> None:
    """Bind a ClusterRole that may list pods to a user, and wait until every API server knows it.

    Each authorises from a cache of its own, a few milliseconds behind.
    """
    binding: dict[str, Any] = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"generateName": "controlplane-user-"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user.name}],
    }
    admin.create(f"/apis/{RBAC}/v1/clusterrolebindings", binding)
    for number in range(len(user.servers)):
        if not wait_until(partial(_may_list_pods, user.client(number)), 10):
            raise ControlPlaneError(f"user {user.name!r} got role {role} but may not list pods with it")


def _may_list_pods(client: Client) -> bool:
    return client.call("GET", "/api/v1/namespaces/default/pods?limit=1")[0] == 200


def _write_kubeconfig(path: Path, user: str, server: str, authority: Path, pair: Pair) -> None:
    """One context, named after the user; it refers to the certificate files."""
    cluster = {"server": server, "certificate-authority": str(authority)}
    credentials = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "controlplane", "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": user, "context": {"cluster": "controlplane", "user": user}}],
        "current-context": user,
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))  # JSON is YAML too
