"""/metrics, /healthz and /readyz over plain HTTP/1.1: a web framework would take half as much again as all the rest."""

import asyncio
from collections.abc import Callable
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

_SECONDS: Final = 10.0
"""For one request, all of it."""
_MOST: Final = 16 * 1024
"""Bytes of a request's head."""


class Operations:
    """Answers one request on each connection, which is what scrapers and probes send.

    Args:
        registry: What /metrics shows.
        ready: Whether /readyz says so.
    """

    def __init__(self, registry: CollectorRegistry, ready: Callable[[], bool]) -> None:
        self._registry, self._ready = registry, ready

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Listen until the server is closed.

        Raises:
            OSError: The port is taken.
        """
        return await asyncio.start_server(self._serve, host, port, limit=_MOST)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head.partition(b"\r\n")[0]))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever it was is gone, or no HTTP client
        finally:
            writer.close()

    def _answer(self, line: bytes) -> bytes:
        method, _, rest = line.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in {b"GET", b"HEAD"}:
            return _whole(method, "405 Method Not Allowed", b"GET alone\n")
        if path == b"/metrics":
            return _whole(method, "200 OK", generate_latest(self._registry), CONTENT_TYPE_LATEST)
        if path == b"/healthz" or (path == b"/readyz" and self._ready()):
            return _whole(method, "200 OK", b"ok\n")
        if path == b"/readyz":
            return _whole(method, "503 Service Unavailable", b"not synced yet\n")
        return _whole(method, "404 Not Found", b"no such page\n")


def _whole(method: bytes, status: str, body: bytes, kind: str = "text/plain; charset=utf-8") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (b"" if method == b"HEAD" else body)
