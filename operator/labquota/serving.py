"""Serving HTTP: how webhook and operator listen, and the paths by which they are operated."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

_KEEPALIVE: Final = 120.0
"""The API server keeps idle connections for 90 s and does not repeat a POST that dies on a closed one."""
_DRAIN_SECONDS: Final = 10.0


async def listen(
    app: web.Application, host: str, port: int, *, tls: ssl.SSLContext | None = None, reuse_port: bool = False
) -> web.AppRunner:
    """Serve an application until its runner is cleaned up.

    Raises:
        OSError: The port is taken.
    """
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=_KEEPALIVE, shutdown_timeout=_DRAIN_SECONDS
    )
    await runner.setup()
    await web.TCPSite(
        runner, host, port, ssl_context=tls, reuse_port=reuse_port or None, backlog=1024
    ).start()
    return runner


def tls_context(cert: str, key: str) -> ssl.SSLContext:
    """The server's TLS context.

    Raises:
        OSError: A file cannot be read.
        ssl.SSLError: It holds no certificate or key, or the two do not belong together.
    """
    for path in (cert, key):
        Path(path).open("rb").close()  # its error names the file, which that of load_cert_chain does not
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.num_tickets = 0  # the API server resumes no sessions
    try:
        context.load_cert_chain(cert, key)
    except ssl.SSLError as error:
        text = f"cannot serve with certificate {cert} and key {key}: {error}"
        raise ssl.SSLError(error.errno, text) from error
    return context


def operations(ready: Callable[[], bool]) -> web.Application:
    """/healthz, /readyz (true only when synced) and /metrics."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(status=503, text="not synced yet\n")

    async def prometheus(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", prometheus)
    return app
