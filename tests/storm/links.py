"""TCP links on loopback whose bytes can be cut off, stalled, muted and slowed."""

import asyncio
import contextlib
import socket
import struct
from enum import StrEnum

__all__ = ["Connection", "Link", "Mode", "Side"]

_CHUNK = 64 * 1024
_AT_ONCE = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """What becomes of the bytes of a link."""

    PASS = "pass"
    CUT = "cut"
    """Connections are reset, and new ones too."""
    STALL = "stall"
    """Nothing goes through; all of it does, late, when that ends."""
    MUTE = "mute"
    """Questions go through, answers do not, and are lost: the connections are reset when that ends."""
    SLOW = "slow"
    """Every piece takes a while, and only so many bytes a second fit."""


class Link:
    """What all connections of one caller to one callee have in common."""

    def __init__(self) -> None:
        self.mode, self.latency, self.rate = Mode.PASS, 0.0, 0.0
        self._changed = asyncio.Event()
        self._connections: set[Connection] = set()

    def turn(self, mode: Mode, latency: float = 0.0, rate: float = 0.0) -> None:
        """Change what becomes of its bytes, from now on."""
        ends = mode is Mode.CUT or self.mode is Mode.MUTE
        self.mode, self.latency, self.rate = mode, latency, rate
        self._changed.set()
        self._changed = asyncio.Event()
        if ends:
            for connection in list(self._connections):
                connection.reset()

    async def passing(self, size: int, *, answer: bool) -> None:
        """Wait for as long as a piece is held up."""
        while self.mode is Mode.STALL or (answer and self.mode is Mode.MUTE):
            await self._changed.wait()
        if self.mode is Mode.SLOW:
            await asyncio.sleep(self.latency + (size / self.rate if self.rate else 0))

    def joined(self, connection: "Connection") -> None:
        """A connection is open."""
        self._connections.add(connection)

    def left(self, connection: "Connection") -> None:
        """It is not any more."""
        self._connections.discard(connection)


class Connection:
    """Two sockets and the two directions between them."""

    def __init__(self, link: Link, caller: "Side", callee: "Side") -> None:
        self._link, self._caller, self._callee = link, caller, callee

    async def run(self) -> None:
        """Carry bytes until both sides have ended, or one of them breaks off."""
        self._link.joined(self)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(self._caller, self._callee, answer=False))
                both.create_task(self._carry(self._callee, self._caller, answer=True))
        except* OSError:
            self.reset()
        finally:
            self._link.left(self)
            for side in (self._caller, self._callee):
                side.writer.close()

    def reset(self) -> None:
        """Break off, so that both sides see a reset."""
        for side in (self._caller, self._callee):
            side.reset()

    async def _carry(self, source: "Side", sink: "Side", *, answer: bool) -> None:
        while piece := await source.reader.read(_CHUNK):
            await self._link.passing(len(piece), answer=answer)
            sink.writer.write(piece)
            await sink.writer.drain()
        with contextlib.suppress(OSError, RuntimeError):  # it may have ended just now
            sink.writer.write_eof()


class Side:
    """One socket of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def reset(self) -> None:
        """Break off with a reset instead of an end."""
        kept: socket.socket | None = self.writer.get_extra_info("socket")
        if kept is not None:
            with contextlib.suppress(OSError):  # closed already
                kept.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.writer.transport.abort()
        self.reader.feed_eof()
