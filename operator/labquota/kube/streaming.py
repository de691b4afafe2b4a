"""A watch over HTTP/1.1: one request, and an answer that comes line by line for minutes.

A general client takes each event through a parser, a stream, a future and a task of its own. Here whatever has come
is cut into lines in one go, and a busy stream costs next to nothing beside its decoding.

    bytes ──► head ──► chunks ──► lines ──► whoever iterates
"""

import asyncio
import ssl
from typing import Final, cast

from labquota.kube.chunks import Chunks
from labquota.kube.exchange import Answer, Broken, parse
from labquota.kube.tls import Tls

_FULL: Final = 256 * 1024
"""Bytes of lines that nobody has taken yet, above which nothing more is read."""
_READ: Final = 128 * 1024
"""Bytes of one read, if there are as many. Where it is full more is waiting, so nothing needs to be gathered."""


class Stream(asyncio.BufferedProtocol):
    """One connection with one watch on it.

    Args:
        request: What is sent.
        gather: Seconds for which more is waited for after a small read, so that events are taken in batches. A
            process that is woken for each of them spends more on waking than on the event.
        tls: What protects the connection.

    Attributes:
        gather: As given; it may be changed while the stream goes on.
        refused: A whole answer that is no stream: the API server's refusal.
    """

    def __init__(self, request: bytes, gather: float, tls: Tls | None = None) -> None:
        self.refused: Answer | None = None
        self._request, self.gather, self._tls = request, gather, tls
        self._transport: asyncio.Transport | None = None
        self._head: bytearray | None = bytearray()
        self._chunks: Chunks | None = None
        self._buffer = memoryview(bytearray(_READ))
        self._lines: list[bytes] = []
        self._size = 0
        self._partial: list[bytes] = []
        self._error: Broken | None = None
        self._over = self._connected = False
        self._full = self._gathers = self._paused = False
        self._moved = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request, or what comes before it."""
        # uvloop's transports are no subclasses of it
        self._transport = cast("asyncio.Transport", transport)
        if self._tls is None:
            self._connected = True
            self._transport.write(self._request)
        else:
            self._open(self._tls, b"")

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  the loop's word for it
        """Where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came."""
        if self._over:
            return
        data = self._buffer[:nbytes]
        try:
            self._take(bytes(data) if self._tls is None else self._open(self._tls, data))
        except ssl.SSLError as error:
            self._end(Broken(str(error), untouched=False))
            return
        except ValueError as error:
            self._end(Broken(f"no HTTP answer: {error}", untouched=False))
            return
        if self._lines:
            self._moved.set()
            self._full = self._size > _FULL
            self._gathers = bool(self.gather) and nbytes < _READ
            if self._gathers:
                asyncio.get_running_loop().call_later(self.gather, self._gathered)
            if self._full or self._gathers:
                self._pause()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; whoever waits learns why."""
        if exc is None and self._head is None and self._chunks is None:
            self._end(None)  # without chunks a body ends so
        else:
            self._end(Broken(str(exc) if exc else "the server closed the connection", untouched=False))

    async def connected(self) -> None:
        """Wait until the connection stands, TLS included.

        Raises:
            Broken: It does not.
        """
        while not self._connected and not self._over:
            await self._wait()
        if not self._connected:
            raise self._error or Broken("the connection is closed", untouched=True)

    async def opened(self) -> None:
        """Wait until the answer has begun.

        Raises:
            Broken: It does not, or it is no HTTP answer.
        """
        while self._head is not None and not self._over:
            await self._wait()
        if self._head is not None and self._error is not None:
            raise self._error

    async def take(self) -> list[bytes]:
        """The lines that have come since the last call, waited for if there are none; empty when the stream has ended.

        An incomplete last line is dropped.

        Raises:
            Broken: The connection broke.
        """
        while not self._lines:
            if self._over:
                if self._error is not None:
                    raise self._error
                return []
            await self._wait()
        lines, self._lines, self._size = self._lines, [], 0
        self._full = False
        self._go_on()
        return lines

    def close(self) -> None:
        """Cut the connection: the server has more to say, and TLS would wait for it."""
        self._over = True
        if self._transport is not None:
            self._transport.abort()

    def _open(self, tls: Tls, data: bytes | memoryview) -> bytes:
        """Take the protection off, and say what TLS has to say."""
        began = tls.ready
        plain = tls.take(data)
        if tls.ready and not began:
            self._connected = True
            self._moved.set()
            tls.seal(self._request)
        if (answer := tls.to_send()) and self._transport is not None:
            self._transport.write(answer)
        if tls.ended:
            plain, rest = b"", plain
            self._take(rest)
            self._end(Broken("the server closed the connection", untouched=False))
        return plain

    async def _wait(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def _take(self, data: bytes) -> None:
        if self._head is not None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            if (whole := self._begin(bytes(self._head[:end]), end)) is None:
                return
            data = whole
        if self._chunks is None:
            self._split(data)
            return
        for piece in self._chunks.take(data):
            self._split(piece)
        if self._chunks.ended:
            self._end(None)

    def _begin(self, head: bytes, end: int) -> bytes | None:
        """Read the head; the first bytes of the body, or None where there is no stream, or no whole refusal yet."""
        buffer = self._head or bytearray()
        if not head.startswith(b"HTTP/1."):
            raise ValueError(f"it begins with {head[:20]!r}")
        if int(head[9:12]) >= 400:
            self.refused = parse(buffer)
            if self.refused is not None:
                self._head = None
                self._end(None)
            return None
        if b"\r\ntransfer-encoding: chunked" in head.lower():
            self._chunks = Chunks()
        self._head = None
        self._moved.set()
        return bytes(buffer[end + 4 :])

    def _split(self, data: bytes) -> None:
        """Cut content into lines."""
        self._size += len(data)
        end = data.find(b"\n")
        if end < 0:
            self._partial.append(data)
            return
        if end == len(data) - 1 and not self._partial:  # as the API server sends events: one in each chunk
            if end:
                self._lines.append(data[:-1])
            return
        *whole, rest = data.split(b"\n")
        if self._partial:
            whole[0] = b"".join((*self._partial, whole[0]))
            self._partial.clear()
        if rest:
            self._partial.append(rest)
        self._lines += [line for line in whole if line]

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _gathered(self) -> None:
        self._gathers = False
        self._go_on()

    def _go_on(self) -> None:
        if self._full or self._gathers or self._over or not self._paused or self._transport is None:
            return
        self._paused = False
        self._transport.resume_reading()

    def _end(self, error: Broken | None) -> None:
        if not self._over:
            self._over, self._error = True, error
        self._moved.set()
