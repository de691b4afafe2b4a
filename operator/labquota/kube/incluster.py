"""A pod's own service account as proof, without the `kubernetes` package, which takes 20 MB of memory.

The kubelet renews the token in its file every hour or so; it is read again every `REFRESH_SECONDS`.
"""

import contextlib
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from labquota.clock import Clock
from labquota.kube.errors import CredentialsError

FOLDER: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
REFRESH_SECONDS: Final = 20.0


class ServiceAccount:
    """What a pod is given to reach the API server; a `lean.Proof`.

    Attributes:
        server: base URL.
        tls: trusts the cluster's own authority alone.
        server_name: None: the address is in the certificate.
    """

    server_name: str | None = None

    def __init__(self, server: str, folder: Path, clock: Clock) -> None:
        self.server = server
        self.tls: ssl.SSLContext | None = _context(folder / "ca.crt")
        self._token, self._clock = folder / "token", clock
        self._known = self._read()
        self._read_at = clock.monotonic()

    async def headers(self) -> Mapping[str, str]:
        """The Authorization header."""
        if self._clock.monotonic() - self._read_at >= REFRESH_SECONDS:
            self._read_at = self._clock.monotonic()
            with contextlib.suppress(OSError):  # the kubelet swaps it just now; the old token still lives
                self._known = self._read()
        return self._known

    def _read(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._token.read_text().strip()}"}


def in_pod() -> bool:
    """Whether the environment is that of a pod."""
    return "KUBERNETES_SERVICE_HOST" in os.environ


def load(clock: Clock, folder: str = FOLDER, environ: Mapping[str, str] | None = None) -> ServiceAccount:
    """The account of the pod that this process runs in.

    Args:
        clock: measures the age of the token.
        folder: where the kubelet puts `token` and `ca.crt`.
        environ: environment variables; the process's own by default.

    Raises:
        CredentialsError: it runs in no pod, or a file cannot be used.
    """
    environ = os.environ if environ is None else environ
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise CredentialsError(
            "no cluster to talk to: this runs in no pod (KUBERNETES_SERVICE_HOST is not set), and there is "
            "no kubeconfig. Set KUBECONFIG."
        )
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        return ServiceAccount(server, Path(folder), clock)
    except (OSError, ssl.SSLError) as error:
        raise CredentialsError(f"cannot use the service account in {folder}: {error}") from error


def _context(authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(authority))
    return context
