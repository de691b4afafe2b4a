import asyncio
import json
from contextlib import aclosing
from itertools import pairwise

import pytest

from labquota.kube import errors
from labquota.kube.client import HttpApi
from labquota.kube.credentials import Credentials
from unit.fake_api import bookmark, event, hang_up, refuse, reply, serving, stream, thing


async def test_a_call_asks_for_plain_json_and_names_us() -> None:
    async with serving() as fake:
        fake.script(reply({"a": 1}))
        body = await fake.api.get("/api/v1/pods", {"labelSelector": "a in (b, c)", "limit": "5"})

    sent = fake.requests[0]
    assert json.loads(body) == {"a": 1}
    assert sent.path_qs == "/api/v1/pods?labelSelector=a+in+%28b%2C+c%29&limit=5"
    assert sent.query["labelSelector"] == "a in (b, c)"
    assert sent.headers["Accept"] == "application/json"
    assert sent.headers["Accept-Encoding"] == "identity"
    assert sent.headers["User-Agent"].startswith("labquota/")


async def test_each_verb_sends_its_method_body_and_content_type() -> None:
    async with serving() as fake:
        fake.script(*[reply({})] * 5)
        await fake.api.create("/x", b"{1}", {"fieldManager": "labquota"})
        await fake.api.replace("/x/y", b"{2}")
        await fake.api.patch("/x/y", b"{3}")
        await fake.api.patch("/x/y", b"{4}", "application/apply-patch+yaml", {"force": "true"})
        await fake.api.delete("/x/y", b"{5}")

    assert [request.method for request in fake.requests] == ["POST", "PUT", "PATCH", "PATCH", "DELETE"]
    assert fake.bodies == [b"{1}", b"{2}", b"{3}", b"{4}", b"{5}"]
    assert [request.headers["Content-Type"] for request in fake.requests] == [
        "application/json",
        "application/json",
        "application/merge-patch+json",
        "application/apply-patch+yaml",
        "application/json",
    ]


async def test_calls_one_after_the_other_share_a_connection() -> None:
    async with serving() as fake:
        fake.script(*[reply({})] * 5)
        for _ in range(5):
            await fake.api.get("/x")

    assert all(a.transport is b.transport for a, b in pairwise(fake.requests))


async def test_a_refusal_has_the_api_servers_reason_message_and_time_to_wait() -> None:
    async with serving() as fake:
        fake.script(
            refuse(429, "TooManyRequests", "slow down", retry_after=2), refuse(409, "Conflict", "changed")
        )

        with pytest.raises(errors.ApiError, match=r"^slow down \(429 TooManyRequests\)$") as caught:
            await fake.api.get("/x")
        assert caught.value.retry_after == 2
        with pytest.raises(errors.Conflict, match=r"^changed \(409 Conflict\)$"):
            await fake.api.replace("/x", b"{}")


async def test_a_refused_connection_is_unreachable() -> None:
    async with HttpApi(Credentials("http://127.0.0.1:1")) as api:
        with pytest.raises(
            errors.Unreachable, match=r"^no answer from the API server to GET /x: .*127\.0\.0\.1"
        ):
            await api.get("/x")


async def test_a_connection_that_closes_without_an_answer_is_unreachable() -> None:
    async with serving() as fake:
        fake.script(hang_up())
        with pytest.raises(errors.Unreachable, match="no answer from the API server to POST /x: "):
            await fake.api.create("/x", b"{}")


async def test_an_answer_that_takes_too_long_is_unreachable() -> None:
    async with serving(timeout=0.2) as fake:
        fake.script(stream(b"{", then="hang"), stream(b"{", then="hang"))
        with pytest.raises(errors.Unreachable, match="to GET /x: timed out"):
            await fake.api.get("/x")
        with pytest.raises(errors.Unreachable, match="to GET /y: timed out"):
            await fake.api.get("/y", timeout=0.1)


async def test_a_closed_client_opens_nothing_again() -> None:
    async with serving() as fake:
        pass

    with pytest.raises(errors.Unreachable, match="the client is closed"):
        await fake.api.get("/x")


async def test_a_watch_yields_whole_lines_however_they_arrive() -> None:
    one, two, three = event("ADDED", thing("a", 1)), event("ADDED", thing("b", 2)), bookmark(3)
    whole = one + two + three
    async with serving() as fake:
        fake.script(stream(whole[:10], whole[10 : len(one) + 1], whole[len(one) + 1 :], pause=0.02))
        lines = [line async for line in fake.api.watch("/x", {"resourceVersion": "0"})]

    assert lines == [one.strip(), two.strip(), three.strip()]
    assert fake.queries() == [{"resourceVersion": "0", "watch": "1"}]


async def test_a_watch_yields_an_object_of_two_megabytes() -> None:
    line = event("ADDED", thing("big", 1, data="x" * (2 << 20)))
    async with serving() as fake:
        fake.script(stream(line))
        lines = [line async for line in fake.api.watch("/x", {})]

    assert lines == [line.strip()]


async def test_a_line_cut_off_in_the_middle_is_never_yielded() -> None:
    lines = []
    async with serving() as fake:
        fake.script(
            stream(bookmark(1), bookmark(2)[:15], then="drop", pause=0.02), stream(bookmark(1), b'{"type"')
        )
        with pytest.raises(errors.Unreachable, match="to GET /x: "):
            lines += [line async for line in fake.api.watch("/x", {})]
        lines = [line async for line in fake.api.watch("/x", {})]

    assert lines == [bookmark(1).strip()]


async def test_a_refused_watch_raises_the_refusal() -> None:
    async with serving() as fake:
        fake.script(refuse(410, "Expired", "too old resource version: 1 (9)"))
        with pytest.raises(errors.Expired, match="too old resource version"):
            await anext(fake.api.watch("/x", {}))


async def test_leaving_a_watch_closes_its_connection() -> None:
    async with serving() as fake:
        fake.script(stream(bookmark(1), then="hang"))
        async with aclosing(fake.api.watch("/x", {})) as lines:
            await anext(lines)
            assert fake.open_streams == 1
        await asyncio.sleep(0.05)
        assert fake.requests[0].transport is None
