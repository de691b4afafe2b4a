"""Whatever body a review has, the real process answers with status 200, and others are answered meanwhile."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from harness import storming
from harness.storming import nothing_unchecked
from hostile import cases
from hostile.target import Line, Target, head

TOO_LARGE = "INVALID_REQUEST: the AdmissionReview is larger than "
UNREADABLE = "INVALID_REQUEST: "
HOARDERS = 100


def spec(count: int, **container: Any) -> dict[str, Any]:
    """A pod's spec of so many containers."""
    return {"spec": {"containers": [{"name": f"c{number}", **container} for number in range(count)]}}


def asking(**requests: str) -> dict[str, Any]:
    return spec(1, resources={"requests": requests})


def metadata(**fields: Any) -> Callable[[Target], bytes]:
    def build(target: Target) -> bytes:
        body = json.loads(target.review())
        body["request"]["object"]["metadata"].update(fields)
        return json.dumps(body).encode()

    return build


def starting(count: int) -> dict[str, Any]:
    """A pod's spec of init containers, sidecars among them, that all ask for something else."""
    first = [
        {
            "name": f"c{number}",
            "restartPolicy": "Always" if number % 2 else None,
            "resources": {"requests": {f"example.com/r{number}-{more}": "1" for more in range(5)}},
        }
        for number in range(count)
    ]
    for each in first:
        if not each["restartPolicy"]:
            del each["restartPolicy"]
    return {"spec": {**spec(1)["spec"], "initContainers": first}}


def padded(size: int) -> Callable[[Target], bytes]:
    return lambda target: target.review(dict(spec(1, env=[{"name": "A", "value": "x" * size}])))


def edited(before: bytes, after: bytes) -> Callable[[Target], bytes]:
    def build(target: Target) -> bytes:
        body = target.review()
        assert before in body
        return body.replace(before, after)

    return build


# What it is; how the refusal begins, or None where it is allowed; the body.
BOMBS: list[tuple[str, str | None, Callable[[Target], bytes]]] = [
    ("a pod of 3 MB", None, padded(3_000_000)),
    ("just above the bound", TOO_LARGE, padded(8 << 20)),
    ("40 MB", TOO_LARGE, padded(40_000_000)),
    (
        "10,000 containers",
        None,
        lambda target: target.review(spec(10_000, resources={"requests": {"cpu": "1m"}})),
    ),
    (
        "10,000 containers over the limit",
        "AGGREGATE_CPU",
        lambda target: target.review(spec(10_000, resources={"requests": {"cpu": "1"}})),
    ),
    (
        "10,000 init containers",
        None,
        lambda target: target.review(
            {"spec": {"initContainers": spec(10_000)["spec"]["containers"], **asking(cpu="1")["spec"]}}
        ),
    ),
    (
        "10,000 sidecars and init containers of all kinds",
        None,
        lambda target: target.review(starting(10_000)),
    ),
    ("100,000 labels", None, metadata(labels={f"l{number}": "x" for number in range(100_000)})),
    (
        "100,000 annotations over the stamp's",
        "OWNER_FORGED",
        metadata(annotations={**{f"l{n}": "x" for n in range(100_000)}, "labquota.dev/owner": "user:bob"}),
    ),
    (
        "50,000 invented resources",
        None,
        lambda target: target.review(asking(**{f"example.com/r{n}": "1" for n in range(50_000)})),
    ),
    (
        "50,000 invented GPUs",
        "UNKNOWN_GPU",
        lambda target: target.review(asking(**{f"nvidia.com/r{n}": "1" for n in range(50_000)})),
    ),
    (
        "50,000 quantities that nobody can read",
        UNREADABLE,
        lambda target: target.review(asking(**{f"example.com/r{n}": f"x{n}" for n in range(50_000)})),
    ),
    (
        "50,000 quantities of 40 digits",
        None,
        lambda target: target.review(
            spec(50_000, resources={"requests": {"example.com/a": "0." + "0" * 40 + "1"}})
        ),
    ),
    ("a quantity of a megabyte", "AGGREGATE_CPU", lambda target: target.review(asking(cpu="9" * 1_000_000))),
    ("1e999999999", "AGGREGATE_CPU", lambda target: target.review(asking(cpu="1e999999999"))),
    (
        "an exponent of a megabyte",
        UNREADABLE,
        lambda target: target.review(asking(cpu="1e" + "9" * 1_000_000)),
    ),
    (
        "100,000 groups",
        None,
        lambda target: target.review(
            userInfo={"username": target.user.name, "groups": [f"g{n}" for n in range(100_000)]}
        ),
    ),
    (
        "a user name of 10,000 characters",
        "OWNER_FORGED",
        lambda target: target.review(userInfo={"username": "x" * 10_000}),
    ),
    (
        "nesting of 10,000",
        UNREADABLE,
        edited(b'"metadata": {', b'"metadata": {"x": ' + b"[" * 10_000 + b"]" * 10_000 + b", "),
    ),
    (
        "nesting of a million",
        UNREADABLE,
        edited(
            b'"metadata": {', b'"metadata": {"x": ' + b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000 + b", "
        ),
    ),
    (
        "an array of a million",
        None,
        edited(b'"metadata": {', b'"metadata": {"x": [' + b"[]," * 1_000_000 + b"1], "),
    ),
    ("white space of 7 MB", None, lambda target: target.review() + b" \n" * 3_500_000),
    (
        "keys of a hundred thousand twice",
        None,
        edited(b'"metadata": {', b'"metadata": {' + b'"name": "x", ' * 100_000),
    ),
]


@pytest.mark.parametrize(("refused", "build"), [row[1:] for row in BOMBS], ids=[row[0] for row in BOMBS])
async def test_a_bomb_is_judged_or_refused_and_holds_nobody_up(
    target: Target, refused: str | None, build: Callable[[Target], bytes]
) -> None:
    body = build(target)
    async with target.others():
        answers = await asyncio.gather(*(target.ask(body) for _ in range(4)))
    for answer in answers:
        assert f'"uid": "{answer.response["uid"]}", "kind"'.encode() in body[:1_000]
        if refused is None:
            assert answer.response["allowed"] is True, answer.message
        else:
            assert answer.message.startswith(refused)
            assert len(answer.body) < 40_000


async def test_every_kept_review_is_answered_by_the_process(target: Target) -> None:
    async with target.others():
        for name, body in cases.REVIEWS.items():
            answer = await target.ask(body)
            assert answer.response["allowed"] in {True, False}, name


async def test_many_large_pods_at_once_fit_into_the_process_and_are_all_answered(target: Target) -> None:
    """As many as an API server has calls of one user in its hands, each as large as it takes them."""
    body = padded(3_000_000)(target)
    async with target.others():
        answers = await asyncio.gather(*(target.ask(body) for _ in range(64)))
    assert [answer.response["allowed"] for answer in answers].count(True) >= 32, (
        "the others may be refused, in time"
    )


async def test_a_body_that_does_not_come_as_a_whole_is_refused_with_its_uid(target: Target) -> None:
    body = target.review()
    uid = json.loads(body)["request"]["uid"]
    async with target.line() as stalled, target.line() as ended, target.others():
        for line in (stalled, ended):
            await line.send(head(len(body) + 1, path="/validate?timeout=2s"), body)
        if ended.writer.can_write_eof():
            ended.writer.write_eof()
        for line in (stalled, ended):
            answer = await line.answer(seconds=2)
            assert (answer.response["uid"], answer.message) == (
                uid,
                "INVALID_REQUEST: the AdmissionReview did not arrive as a whole",
            )


async def test_bodies_that_are_never_finished_do_not_fill_the_memory(target: Target) -> None:
    """Connections with seven megabytes each, of which the last byte does not come."""
    async with target.others(), AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(target.line()) for _ in range(HOARDERS)]
        await asyncio.gather(*(_all_but_the_end(line, 7_100_000) for line in lines))
        await asyncio.sleep(1)


async def _all_but_the_end(line: Line, size: int) -> None:
    """Send a body without its last byte, for as long as the server takes it."""
    with contextlib.suppress(OSError):
        await line.send(head(size + 1), *[b" " * 100_000] * (size // 100_000))


async def test_chunks_of_any_size_are_one_body(target: Target) -> None:
    body = target.review()
    uid = json.loads(body)["request"]["uid"]
    for size in (1, 7, 1_000, len(body)):
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        async with target.line() as line:
            await line.send(head(None, "Transfer-Encoding: chunked"))
            await line.send(
                b"".join(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
            )
            assert (await line.answer()).response == {"uid": uid, "allowed": True}
            again = target.review()
            await line.send(head(len(again)), again)
            assert (await line.answer()).response["allowed"] is True


async def test_wrong_lengths_and_chunks_are_never_let_through(target: Target) -> None:
    body = target.review()
    heads = [
        head(None, "Content-Length: -1"),
        head(None, "Content-Length: x"),
        head(None, f"Content-Length: {'9' * 400}"),
        head(None, f"Content-Length: {len(body)}", f"Content-Length: {len(body) + 5}"),
        head(None, "Transfer-Encoding: chunked, identity"),
        head(None, "Transfer-Encoding: chunked") + b"x\r\n",
        head(None, "Transfer-Encoding: chunked") + b"-5\r\n",
        head(None, "Transfer-Encoding: chunked") + b"f" * 400 + b"\r\n",
        head(None, "Transfer-Encoding: chunked") + b"5;" + b"x" * 100_000,
        head(None, "Transfer-Encoding: chunked", f"Content-Length: {len(body)}"),
        head(None),
        head(0),
        head(10),
    ]
    async with target.others():
        for wrong in heads:
            async with target.line() as line:
                await line.send(wrong.replace(b"timeout=10s", b"timeout=2s"), body)
                answer = await line.answer_or_end()
                if answer is not None:
                    assert answer.status == 400 or answer.message.startswith("INVALID_REQUEST: "), wrong


async def test_through_an_api_server_nothing_of_this_opens_the_gate(target: Target) -> None:
    """Pods are made while the process is being bombed, and each is judged."""
    where = target.namespace
    with nothing_unchecked(target.world.plane, target.installed):
        async with target.world.client(target.user) as client:
            bombs = [asyncio.create_task(target.ask(row[2](target))) for row in BOMBS]
            for number in range(5):
                answer = await client.create_pod(storming.pod(f"p{number}", where))
                assert answer.status == 201, answer.message
            over = await client.create_pod(storming.pod("over", where, gpu=5))
            assert (over.status, over.causes[0]["reason"]) == (403, "AGGREGATE_GPU_QUOTA_EXCEEDED")
            await asyncio.gather(*bombs)
