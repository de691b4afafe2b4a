"""Whoever reaches the port may do with a connection what they want: the process serves everybody else."""

import asyncio
import contextlib
import json
import os
import random
import resource
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from hostile.target import DEADLINE, Answer, Line, Target, head

IDLE = 10_000
SHAKEN = 500
"""Of the idle ones, those that have finished their TLS handshake, which costs either side a millisecond or two."""
MANY = 150
POURING = 40


def uid(body: bytes) -> str:
    found: str = json.loads(body)["request"]["uid"]
    return found


async def judged(target: Target, line: Line) -> None:
    """A good review on this very connection is answered."""
    body = target.review()
    await line.send(head(len(body)), body)
    assert (await line.answer()).response == {"uid": uid(body), "allowed": True}


@pytest.fixture
def many_files() -> Iterator[int]:
    """As many idle connections as this process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE + 1_000
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    yield min(IDLE, max(soft, most) - 1_000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_ten_thousand_idle_connections_hold_nobody_up(target: Target, many_files: int) -> None:
    print(f"{many_files} idle connections")
    before = target.memory()
    async with AsyncExitStack() as stack:
        for made in range(0, many_files - SHAKEN, 500):
            for _ in range(min(500, many_files - SHAKEN - made)):
                stack.callback(target.connect().close)
            await asyncio.sleep(0.05)  # the kernel keeps a thousand that are not accepted yet
        async with target.others():
            for _ in range(SHAKEN // 20):
                opened = await asyncio.gather(*(_shaken(target, stack) for _ in range(20)))
                assert all(opened), "whoever comes after ten thousand is served as well"
        async with target.others():
            await asyncio.sleep(1)
    assert target.memory() - before < many_files * 24_000, "about 20 KB each, were all of them kept"
    await target.closed_down_to(200, 30)


async def _shaken(target: Target, stack: AsyncExitStack) -> bool:
    with contextlib.suppress(OSError, ssl.SSLError):
        await stack.enter_async_context(target.line())
        return True
    return False


async def test_clients_that_send_a_byte_now_and_then_hold_nobody_up(target: Target) -> None:
    """A third never finishes its head, a third its body, a third the TLS handshake."""
    stop = asyncio.Event()

    async def drip(text: bytes, *, tls: bool) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            async with target.line(tls=tls) as line:
                for byte in text:
                    await line.send(bytes([byte]))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), 0.5)
                    if stop.is_set():
                        return

    body = target.review()
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(MANY // 3):
            tasks.create_task(drip(head(len(body)), tls=True))
            tasks.create_task(drip(b"{" * 40, tls=True))
            tasks.create_task(drip(hello, tls=False))
        async with target.others():
            await asyncio.sleep(4)
        stop.set()


async def test_a_review_that_drips_in_is_refused_before_its_deadline(target: Target) -> None:
    body = target.review()
    async with target.line() as line, target.others():
        async with asyncio.timeout(3):
            await line.send(head(len(body), path="/validate?timeout=3s"), body[:600])
            answer = asyncio.create_task(line.answer())
            for byte in body[600:]:
                if answer.done():
                    break
                with contextlib.suppress(OSError):
                    await line.send(bytes([byte]))
                await asyncio.sleep(0.1)
            found = await answer
    assert found.response["uid"] == uid(body)
    assert found.message == "INVALID_REQUEST: the AdmissionReview did not arrive as a whole"


GARBAGE = {
    "plain HTTP": head(5) + b"hello",
    "noise": random.Random(1).randbytes(5_000),
    "nothing but zeros": bytes(100_000),
    "a hello that is cut": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.Random(2).randbytes(100),
    "a record of the wrong kind": b"\x17\x03\x03\x40\x00" + bytes(0x4000),
    "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "SSL 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(35),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("what", GARBAGE)
async def test_what_is_no_tls_ends_its_own_connection_alone(target: Target, what: str) -> None:
    async with target.others(), AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(target.line(tls=False)) for _ in range(30)]
        for line in lines:
            with contextlib.suppress(OSError):
                await line.send(GARBAGE[what])
                line.writer.write_eof()
        said = await asyncio.gather(*(line.end() for line in lines))
    assert not any(b"200 OK" in each or b"AdmissionReview" in each for each in said)


async def test_garbage_after_the_handshake_is_a_bad_request_and_no_more(target: Target) -> None:
    texts = [
        random.Random(3).randbytes(10_000),
        b"\r\n" * 10_000,
        b"A" * 1_000_000,
        b"POST /validate HTTP/1.1\r\n" + b"X: y\r\n" * 200_000 + b"\r\n",
        b"POST /validate HTTP/1.1\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"POST /" + b"v" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /validate HTTP/9.9\r\nHost: a\r\n\r\n",
        b"POST /validate\r\n\r\n",
        b"post /validate HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /validate HTTP/1.1\r\nHost : a\r\nContent-Length : 2\r\n\r\n{}",
        b"POST /validate HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ]
    async with target.others():
        for text in texts:
            async with target.line() as line:
                with contextlib.suppress(OSError, ssl.SSLError):
                    await line.send(text)
                    line.writer.write_eof() if line.writer.can_write_eof() else None
                with contextlib.suppress(TimeoutError):
                    answer = await line.answer_or_end(seconds=1)
                    assert answer is None or answer.status >= 400 or not answer.response["allowed"], text[:60]


async def test_other_methods_and_paths_are_told_so_and_the_connection_stays_good(target: Target) -> None:
    async with target.line() as line:
        for method, path, status in (
            *(
                (method, "/validate?timeout=10s", 405)
                for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")
            ),
            *(
                ("POST", path, 404)
                for path in ("/", "/mutate", "/validate/", "/validate/x", "/%76alidate/..", "/Validate")
            ),
            *(("GET", path, 404) for path in ("/metrics", "/healthz", "/../../etc/passwd")),
        ):
            body = target.review()
            await line.send(head(len(body), method=method, path=path), body)
            assert (await line.answer(bare=method == "HEAD")).status == status, (method, path)
            if line.reader.at_eof():
                pytest.fail(f"the connection ended after {method} {path}")
            await judged(target, line)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?timeout",
        "?timeout=",
        "?timeout=-1s",
        "?timeout=1e9s",
        "?timeout=%00",
        "?timeout=5s&timeout=x",
        "?a=%ff",
    ],
)
async def test_any_query_is_a_review_all_the_same(target: Target, query: str) -> None:
    body = target.review()
    assert (await target.ask(body, path=f"/validate{query}")).response == {"uid": uid(body), "allowed": True}


async def test_reviews_in_one_piece_are_answered_in_their_order(target: Target) -> None:
    bodies = [target.review() if number % 3 else b"{%d" % number for number in range(50)]
    async with target.line() as line:
        await line.send(b"".join(head(len(body)) + body for body in bodies))
        for number, body in enumerate(bodies):
            answer: Answer = await line.answer()
            assert answer.response["allowed"] is bool(number % 3)
            if number % 3:
                assert answer.response["uid"] == uid(body)


async def test_who_reads_no_answers_is_not_read_either(target: Target) -> None:
    """Connections with all the requests that they get rid of, each worth an answer that nobody takes."""
    request = head(10) + b'{"request"'
    before = target.memory()
    sent = []

    async def pour(line: Line) -> None:
        assert isinstance(line.writer.transport, asyncio.Transport)
        line.writer.transport.pause_reading()
        count = 0
        with contextlib.suppress(TimeoutError, OSError, ssl.SSLError):
            async with asyncio.timeout(4):
                for _ in range(1_000):
                    await line.send(request * 50)
                    count += 50
                    await asyncio.sleep(0)
        sent.append(count)

    async with target.others(), AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(target.line()) for _ in range(POURING)]
        await asyncio.gather(*(pour(line) for line in lines))
    print(f"{sum(sent)} requests sent")
    assert target.memory() - before < 100 << 20


async def test_clients_that_break_off_at_any_place_leave_nothing_behind(target: Target) -> None:
    body = target.review()
    whole = head(len(body)) + body
    rng = random.Random(os.environ.get("FUZZ", "4"))
    async with target.others():
        for _ in range(100):
            async with target.line() as line:
                await line.send(whole[: rng.randrange(len(whole) + 1)])
                if rng.random() < 0.5:
                    await asyncio.sleep(0.005)
    await target.closed_down_to(60, DEADLINE + 5)
