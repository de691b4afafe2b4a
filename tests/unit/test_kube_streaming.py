import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from labquota.kube import errors
from labquota.kube.chunks import Chunks
from labquota.kube.client import HttpApi
from labquota.kube.credentials import Credentials

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


@asynccontextmanager
async def peer(
    *sent: bytes, pause: float = 0.0, then: str = "close", gather: float = 0.0
) -> AsyncIterator[HttpApi]:
    """A server that answers the first request with these pieces, then closes, or says nothing more."""
    over, answering = asyncio.Event(), []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.append(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        for piece in sent:
            writer.write(piece)
            await asyncio.sleep(pause)
        if then == "hang":
            await over.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, HttpApi(Credentials(f"http://127.0.0.1:{port}"), gather=gather) as api:
        yield api
        over.set()
        await asyncio.gather(*filter(None, answering))
        await asyncio.sleep(0)


async def watched(api: HttpApi) -> list[bytes]:
    return [line async for line in api.watch("/x", {"resourceVersion": "5"})]


WHOLE = (
    HEAD
    + chunk(b'{"a":1}\n')
    + chunk(b'{"b"')
    + chunk(b':2}\n{"c":3}\n{"d')
    + chunk(b'":4}\n')
    + b"0\r\n\r\n"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000])
def test_chunks_are_taken_off_wherever_the_pieces_end(size: int) -> None:
    chunks = Chunks()
    body = WHOLE[len(HEAD) :]
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    content = b"".join(itertools.chain.from_iterable(map(chunks.take, pieces)))
    assert content == b'{"a":1}\n{"b":2}\n{"c":3}\n{"d":4}\n'
    assert chunks.ended


async def test_lines_are_whole_wherever_pieces_and_chunks_end() -> None:
    for size in (1, 9, 40):
        async with peer(*(WHOLE[at : at + size] for at in range(0, len(WHOLE), size))) as api:
            assert await watched(api) == [b'{"a":1}', b'{"b":2}', b'{"c":3}', b'{"d":4}']


async def test_a_connection_that_breaks_between_chunks_is_told_and_a_line_cut_off_is_dropped() -> None:
    async with peer(HEAD + chunk(b"one\ntw"), then="close") as api:
        lines = api.watch("/x", {})
        assert await anext(lines) == b"one"
        with pytest.raises(errors.Unreachable, match="to GET /x: the server closed the connection"):
            await anext(lines)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP answer: it begins with b'SSH-2.0-OpenSSH'"),
        (HEAD + b"z\r\nno number\r\n", "no HTTP answer: invalid literal"),
        (HEAD + b"x" * 200, "no HTTP answer: no chunk begins with"),
    ],
)
async def test_what_is_no_http_is_an_error_of_one_line(sent: bytes, said: str) -> None:
    async with peer(sent, then="hang") as api:
        with pytest.raises(errors.Unreachable, match=said):
            await watched(api)


async def test_a_refusal_is_read_whole_before_it_is_told() -> None:
    body = b'{"kind":"Status","code":410,"reason":"Expired","message":"too old"}'
    answer = b"HTTP/1.1 410 Gone\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with peer(answer[:60], answer[60:], pause=0.02, then="hang") as api:
        with pytest.raises(errors.Expired, match=r"^too old \(410 Expired\)$"):
            await watched(api)


async def test_a_reader_who_takes_nothing_is_not_buried() -> None:
    """The server is not read on while lines wait, so its own buffers fill and it stands."""
    line = b"x" * 9_999 + b"\n"
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        for _ in range(5_000):
            writer.write(chunk(line))
            await writer.drain()
            sent += 1
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, HttpApi(Credentials(f"http://127.0.0.1:{port}")) as api:
        lines = api.watch("/x", {})
        assert await anext(lines) == line[:-1]
        await asyncio.sleep(0.3)
        before = sent
        await asyncio.sleep(0.2)
        assert before == sent < 2_500, "it was read on although nobody took the lines"
        assert len([each async for each in lines]) == 4_999


async def test_events_that_come_one_by_one_are_taken_in_batches_and_the_first_at_once() -> None:
    loop = asyncio.get_running_loop()
    pieces = [chunk(b"%d\n" % number) for number in range(20)]
    async with peer(HEAD, *pieces, b"0\r\n\r\n", pause=0.01, gather=0.1) as api:
        began = loop.time()
        came = [(line, loop.time() - began) async for line in api.watch("/x", {})]
    assert [line for line, _ in came] == [b"%d" % number for number in range(20)]
    assert came[0][1] < 0.08
    moments = {round(when, 2) for _, when in came}
    assert len(moments) <= 6, f"twenty events in a fifth of a second woke us {len(moments)} times"


async def test_a_whole_set_is_not_gathered_and_what_follows_it_is() -> None:
    loop = asyncio.get_running_loop()
    end = chunk(b'{"type":"BOOKMARK","object":{}}\n')
    pieces = [chunk(b"%d\n" % number) for number in range(10)]
    async with peer(HEAD, *pieces, end, *pieces, b"0\r\n\r\n", pause=0.01, gather=0.3) as api:
        began = loop.time()
        lines = api.watch("/x", {"sendInitialEvents": "true"})
        came = [loop.time() - began async for _ in lines]
    assert came[10] < 0.25, "the set waited for more of itself"
    assert came[20] > 0.3


async def test_closing_the_client_ends_its_watches() -> None:
    async with peer(HEAD + chunk(b"one\n"), then="hang") as api:
        lines = api.watch("/x", {})
        assert await anext(lines) == b"one"
        await api.close()
        async with asyncio.timeout(2):
            assert [line async for line in lines] == []
