import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from labquota.clock import SystemClock
from labquota.kube.feed import Kind
from labquota.kube.informer import Informer
from unit.fake_api import (
    FakeApi,
    bookmark,
    error,
    event,
    hang_up,
    page,
    refuse,
    serving,
    stream,
    thing,
)

Thing = dict[str, Any]


class Recorder:
    """A sink that keeps what it is told, and compares whole sets as a real one does."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.things: dict[str, Thing] = {}
        self.moved = asyncio.Event()

    def replaced(self, items: list[Thing], resource_version: str) -> None:
        self.things = {item["metadata"]["name"]: item for item in items}
        self._tell("replaced", " ".join(self.things), resource_version)

    def changed(self, kind: Kind, item: Thing, resource_version: str) -> None:
        name = item["metadata"]["name"]
        if kind == "DELETED":
            self.things.pop(name, None)
        else:
            self.things[name] = item
        self._tell(kind, name, resource_version)

    def progressed(self, resource_version: str) -> None:
        self._tell("progressed", resource_version)

    def _tell(self, *words: str) -> None:
        self.told.append(words)
        self.moved.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not reached():
                self.moved.clear()
                await self.moved.wait()

    async def version(self, wanted: int) -> None:
        await self.until(lambda: bool(self.told) and self.told[-1][-1] == str(wanted))


@asynccontextmanager
async def informing(fake: FakeApi, **options: Any) -> AsyncIterator[tuple[Informer[Thing], Recorder]]:
    sink = Recorder()
    options = {"watch_list": False, "page": 2, "decode": msgspec.json.decode, **options}
    informer = Informer(fake.api, "/things", sink=sink, clock=SystemClock(), rng=random.Random(1), **options)
    task = asyncio.create_task(informer.run())
    try:
        yield informer, sink
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_list_comes_in_pages_and_the_watch_goes_on_from_its_version() -> None:
    async with serving() as fake:
        fake.script(page([thing("a", 1), thing("b", 2)], 9, "more"), page([thing("c", 3)], 9))
        fake.script(stream(event("DELETED", thing("a", 10)), then="hang"))
        async with informing(fake) as (informer, sink):
            await sink.version(10)

            assert sink.told == [("replaced", "a b c", "9"), ("DELETED", "a", "10")]
            assert informer.synced.is_set()
            assert informer.view == "10"
    assert fake.queries()[:2] == [{"limit": "2"}, {"limit": "2", "continue": "more"}]
    watch = fake.queries()[2]
    assert 300 <= int(watch.pop("timeoutSeconds")) <= 600
    assert watch == {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": "9"}


async def test_an_empty_list_written_as_null_is_an_empty_set() -> None:
    async with serving() as fake:
        fake.script(page(None, 9))  # type: ignore[arg-type]  # the API server's own null
        async with informing(fake) as (_, sink):
            await sink.version(9)
    assert sink.told == [("replaced", "", "9")]


async def test_the_first_set_comes_from_the_watch_where_the_server_can() -> None:
    async with serving() as fake:
        fake.script(
            stream(
                event("ADDED", thing("a", 5))
                + event("ADDED", thing("b", 2))
                + event("MODIFIED", thing("a", 8)),
                event("ADDED", thing("c", 7)) + event("DELETED", thing("b", 9)),
                bookmark(10, initial_end=True) + event("ADDED", thing("d", 11)),
                then="hang",
            )
        )
        async with informing(fake, watch_list=True) as (_, sink):
            await sink.version(11)

    assert sink.told == [("replaced", "a c", "10"), ("ADDED", "d", "11")]
    assert sink.things["a"]["metadata"]["resourceVersion"] == "8"
    sent = fake.queries()[0]
    assert sent["sendInitialEvents"] == "true"
    assert sent["resourceVersionMatch"] == "NotOlderThan"
    assert "resourceVersion" not in sent


async def test_a_first_set_that_breaks_off_is_not_taken() -> None:
    async with serving() as fake:
        fake.script(stream(event("ADDED", thing("a", 5)), then="drop", pause=0.02))
        fake.script(stream(event("ADDED", thing("b", 6)) + bookmark(7, initial_end=True), then="hang"))
        async with informing(fake, watch_list=True) as (_, sink):
            await sink.version(7)
    assert sink.told == [("replaced", "b", "7")]


async def test_a_server_without_watch_list_is_listed_in_pages_from_then_on() -> None:
    async with serving() as fake:
        fake.script(refuse(422, "Invalid", "sendInitialEvents is forbidden for watch"))
        fake.script(page([thing("a", 1)], 5), stream(error(410, "Expired", "too old")), page([], 8))
        async with informing(fake, watch_list=True) as (_, sink):
            await sink.version(8)
    assert sink.told == [("replaced", "a", "5"), ("replaced", "", "8")]
    assert ["sendInitialEvents" in query for query in fake.queries()[:4]] == [True, False, False, False]


async def test_an_expired_continue_token_begins_the_list_again_and_the_servers_own_is_not_taken() -> None:
    async with serving() as fake:
        fake.script(page([thing("a", 1)], 9, "more"))
        fake.script(refuse(410, "Expired", "the provided continue parameter is too old"))
        fake.script(page([thing("b", 2)], 20, "again"), page([thing("c", 3)], 20))
        async with informing(fake) as (_, sink):
            await sink.version(20)
    assert sink.told == [("replaced", "b c", "20")]
    assert [query.get("continue") for query in fake.queries()[:4]] == [None, "more", None, "again"]


async def test_pages_of_two_versions_are_not_one_list() -> None:
    async with serving() as fake:
        fake.script(page([thing("a", 1)], 9, "more"), page([thing("b", 2)], 12), page([thing("b", 2)], 13))
        async with informing(fake) as (_, sink):
            await sink.version(13)
    assert sink.told == [("replaced", "b", "13")]


async def test_a_page_that_fails_in_passing_is_asked_for_again() -> None:
    async with serving() as fake:
        fake.script(
            page([thing("a", 1)], 9, "more"), refuse(503, "ServiceUnavailable", "starting"), hang_up()
        )
        fake.script(page([thing("b", 2)], 9))
        async with informing(fake) as (_, sink):
            await sink.version(9)
    assert sink.told == [("replaced", "a b", "9")]


async def test_a_slow_page_delays_the_list_and_nothing_else() -> None:
    async def slowly(request: Any) -> Any:
        await asyncio.sleep(0.3)
        return await page([thing("b", 2)], 9)(request)

    async with serving() as fake:
        fake.script(page([thing("a", 1)], 9, "more"), slowly)
        async with informing(fake) as (informer, sink):
            await fake.until(2)
            assert not informer.synced.is_set()
            await sink.version(9)
    assert sink.told == [("replaced", "a b", "9")]


async def test_a_dropped_watch_goes_on_from_the_last_version_without_a_list() -> None:
    async with serving() as fake:
        fake.script(page([], 9))
        torn = event("ADDED", thing("b", 12))
        fake.script(stream(event("ADDED", thing("a", 10)), bookmark(11), torn[:20], then="drop", pause=0.02))
        fake.script(stream(torn, then="hang"))
        async with informing(fake) as (informer, sink):
            await sink.version(12)
            assert informer.relists == 1
    assert sink.told == [
        ("replaced", "", "9"),
        ("ADDED", "a", "10"),
        ("progressed", "11"),
        ("ADDED", "b", "12"),
    ]
    assert fake.queries()[2]["resourceVersion"] == "11"


@pytest.mark.parametrize(
    "gone",
    [
        refuse(410, "Expired", "too old resource version: 10 (500)"),
        refuse(410, "Gone", "gone"),
        stream(error(410, "Expired", "too old resource version: 10 (500)")),
    ],
    ids=["as status Expired", "as status Gone", "in the stream"],
)
async def test_lost_history_brings_the_whole_set_and_shows_deletions_missed_in_the_gap(gone: Any) -> None:
    async with serving() as fake:
        fake.script(page([thing("a", 1), thing("b", 2)], 9), stream(event("ADDED", thing("c", 10))), gone)
        fake.script(page([thing("b", 2), thing("d", 400)], 500), stream(then="hang"))
        async with informing(fake) as (informer, sink):
            await sink.version(500)
            assert informer.relists == 2
    assert sink.told[-1] == ("replaced", "b d", "500")
    assert set(sink.things) == {"b", "d"}


async def test_lost_history_with_watch_list_brings_the_whole_set_by_watch() -> None:
    async with serving() as fake:
        fake.script(stream(event("ADDED", thing("a", 1)) + bookmark(9, initial_end=True)))
        fake.script(refuse(410, "Expired", "too old"), stream(bookmark(20, initial_end=True), then="hang"))
        async with informing(fake, watch_list=True) as (_, sink):
            await sink.version(20)
    assert sink.told == [("replaced", "a", "9"), ("replaced", "", "20")]
    assert [query.get("resourceVersion") for query in fake.queries()[:3]] == [None, "9", None]


async def test_a_server_fault_in_the_stream_is_no_reason_to_list() -> None:
    async with serving() as fake:
        fake.script(page([], 9), stream(error(500, "InternalError", "etcd is away")))
        fake.script(refuse(429, "TooManyRequests", "busy"), stream(bookmark(12), then="hang"))
        async with informing(fake) as (informer, sink):
            await sink.version(12)
            assert informer.relists == 1


async def test_a_refusal_that_is_no_passing_one_lists_anew() -> None:
    async with serving() as fake:
        fake.script(page([thing("a", 1)], 9), refuse(404, "NotFound", "the kind was deleted"), page([], 30))
        async with informing(fake) as (_, sink):
            await sink.version(30)
    assert sink.told == [("replaced", "a", "9"), ("replaced", "", "30")]


async def test_history_that_goes_back_is_listed_anew() -> None:
    async with serving() as fake:
        fake.script(page([thing("a", 400)], 500), stream(event("MODIFIED", thing("a", 20)), then="hang"))
        fake.script(page([thing("a", 20)], 21), stream(then="hang"))
        async with informing(fake) as (informer, sink):
            await sink.version(21)
            assert informer.view == "21"
    assert sink.told == [("replaced", "a", "500"), ("replaced", "a", "21")]


async def test_bookmarks_alone_move_the_view_and_never_back() -> None:
    async with serving() as fake:
        fake.script(page([], 9), stream(bookmark(11), bookmark(10), bookmark(12), pause=0.01, then="hang"))
        async with informing(fake) as (informer, sink):
            await sink.version(12)
            assert informer.view == "12"
    assert sink.told == [("replaced", "", "9"), ("progressed", "11"), ("progressed", "12")]


async def test_a_stream_that_ends_at_once_is_asked_for_more_and_more_rarely() -> None:
    async with serving() as fake:
        fake.script(page([], 9), *[stream()] * 1000)
        async with informing(fake):
            await asyncio.sleep(1.5)
    # At the shortest jitter the waits are 50, 100, 200, 400 and 800 ms.
    assert 3 <= len(fake.requests) - 1 <= 5


async def test_relists_that_lead_nowhere_come_more_and_more_rarely() -> None:
    async with serving() as fake:
        fake.script(*[page([], 9), refuse(410, "Expired", "too old")] * 1000)
        async with informing(fake) as (informer, _):
            await asyncio.sleep(1.5)
            assert 3 <= informer.relists <= 6


async def test_a_retry_comes_no_sooner_than_the_server_asks() -> None:
    async with serving() as fake:
        fake.script(
            page([], 9),
            refuse(429, "TooManyRequests", "busy", retry_after=1),
            stream(bookmark(10), then="hang"),
        )
        async with informing(fake) as (_, sink):
            await fake.until(2)
            refused_at = time.monotonic()
            await sink.version(10)
    assert time.monotonic() - refused_at >= 0.9


async def test_a_silent_connection_is_given_up_and_the_second_in_a_row_lists_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as fake:
        fake.script(page([thing("a", 1)], 9), stream(then="hang"), stream(then="hang"), page([], 30))
        async with informing(fake, silence=0.2) as (_, sink):
            await sink.version(30)
    assert [query.get("resourceVersion") for query in fake.queries()[:4]] == [None, "9", "9", None]
    assert "the watch of /things ended, going on in 0.1 s: silent for 0.2 s" in caplog.messages


async def test_two_silences_with_a_sign_of_life_between_are_no_reason_to_list() -> None:
    async with serving() as fake:
        fake.script(
            page([], 9),
            stream(then="hang"),
            stream(bookmark(10), then="hang"),
            stream(bookmark(11), then="hang"),
        )
        async with informing(fake, silence=0.2) as (informer, sink):
            await sink.version(11)
            assert informer.relists == 1


async def test_bookmarks_keep_a_quiet_watch_alive() -> None:
    async with serving() as fake:
        fake.script(page([], 9), stream(*[bookmark(10 + n) for n in range(8)], pause=0.1, then="hang"))
        async with informing(fake, silence=0.3) as (informer, sink):
            await sink.version(17)
            assert len(fake.requests) == 2
            assert time.monotonic() - informer.alive_at < 0.2


async def test_one_object_that_cannot_be_decoded_is_logged_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def decode(raw: msgspec.Raw) -> Thing:
        found: Thing = msgspec.json.decode(raw)
        if found.get("strange"):
            raise ValueError("a strange object")
        return found

    def decode_failures() -> float:
        name = "labquota_watch_decode_failures_total"
        return REGISTRY.get_sample_value(name, {"path": "/things"}) or 0

    before = decode_failures()
    async with serving() as fake:
        fake.script(page([thing("a", 1), thing("b", 2, strange=True)], 9))
        fake.script(
            stream(event("ADDED", thing("c", 10, strange=True)) + event("ADDED", thing("d", 11)), then="hang")
        )
        async with informing(fake, decode=decode) as (informer, sink):
            await sink.version(11)
            assert decode_failures() == before + 2
            assert informer.view == "11"
    assert sink.told == [("replaced", "a", "9"), ("progressed", "10"), ("ADDED", "d", "11")]
    failures = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (
        failures[0].getMessage()
        == "cannot decode an object of /things, going on without it: a strange object"
    )
    assert [vars(record)["object"] for record in failures] == ["lab/b", "lab/c"]


@pytest.mark.parametrize(
    "line", [b"not json\n", b'{"type":"ADDED"}\n', b'{"type":"ADDED","object":{"metadata":7}}\n']
)
async def test_a_line_that_is_no_event_ends_the_stream_but_not_the_view(line: bytes) -> None:
    async with serving() as fake:
        fake.script(page([], 9), stream(line, then="hang"), stream(bookmark(12), then="hang"))
        async with informing(fake) as (_, sink):
            await sink.version(12)
    assert sink.told == [("replaced", "", "9"), ("progressed", "12")]


async def test_an_event_written_in_another_form_is_the_same_event() -> None:
    spaced = json.dumps({"object": thing("a", 10), "type": "ADDED"}).encode() + b"\n"
    async with serving() as fake:
        fake.script(page([], 9), stream(spaced, then="hang"))
        async with informing(fake) as (_, sink):
            await sink.version(10)
    assert sink.things == {"a": thing("a", 10)}


async def test_a_large_list_and_a_burst_of_events_leave_the_loop_its_turns() -> None:
    many = [thing(f"t{n}", n + 1, data="x" * 3000) for n in range(1000)]
    burst = b"".join(event("MODIFIED", thing(f"t{n}", 2000 + n, data="y" * 3000)) for n in range(1000))

    async with serving() as fake:
        fake.script(*[page(many[n : n + 250], 1000, str(n) if n < 750 else "") for n in range(0, 1000, 250)])
        fake.script(stream(burst, then="hang"))
        held: list[int] = []
        turns = 0

        def decode(raw: msgspec.Raw) -> Thing:
            held.append(turns)
            found: Thing = msgspec.json.decode(raw)
            return found

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(others())
        async with informing(fake, page=250, decode=decode) as (_, sink):
            await sink.version(2999)
        other.cancel()
    assert len(held) == 2000
    assert max(held.count(turn) for turn in set(held)) <= 64


async def test_asked_to_hurry_it_watches_anew_for_seconds_and_asked_again_it_keeps_that_stream() -> None:
    async with serving() as fake:
        fake.script(page([], 9), stream(bookmark(10), then="hang"), stream(bookmark(15), then="hang"))
        async with informing(fake) as (informer, sink):
            await sink.version(10)
            informer.hurry()
            await sink.version(15)
            informer.hurry()
            await asyncio.sleep(0.1)
            assert informer.relists == 1
    assert [query.get("timeoutSeconds") for query in fake.queries()[2:]] == ["4"]
    assert fake.queries()[2]["resourceVersion"] == "10"


async def test_a_hurry_asked_for_during_the_first_set_does_not_keep_a_later_one_from_being_heard() -> None:
    async with serving() as fake:
        fake.script(stream(bookmark(9, initial_end=True), then="hang"), stream(bookmark(15), then="hang"))
        async with informing(fake, watch_list=True) as (informer, sink):
            informer.hurry()
            await sink.version(9)
            informer.hurry()
            await sink.version(15)
    assert [query.get("timeoutSeconds") for query in fake.queries()[1:2]] == ["4"]


async def test_asked_to_relist_it_takes_the_whole_set_anew() -> None:
    async with serving() as fake:
        fake.script(
            page([thing("a", 1)], 9), stream(bookmark(10), then="hang"), page([], 11), stream(then="hang")
        )
        async with informing(fake) as (informer, sink):
            await sink.version(10)
            informer.relist()
            await sink.version(11)
            await fake.until(4)
    assert sink.told == [("replaced", "a", "9"), ("progressed", "10"), ("replaced", "", "11")]


async def test_a_relist_asked_for_during_a_list_is_not_forgotten() -> None:
    async def asked_meanwhile(request: Any) -> Any:
        informer.relist()
        return await page([], 9)(request)

    async with serving() as fake:
        fake.script(asked_meanwhile, page([], 20))
        async with informing(fake) as (informer, sink):
            await sink.version(20)
    assert sink.told == [("replaced", "", "9"), ("replaced", "", "20")]


async def test_cancelling_stops_it_and_closes_its_connection() -> None:
    async with serving() as fake:
        fake.script(page([], 9), stream(bookmark(10), then="hang"))
        async with informing(fake) as (_, sink):
            await sink.version(10)
        await asyncio.sleep(0.05)
        assert fake.requests[1].transport is None


async def test_selectors_go_with_every_request() -> None:
    async with serving() as fake:
        fake.script(page([], 9), stream(then="hang"))
        async with informing(fake, params={"labelSelector": "a=b"}):
            await fake.until(2)
    assert [query["labelSelector"] for query in fake.queries()] == ["a=b", "a=b"]
