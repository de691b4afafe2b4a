"""The links do to bytes what they say, over real sockets."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from controlplane import ports
from storm.links import Mode
from storm.switchboard import Switchboard

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def shouting(*names: str) -> AsyncIterator[tuple[Switchboard, int, list[bytes]]]:
    """Servers that answer each line in capitals, behind one port, and what they have heard."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                heard.append(line)
                writer.write(line.upper())
                await writer.drain()
        writer.close()

    board, at = Switchboard(), ports.free()
    targets = {name: ports.free() for name in names}
    async with contextlib.AsyncExitStack() as stack:
        for port in targets.values():
            await stack.enter_async_context(await asyncio.start_server(serve, "127.0.0.1", port))
        await board.open(at, targets)
        try:
            yield board, at, heard
        finally:
            await board.close()


async def said(line: Line, text: bytes) -> bytes:
    reader, writer = line
    writer.write(text)
    async with asyncio.timeout(3):
        return await reader.readline()


async def dial(port: int) -> Line:
    return await asyncio.open_connection("127.0.0.1", port)


async def hang_up(line: Line) -> None:
    line[1].close()
    with contextlib.suppress(OSError):
        await line[1].wait_closed()


async def test_everything_passes_both_ways_and_an_end_is_passed_on() -> None:
    async with shouting("a>b") as (_, port, _):
        line = await dial(port)
        assert await said(line, b"one\n") == b"ONE\n"
        assert await said(line, b"two\n") == b"TWO\n"
        line[1].write_eof()
        assert await line[0].read() == b""
        await hang_up(line)


async def test_a_cut_resets_what_is_open_and_what_comes_until_it_ends() -> None:
    async with shouting("a>b") as (board, port, heard):
        line = await dial(port)
        assert await said(line, b"one\n") == b"ONE\n"
        board.turn("a>b", Mode.CUT)
        assert await _is_lost(line)
        assert await _is_lost(await dial(port))
        board.turn("a>b", Mode.PASS)
        again = await dial(port)
        assert await said(again, b"two\n") == b"TWO\n"
        await hang_up(again)
        assert heard == [b"one\n", b"two\n"]


async def test_what_is_stalled_comes_late_and_whole() -> None:
    async with shouting("a>b") as (board, port, heard):
        line = await dial(port)
        assert await said(line, b"one\n") == b"ONE\n"
        board.turn("a>b", Mode.STALL)
        line[1].write(b"two\n")
        await asyncio.sleep(0.2)
        assert heard == [b"one\n"]
        board.turn("a>b", Mode.PASS)
        assert await asyncio.wait_for(line[0].readline(), 3) == b"TWO\n"
        await hang_up(line)


async def test_a_muted_question_is_heard_and_its_answer_lost() -> None:
    async with shouting("a>b") as (board, port, heard):
        line = await dial(port)
        board.turn("a>b", Mode.MUTE)
        line[1].write(b"one\n")
        await asyncio.sleep(0.2)
        assert heard == [b"one\n"]
        board.turn("a>b", Mode.PASS)
        assert await _is_lost(line)


@pytest.mark.parametrize(
    ("latency", "rate", "least"), [(0.2, 0, 0.4), (0, 1000, 0.2)], ids=["latency", "throttled"]
)
async def test_a_slow_link_takes_its_time(latency: float, rate: float, least: float) -> None:
    async with shouting("a>b") as (board, port, _):
        line = await dial(port)
        board.turn("a>b", Mode.SLOW, latency, rate)
        began, text = time.monotonic(), b"x" * 99 + b"\n"
        assert await said(line, text) == text.upper()
        assert time.monotonic() - began >= least
        await hang_up(line)


async def test_connections_are_spread_over_those_that_listen() -> None:
    async with shouting("a>b", "a>c") as (board, port, _):
        board.turn("a>c", Mode.CUT)
        lost = 0
        for _ in range(40):
            line = await dial(port)
            try:
                lost += await said(line, b"one\n") != b"ONE\n"
            except OSError:
                lost += 1
            await hang_up(line)
        assert 5 < lost < 35, "a process that is out of reach gets connections, as it does from a Service"


async def _is_lost(line: Line) -> bool:
    """Whether a connection ends in a reset, without another byte."""
    try:
        async with asyncio.timeout(3):
            return await line[0].read() == b""
    except OSError:
        return True
    finally:
        await hang_up(line)
