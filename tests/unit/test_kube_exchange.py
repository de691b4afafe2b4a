import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from labquota.clock import SystemClock
from labquota.kube.exchange import Broken, Exchange, parse

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve, **options: float) -> AsyncIterator[tuple[Exchange, list[int]]]:
    """A server that answers with bytes as they are, and the connections that it saw."""
    seen: list[int] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(len(seen))
        try:
            await serve(seen[-1], reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    exchange = Exchange(
        f"http://127.0.0.1:{port}",
        tls=None,
        server_name=None,
        headers={"Accept": "application/json"},
        clock=SystemClock(),
        connections=4,
        keepalive=options.get("keepalive", 60.0),
        connect_timeout=1.0,
    )
    try:
        yield exchange, seen
    finally:
        exchange.close()
        listening.close()
        await listening.wait_closed()


async def request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
    return head + await reader.readexactly(length)


def answering(*answers: bytes) -> Serve:
    """One answer a request on each connection, each in pieces of three bytes."""

    async def serve(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await request(reader)
            for at in range(0, len(answer), 3):
                writer.write(answer[at : at + 3])
                await writer.drain()
                await asyncio.sleep(0)

    return serve


async def test_calls_one_after_the_other_share_a_connection() -> None:
    async with server(answering(OK, OK, OK)) as (exchange, seen):
        bodies = [(await exchange.call("PUT", "/a", b"{}", {}, 2)).body for _ in range(3)]
    assert (bodies, len(seen)) == ([b"ok"] * 3, 1)


async def test_what_is_sent_is_a_plain_request_with_its_length() -> None:
    got: list[bytes] = []

    async def serve(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await request(reader))
        writer.write(OK)

    async with server(serve) as (exchange, _):
        await exchange.call("PUT", "/apis/x", b'{"a":1}', {"Content-Type": "application/json"}, 2)
    host = got[0].split(b"\r\n")[1]
    assert host.startswith(b"Host: 127.0.0.1:")
    assert got[0] == (
        b"PUT /apis/x HTTP/1.1\r\n" + host + b"\r\nAccept: application/json\r\n"
        b'Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
    )


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (OK, 200, b"ok"),
        (b"HTTP/1.1 409 Conflict\r\ncontent-length:0\r\n\r\n", 409, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
            200,
            b"abcde",
        ),
    ],
)
def test_an_answer_is_read_only_when_it_is_whole(raw: bytes, status: int, body: bytes) -> None:
    for length in range(len(raw)):
        assert parse(bytearray(raw[:length])) is None
    answer = parse(bytearray(raw))
    assert answer is not None
    assert (answer.status, answer.body) == (status, body)


async def test_an_answer_in_pieces_and_chunks_arrives_whole() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    async with server(answering(chunked, OK)) as (exchange, seen):
        assert (await exchange.call("GET", "/a", None, {}, 2)).body == b"hello"
        assert (await exchange.call("GET", "/a", None, {}, 2)).body == b"ok"
    assert len(seen) == 1


async def first_dies(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(OK)
    if number == 0:  # the next request finds the connection closing
        await request(reader)
        return
    await reader.read()


async def test_a_kept_connection_that_dies_is_replaced_for_what_may_be_sent_again() -> None:
    async with server(first_dies) as (exchange, seen):
        await exchange.call("PUT", "/a", b"1", {}, 2)
        assert (await exchange.call("PUT", "/a", b"2", {}, 2)).body == b"ok"
    assert len(seen) == 2


async def test_a_create_is_never_sent_twice() -> None:
    async with server(first_dies) as (exchange, seen):
        await exchange.call("POST", "/a", b"1", {}, 2)
        with pytest.raises(Broken, match="the server closed the connection"):
            await exchange.call("POST", "/a", b"2", {}, 2)
    assert len(seen) == 1


async def test_half_an_answer_is_not_asked_for_again() -> None:
    async def serve(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await request(reader)
        writer.write(OK[:20])

    async with server(serve) as (exchange, seen):
        await exchange.call("PUT", "/a", b"1", {}, 2)
        with pytest.raises(Broken):
            await exchange.call("PUT", "/a", b"2", {}, 2)
    assert len(seen) == 1


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one() -> None:
    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        await asyncio.sleep(0.3 if number == 0 else 0)
        writer.write(OK if number else OK.replace(b"ok", b"no"))
        await reader.read()

    async with server(serve) as (exchange, _):
        with pytest.raises(TimeoutError):
            await exchange.call("GET", "/a", None, {}, 0.1)
        await asyncio.sleep(0.3)
        assert (await exchange.call("GET", "/a", None, {}, 2)).body == b"ok"


async def test_an_old_connection_is_not_used_again() -> None:
    async with server(answering(OK, OK), keepalive=0.05) as (exchange, seen):
        await exchange.call("GET", "/a", None, {}, 2)
        await asyncio.sleep(0.1)
        await exchange.call("GET", "/a", None, {}, 2)
    assert len(seen) == 2


async def test_what_is_no_http_is_an_error_of_one_line() -> None:
    async with server(answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")) as (exchange, _):
        with pytest.raises(Broken, match=r"no HTTP answer: it begins with b'SSH-2\.0"):
            await exchange.call("GET", "/a", None, {}, 2)


async def test_waiting_for_a_connection_ends_with_the_time_of_the_call() -> None:
    async def serve(_: int, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await request(reader)
        await reader.read()  # never answers

    async with server(serve) as (exchange, _):
        slow = [asyncio.create_task(exchange.call("GET", "/a", None, {}, 1)) for _ in range(4)]
        await asyncio.sleep(0.1)
        with pytest.raises(TimeoutError):
            await exchange.call("GET", "/a", None, {}, 0.2)
        assert not any(task.done() for task in slow), "it waited no longer than it was told to"
        await asyncio.gather(*slow, return_exceptions=True)
