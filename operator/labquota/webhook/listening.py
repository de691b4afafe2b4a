"""Serving requests on a port, over TLS, until told to end; then what is under way is answered first."""

import asyncio
import contextlib
import resource
import ssl
from typing import Final

from labquota.webhook.connection import Connection
from labquota.webhook.crowd import MOST_CONNECTIONS, Crowd
from labquota.webhook.handling import Handler

_BACKLOG: Final = 1024
_SWEEP_SECONDS: Final = 1.0
_LAST_SECONDS: Final = 0.25
"""For requests that were sent before their sender could know that this is the end."""
_DRAIN_SECONDS: Final = 10.0
_OTHER_FILES: Final = 256
"""Files that the process needs besides: watches, calls, logs."""


class Listener:
    """A port that is listened on.

    Args:
        handler: What answers.
        crowd: The connections.
        tls: The TLS context; None for plain text.

    Attributes:
        port: The port, once it is open.
    """

    def __init__(self, handler: Handler, crowd: Crowd, tls: ssl.SSLContext | None) -> None:
        self._handler, self._crowd, self._tls = handler, crowd, tls
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.Server
        self.port = 0
        self._sweeping: asyncio.TimerHandle

    async def open(self, host: str, port: int, *, reuse_port: bool) -> None:
        """Begin.

        Raises:
            OSError: The port is taken.
        """
        self._server = await self._loop.create_server(
            self._connection, host, port, reuse_port=reuse_port or None, backlog=_BACKLOG
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._sweep()

    async def close(self) -> None:
        """End: take no more connections, answer what is under way, and close the others."""
        self._crowd.leaving = True
        self._server.close()
        await asyncio.sleep(_LAST_SECONDS)
        self._crowd.retire()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._crowd.emptied.wait()
        self._crowd.abort()
        self._sweeping.cancel()

    def _connection(self) -> Connection:
        return Connection(self._handler, self._crowd, self._tls, self._loop)

    def _sweep(self) -> None:
        self._crowd.expire(self._loop.time())
        self._sweeping = self._loop.call_later(_SWEEP_SECONDS, self._sweep)


async def listen(
    handler: Handler,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None,
    reuse_port: bool = False,
    most: int = MOST_CONNECTIONS,
) -> Listener:
    """Serve until the listener is closed.

    Args:
        handler: What answers.
        host: Address to listen on.
        port: Port; 0 for any.
        tls: The TLS context; None for plain text.
        reuse_port: Share the port with other processes (SO_REUSEPORT).
        most: The most connections; fewer where the process may not open so many files.

    Raises:
        OSError: The port is taken.
    """
    listener = Listener(handler, Crowd(min(most, _files() - _OTHER_FILES)), tls)
    await listener.open(host, port, reuse_port=reuse_port)
    return listener


def _files() -> int:
    """How many files this process may open; as many as it needs, if it is allowed to."""
    wanted = MOST_CONNECTIONS + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(soft if soft >= 0 else wanted, 2 * _OTHER_FILES)
