"""How to prove to the API server who we are.

What `discovery` found becomes a TLS context and request headers. Tokens are refreshed by the `kubernetes` package's
hook, which re-reads a service account's file and runs an expired credential plugin again.
"""

import asyncio
import logging
import ssl
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Mapping

from kubernetes import client

from labquota.clock import Clock, SystemClock
from labquota.kube import discovery

log = logging.getLogger(__name__)

REFRESH_SECONDS = 20.0
"""How long headers are used without asking the hook, which itself renews a token a minute or more before its end."""


class Credentials:
    """An API server's address and the proof of who we are.

    Attributes:
        server: base URL, as `https://10.0.0.1:6443`.
        tls: the TLS context, or None for plain HTTP and for the system's own trust.
        server_name: the name that the server's certificate must carry, where it differs from the address.
        proxy: URL of the HTTP proxy on the way, or None.
    """

    def __init__(
        self,
        server: str,
        tls: ssl.SSLContext | None = None,
        headers: Callable[[], Awaitable[Mapping[str, str]]] | None = None,
        *,
        server_name: str | None = None,
        proxy: str | None = None,
    ) -> None:
        self.server = server
        self.tls = tls
        self.server_name = server_name
        self.proxy = proxy
        self._headers = headers

    async def headers(self) -> Mapping[str, str]:
        """Return the headers of the next call."""
        return {} if self._headers is None else await self._headers()


def load(
    kubeconfig: str | None = None, context: str | None = None, *, clock: Clock | None = None
) -> Credentials:
    """Find the cluster as kubectl does, see `discovery`.

    Args:
        kubeconfig: path of a kubeconfig file, or several joined as in KUBECONFIG.
        context: name of the context; the file's current one by default.
        clock: measures the age of headers.

    Raises:
        CredentialsError: one line that says what was looked for and what to do.
    """
    return discovery.find(kubeconfig, context, lambda found: of_configuration(found, clock=clock))


def of_configuration(settings: client.Configuration, *, clock: Clock | None = None) -> Credentials:
    """Make credentials of the `kubernetes` package's own configuration object."""
    server = str(settings.host)
    return Credentials(
        server,
        _tls(settings) if server.startswith("https") else None,
        _Headers(settings, clock or SystemClock()),
        server_name=settings.tls_server_name,
        proxy=_proxy(settings, server),
    )


class _Headers:
    """The Authorization header, asked of the hook every `REFRESH_SECONDS`.

    The hook may run a credential plugin for seconds, so a repeated call goes to a thread, and one at a time.
    """

    def __init__(self, settings: client.Configuration, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._known = self._ask()
        self._asked_at = clock.monotonic()
        self._asking = asyncio.Lock()

    async def __call__(self) -> Mapping[str, str]:
        if self._clock.monotonic() - self._asked_at < REFRESH_SECONDS:
            return self._known
        async with self._asking:
            if self._clock.monotonic() - self._asked_at >= REFRESH_SECONDS:
                await self._refresh()
        return self._known

    async def _refresh(self) -> None:
        # A file that is unreadable for a moment (the kubelet swaps it) must not stop calls: the old token still lives.
        try:
            self._known = await asyncio.to_thread(self._ask)
        except Exception:
            log.exception("cannot refresh the API server's credentials, going on with the old ones")
        self._asked_at = self._clock.monotonic()

    def _ask(self) -> Mapping[str, str]:
        token = self._settings.get_api_key_with_prefix("authorization", alias="BearerToken")
        if not token and self._settings.username:
            token = self._settings.get_basic_auth_token()
        return {"Authorization": token.strip()} if token else {}


def _tls(settings: client.Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ssl_ca_cert or None)
    # Python 3.13 is stricter with certificate authorities than kubectl; many clusters' own lack the key usage field.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not settings.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file or None)
    return context


def _proxy(settings: client.Configuration, server: str) -> str | None:
    host = urllib.parse.urlsplit(server).hostname or ""
    if not settings.proxy or urllib.request.proxy_bypass(host):
        return None
    return str(settings.proxy)
