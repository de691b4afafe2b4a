"""The webhook's server, byte by byte: requests in their order, strictly read, and nobody waited for without an end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from labquota.webhook import listening, messages
from labquota.webhook.handling import CUT
from labquota.webhook.messages import Request
from unit.lines import Served, post


@pytest.fixture
async def in_plain_text() -> AsyncIterator[Served]:
    """Python's client cannot end one side of TLS alone."""
    one = Served(None)
    one.listener = await listening.listen(one.echo, "127.0.0.1", 0, tls=None)
    yield one
    await one.close()


async def test_requests_on_one_connection_are_answered_in_their_order(served: Served) -> None:
    line = await served.line()
    line.send(post(b"1"), post(b"2", b"/later") + post(b"3") + post(b"4")[:-1])
    assert await line.body() == b"1 1"
    served.echo.go.set()
    assert [await line.body() for _ in range(2)] == [b"later 2", b"1 3"]
    line.send(b"4")
    assert await line.body() == b"1 4"


async def test_a_request_may_come_in_any_pieces(served: Served) -> None:
    line = await served.line()
    for byte in post(b"whole", b"/pieces"):
        line.send(bytes([byte]))
        await asyncio.sleep(0)
    assert await line.body() == b"5 whole"
    chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n3\r\ncde\r\n0\r\nExpect: x\r\n\r\n"
    line.send(chunked[:60], chunked[60:])
    assert await line.body() == b"5 abcde"
    assert served.echo.asked == [b"/pieces", b"/"]


async def test_a_body_that_is_too_large_is_read_to_its_end_and_kept_at_its_beginning(served: Served) -> None:
    line = await served.line()
    line.send(post(b"begin" + b"x" * 300_000), post(b"next"))
    assert await line.body() == b"300005 begin" + b"x" * 35
    assert await line.body() == b"4 next"


def test_of_a_body_that_is_too_large_the_beginning_alone_is_kept() -> None:
    request = Request()
    for _ in range(100):
        request.take(b"x" * 1000, 10_000)
    assert (request.size, request.kept, len(request.body)) == (100_000, 4096, 4096)


async def test_who_asks_whether_to_send_the_body_is_told_to(served: Served) -> None:
    line = await served.line()
    whole = post(b"body", more=b"Expect: 100-continue\r\n")
    line.send(whole[:-4])
    assert (await line.answer())[0] == 100
    line.send(whole[-4:])
    assert await line.body() == b"4 body"


async def test_an_answer_to_head_has_no_body(served: Served) -> None:
    line = await served.line()
    line.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    status, head, _ = await line.answer(bare=True)
    assert (status, b"Content-Length: 2\r\n" in head) == (200, True)
    line.send(post(b"1"))
    assert await line.body() == b"1 1"


@pytest.mark.parametrize(
    "request_",
    [post(b"1", more=b"Connection: close\r\n"), b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"],
)
async def test_who_asks_for_it_and_who_speaks_http_1_0_is_answered_and_let_go(
    served: Served, request_: bytes
) -> None:
    line = await served.line()
    line.send(request_)
    status, head, _ = await line.answer()
    assert (status, b"Connection: close\r\n" in head) == (200, True)
    assert await line.end() == b""


@pytest.mark.parametrize(
    "bytes_",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\n Folded: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"x" * 2 * messages.MOST_HEAD + b"\r\n\r\n",
        b"GET /" + b"x" * 2 * messages.MOST_HEAD,
    ],
)
async def test_what_is_no_http_is_answered_with_400_and_let_go(served: Served, bytes_: bytes) -> None:
    line = await served.line()
    line.send(bytes_)
    status, head, _ = await line.answer()
    assert (status, b"Connection: close\r\n" in head) == (400, True)
    line.writer.transport.abort()
    assert served.echo.asked in ([], [b"/"])  # a request before the mistake is one


async def test_a_body_that_turns_out_to_be_no_body_is_answered_as_one_that_is_cut(served: Served) -> None:
    line = await served.line()
    line.send(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", b"zz\r\n")
    assert await line.body() == b"/a: " + CUT.encode()


async def test_trailers_without_an_end_are_not_read_without_one(served: Served) -> None:
    line = await served.line()
    line.send(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n")
    line.send(b"A: " + b"x" * 2 * messages.MOST_HEAD)
    assert await line.body() == b"/a: " + CUT.encode()


async def test_a_body_is_waited_for_as_long_as_its_request_says(served: Served) -> None:
    served.echo.patience = 0.1
    line = await served.line()
    line.send(post(b"body", b"/slow")[:-1])
    assert await line.body() == b"/slow: " + CUT.encode()
    line.send(b"y" * 1000)  # closed at once, it could lose the answer
    await asyncio.sleep(0.05)
    assert not line.reader.at_eof()
    assert served.echo.asked == []


async def test_who_ends_its_side_in_the_middle_is_answered(in_plain_text: Served) -> None:
    line = await in_plain_text.line()
    line.send(post(b"1", b"/later"), post(b"body", b"/half")[:-1])
    line.writer.write_eof()
    await asyncio.sleep(0.05)
    in_plain_text.echo.go.set()
    assert [await line.body() for _ in range(2)] == [b"later 1", b"/half: " + CUT.encode()]
    assert await line.end() == b""


async def test_who_says_goodbye_is_let_go_at_once(served: Served) -> None:
    line = await served.line()
    line.send(post(b"1"))
    assert await line.body() == b"1 1"
    line.writer.close()
    await asyncio.wait_for(line.writer.wait_closed(), 2)


async def test_who_goes_away_while_a_request_is_judged_harms_nobody(served: Served) -> None:
    line = await served.line()
    line.send(post(b"1", b"/later"))
    await asyncio.sleep(0.05)
    line.writer.close()
    await asyncio.sleep(0.05)
    served.echo.go.set()
    await asyncio.sleep(0.05)
    assert await served.asks() == b"1 1"


async def test_a_bug_in_the_answer_is_a_500_and_one_line_in_the_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    line = await served.line()
    line.send(post(b"1", b"/fails"))
    assert (await line.answer())[0] == 500
    assert [record.message for record in caplog.records] == ["a request cannot be answered"]
    assert await served.asks() == b"1 1"
