"""The webhook's port: who is let in, who has to go, and how it ends."""

import asyncio
import ssl

import pytest

from labquota.webhook import connection, crowd, listening
from labquota.webhook.crowd import CROWDED, Crowd
from unit.lines import Served, post


async def test_who_speaks_no_tls_is_let_go_without_a_word_in_the_log(
    context: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    one = Served(context)
    one.listener = await listening.listen(one.echo, "127.0.0.1", 0, tls=context)
    alert, told = b"\x15", []
    for garbage in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x40\x00" + bytes(range(256)) * 80,
        b"\0" * 100_000,
    ):
        line = await one.line(plain=True)
        line.send(garbage)
        told.append((await line.end())[:1])
    assert told == [b"", alert, b""], "what is no TLS at all gets no word of it"
    assert caplog.records == []
    assert await one.asks() == b"1 1"
    await one.close()


async def test_of_too_many_connections_those_go_first_that_never_asked(served: Served) -> None:
    api_server = await served.line()
    api_server.send(post(b"1"))
    assert await api_server.body() == b"1 1"
    judged = await served.line()
    judged.send(post(b"2", b"/later"))
    await asyncio.sleep(0.05)
    silent = [await served.line(plain=bool(number % 2)) for number in range(20)]
    ended = [await asyncio.wait_for(line.end(), 1) for line in silent[:10]]
    assert ended == [b""] * 10
    assert await served.asks() == b"1 1", "a newcomer is let in"
    served.echo.go.set()
    assert await judged.body() == b"later 2"
    api_server.send(post(b"3"))
    assert await api_server.body() == b"1 3"


async def test_the_server_ends_when_what_is_under_way_is_answered(served: Served) -> None:
    idle, judged, late = await served.line(), await served.line(), await served.line()
    judged.send(post(b"1", b"/later"))
    await asyncio.sleep(0.05)
    closing = asyncio.create_task(served.listener.close())
    await asyncio.sleep(0.05)
    late.send(post(b"2"))  # sent before it could know
    status, head, body = await late.answer()
    assert (status, b"Connection: close\r\n" in head, body) == (200, True, b"1 2")
    assert await idle.end() == b""
    assert not closing.done()
    with pytest.raises(OSError, match="Connect"):
        await served.line(plain=True)
    served.echo.go.set()
    assert await judged.body() == b"later 1"
    assert await judged.end() == b""
    await asyncio.wait_for(closing, 2)


async def test_connections_end_that_were_waited_for_long_enough() -> None:
    assert connection.IDLE_SECONDS > 90, "the API server keeps idle connections for 90 s"
    one = Served(None)
    everyone = Crowd()
    one.listener = listening.Listener(one.echo, everyone, None)
    await one.listener.open("127.0.0.1", 0, reuse_port=False)
    now = asyncio.get_running_loop().time()
    idle, slow, judged = await one.line(), await one.line(), await one.line()
    slow.send(b"POST / HTTP/1.1\r\nHost")
    judged.send(post(b"1", b"/later"))
    await asyncio.sleep(0.05)
    everyone.expire(now + connection.HEAD_SECONDS - 1)
    assert len(everyone) == 3
    everyone.expire(now + connection.HEAD_SECONDS + 1)
    assert await slow.end() == b""
    everyone.expire(now + 91)
    assert len(everyone) == 2
    everyone.expire(now + 10 * connection.IDLE_SECONDS)
    assert await idle.end() == b""
    one.echo.go.set()
    assert await judged.body() == b"later 1"
    await one.close()


async def test_of_too_many_bytes_of_unfinished_bodies_the_oldest_is_refused() -> None:
    one = Served(None)
    one.listener = listening.Listener(one.echo, Crowd(crowd.MOST_CONNECTIONS, 1500), None)
    await one.listener.open("127.0.0.1", 0, reuse_port=False)
    lines = [await one.line() for _ in range(3)]
    for line in lines:
        line.send(post(b"x" * 900)[:-100])
        await asyncio.sleep(0.05)
    assert [await line.body() for line in lines[:2]] == [b"/: " + CROWDED.encode()] * 2
    lines[2].send(b"x" * 100)
    assert (await lines[2].body())[:4] == b"900 "
    await one.close()
