"""HTTP/1.1 for the hot calls: one request and one answer at a time over kept connections, and nothing else.

The write of a ledger stands in the path of every admission. A general client spends three to four times as much on it
as there is to do: a request object, header maps, a connector and timers that this path has no use for.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Final, TypeVar, cast
from urllib.parse import urlsplit

from labquota.clock import Clock
from labquota.kube.tls import Tls

P = TypeVar("P", bound=asyncio.BaseProtocol)

_AGAIN: Final = frozenset({"GET", "PUT", "DELETE"})
"""Methods that may be sent once more when a kept connection dies under them; a create may not."""


class Broken(OSError):  # noqa: N818  the field's word for it
    """The connection ended, or what came over it is no HTTP answer.

    Attributes:
        untouched: No byte of an answer had come.
    """

    def __init__(self, message: str, *, untouched: bool) -> None:
        super().__init__(message)
        self.untouched = untouched


class Answer:
    """A whole answer: status, headers as they came, body."""

    __slots__ = ("body", "head", "status")

    def __init__(self, status: int, head: bytes, body: bytes) -> None:
        self.status, self.head, self.body = status, head, body

    def header(self, name: bytes) -> str | None:
        """One header's value; `name` in lower case."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name:
                return value.strip().decode("latin-1")
        return None


class Connection(asyncio.Protocol):
    """One connection: a request, then its answer."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.reused = False
        self.closed = False
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection that stands now."""
        # uvloop's transports are no subclasses of it
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Take what came; the answer is told when it is whole."""
        self._buffer += data
        waiting = self._waiting
        if waiting is None or waiting.done():
            self.close()  # nobody asked
            return
        try:
            answer = parse(self._buffer)
        except ValueError as error:
            waiting.set_exception(Broken(f"no HTTP answer: {error}", untouched=False))
            self.close()
            return
        if answer is not None:
            self._buffer.clear()
            if (answer.header(b"connection") or "").lower() == "close":
                self.close()
            waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; whoever waits learns why."""
        self.closed = True
        if self._waiting is not None and not self._waiting.done():
            said = str(exc) if exc else "the server closed the connection"
            self._waiting.set_exception(Broken(said, untouched=not self._buffer))

    async def ask(self, request: bytes) -> Answer:
        """Send a request and wait for its answer."""
        if self.closed or self._transport is None:
            raise Broken("the connection is closed", untouched=True)
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._waiting
        finally:
            self._waiting = None

    def close(self) -> None:
        """End the connection at once."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()


class Exchange:
    """Calls to one server.

    Args:
        server: Base URL.
        tls: The TLS context; None for plain HTTP.
        server_name: The name that the server's certificate must carry, where it differs from the address.
        headers: Headers of every request.
        clock: The age of idle connections.
        connections: The most at once; calls beyond wait.
        keepalive: Seconds after which an idle connection is not used again.
        connect_timeout: Seconds for a connection, TLS included.
    """

    def __init__(
        self,
        server: str,
        *,
        tls: ssl.SSLContext | None,
        server_name: str | None,
        headers: Mapping[str, str],
        clock: Clock,
        connections: int,
        keepalive: float,
        connect_timeout: float,
    ) -> None:
        parts = urlsplit(server)
        self._host = parts.hostname or ""
        self._tls = tls or (ssl.create_default_context() if parts.scheme == "https" else None)
        self._port = parts.port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._server_name = (server_name or self._host) if self._tls else None
        self._fixed = _lines({"Host": parts.netloc.rpartition("@")[2], **headers})
        self._clock, self._keepalive, self._connect_timeout = clock, keepalive, connect_timeout
        self._idle: list[Connection] = []
        self._room = asyncio.Semaphore(connections)

    async def call(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Answer:
        """One request and its answer.

        Raises:
            OSError: No connection, or it broke; `TimeoutError` is one of them.
        """
        request = self.request(method, path, body, headers)
        async with asyncio.timeout(seconds), self._room:
            connection = await self._connection()
            try:
                return await self._ask(connection, request)
            except Broken as broken:
                if not (connection.reused and broken.untouched and method in _AGAIN):
                    raise
            return await self._ask(await self.connect(Connection), request)

    def request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        """A request as it is sent."""
        head = f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._fixed}{_lines(headers)}"
        length = "" if body is None else f"Content-Length: {len(body)}\r\n"
        return f"{head}{length}\r\n".encode("latin-1") + (body or b"")

    def tls(self) -> Tls | None:
        """What protects a connection that does so by itself."""
        return None if self._tls is None else Tls(self._tls, self._server_name)

    async def connect(self, protocol: Callable[[], P], *, plain: bool = False) -> P:
        """A new connection, which is the caller's from then on.

        Args:
            protocol: Makes what takes it.
            plain: It sees to TLS itself.

        Raises:
            OSError: There is none; `TimeoutError` is one of them.
        """
        tls, name = (None, None) if plain else (self._tls, self._server_name)
        async with asyncio.timeout(self._connect_timeout):
            _, connection = await asyncio.get_running_loop().create_connection(
                protocol, self._host, self._port, ssl=tls, server_hostname=name
            )
        return connection

    async def _ask(self, connection: Connection, request: bytes) -> Answer:
        try:
            answer = await connection.ask(request)
        except asyncio.CancelledError:
            connection.close()  # its answer would come to the next request
            raise
        if not connection.closed:
            connection.reused, connection.idle_since = True, self._clock.monotonic()
            self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Close all idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _connection(self) -> Connection:
        oldest = self._clock.monotonic() - self._keepalive
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and connection.idle_since > oldest:
                return connection
            connection.close()
        return await self.connect(Connection)


def parse(buffer: bytearray) -> Answer | None:
    """The answer that a buffer holds; None while it is not whole.

    Raises:
        ValueError: It is no HTTP/1.1 answer with a length.
    """
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(buffer[:end])
    if not head.startswith(b"HTTP/1."):
        raise ValueError(f"it begins with {head[:20]!r}")
    status = int(head[9:12])
    small = head.lower()
    if b"\r\ntransfer-encoding: chunked" in small:
        body = _unchunk(buffer, end + 4)
        return None if body is None else Answer(status, head, body)
    at = small.find(b"\r\ncontent-length:")
    if at < 0:
        if status in {204, 304}:
            return Answer(status, head, b"")
        raise ValueError("it has no length")
    line_end = small.find(b"\r\n", at + 2)
    length = int(small[at + 17 : line_end if line_end >= 0 else len(small)])
    if len(buffer) - end - 4 < length:
        return None
    return Answer(status, head, bytes(buffer[end + 4 : end + 4 + length]))


def _unchunk(buffer: bytearray, at: int) -> bytes | None:
    parts: list[bytes] = []
    while True:
        line = buffer.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(bytes(buffer[at:line]).partition(b";")[0], 16)
        if len(buffer) < line + 2 + size + 2:
            return None
        if size == 0:
            return b"".join(parts)
        parts.append(bytes(buffer[line + 2 : line + 2 + size]))
        at = line + 2 + size + 2


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
