import asyncio
import datetime as dt
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from labquota.clock import SystemClock
from labquota.kube.client import HttpApi
from labquota.kube.credentials import Credentials
from labquota.kube.errors import Lost
from labquota.kube.lease import Lease
from labquota.kube.record import Times
from unit.fake_api import status

QUICK = Times(duration=1, renew_deadline=0.6, poll=0.05)


class Store:
    """One Lease behind HTTP, compared and swapped as the API server does."""

    def __init__(self) -> None:
        self.record: dict[str, Any] | None = None
        self.version = 100
        self.down = False
        self.lose_answers = 0
        self.delay = 0.0
        self.clients: list[HttpApi] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.delay)
        if self.down:
            return web.json_response(status(503, "ServiceUnavailable", "down"), status=503)
        answer = getattr(self, request.method.lower())(await request.read())
        if request.method != "GET" and self.lose_answers:
            self.lose_answers -= 1
            return web.json_response(status(504, "Timeout", "etcd took too long"), status=504)
        code, body = answer
        return web.json_response(body, status=code)

    def get(self, _: bytes) -> tuple[int, Any]:
        return (404, status(404, "NotFound", "no lease")) if self.record is None else (200, self.record)

    def post(self, body: bytes) -> tuple[int, Any]:
        if self.record is not None:
            return 409, status(409, "AlreadyExists", "there is one")
        return 201, self.store(json.loads(body))

    def put(self, body: bytes) -> tuple[int, Any]:
        sent = json.loads(body)
        if self.record is None:
            return 404, status(404, "NotFound", "no lease")
        if sent["metadata"]["resourceVersion"] != self.record["metadata"]["resourceVersion"]:
            return 409, status(409, "Conflict", "changed")
        return 200, self.store(sent)

    def store(self, record: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        record["metadata"]["resourceVersion"] = str(self.version)
        record["metadata"].pop("managedFields", None)
        self.record = record
        return record

    @property
    def spec(self) -> dict[str, Any]:
        assert self.record is not None
        found: dict[str, Any] = self.record["spec"]
        return found

    def candidate(self, name: str, clock: SystemClock | None = None, times: Times = QUICK) -> Lease:
        api = HttpApi(Credentials(self.url))
        self.clients.append(api)
        rng = random.Random(f"{name}{len(self.clients)}")
        return Lease(
            api, "labquota", "operator", identity=name, clock=clock or SystemClock(), rng=rng, times=times
        )


@asynccontextmanager
async def storing() -> AsyncIterator[Store]:
    store = Store()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", store.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    store.url = f"http://{host}:{port}"
    try:
        yield store
    finally:
        for client in store.clients:
            await client.close()
        await runner.cleanup()


class FrozenWall(SystemClock):
    """A machine whose wall clock stands still, years off."""

    def now(self) -> dt.datetime:
        return dt.datetime(1999, 1, 1, tzinfo=dt.UTC)


async def test_the_first_candidate_makes_the_lease_and_holds_epoch_one() -> None:
    async with storing() as store:
        lease = store.candidate("op-a")
        assert not lease.held()

        assert await lease.acquire(annotations={"labquota.dev/view": "7"}) == 1

        assert lease.held()
        assert lease.resource_version == "101"
        assert store.spec["holderIdentity"] == lease.identity
        assert lease.identity.startswith("op-a_")
        assert store.spec["leaseTransitions"] == 1
        assert store.spec["leaseDurationSeconds"] == 1
        assert store.record is not None
        assert store.record["metadata"]["annotations"] == {"labquota.dev/view": "7"}


async def test_of_many_candidates_at_once_one_holds() -> None:
    async with storing() as store:
        candidates = [store.candidate("op") for _ in range(8)]
        tasks = [asyncio.create_task(each.acquire()) for each in candidates]
        await asyncio.sleep(0.3)

        assert [each.held() for each in candidates].count(True) == 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_renewed_lease_is_not_taken_and_a_standing_one_is_after_its_duration() -> None:
    async with storing() as store:
        first, second = store.candidate("op-a"), store.candidate("op-b")
        await first.acquire()
        waiting = asyncio.create_task(second.acquire())
        for _ in range(8):
            await asyncio.sleep(0.2)
            await first.renew()
        assert not waiting.done()

        stopped = time.monotonic()
        assert await waiting == 2

        assert 0.9 < time.monotonic() - stopped < 1.5
        assert second.held()
        assert not first.held()


async def test_a_wall_clock_that_stands_still_takes_nothing_from_the_holder() -> None:
    async with storing() as store:
        first, second = store.candidate("op-a", FrozenWall()), store.candidate("op-b")
        await first.acquire()
        waiting = asyncio.create_task(second.acquire())
        for _ in range(8):
            await asyncio.sleep(0.2)
            await first.renew()
        assert not waiting.done()
        waiting.cancel()


async def test_somebody_elses_annotation_does_not_keep_a_dead_holder_alive() -> None:
    async with storing() as store:
        first, second = store.candidate("op-a"), store.candidate("op-b")
        await first.acquire()
        waiting = asyncio.create_task(second.acquire())
        began = time.monotonic()
        while not waiting.done() and time.monotonic() - began < 2:
            assert store.record is not None
            store.store(
                {**store.record, "metadata": {**store.record["metadata"], "annotations": {"a": str(began)}}}
            )
            await asyncio.sleep(0.2)
        assert await waiting == 2


async def test_a_released_lease_is_taken_at_once_and_keeps_its_annotations() -> None:
    async with storing() as store:
        first, second = store.candidate("op-a"), store.candidate("op-b")
        await first.acquire()
        await first.renew({"labquota.dev/view": "55"})
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(0.2)
        released = time.monotonic()
        await first.release()

        assert await waiting == 2

        assert time.monotonic() - released < 0.3
        assert second.annotations == {"labquota.dev/view": "55"}
        assert not first.held()


async def test_every_acquisition_raises_the_epoch_by_the_same_process_too() -> None:
    async with storing() as store:
        lease = store.candidate("op-a")
        epochs = [await lease.acquire(), await lease.acquire()]
        await lease.release()
        epochs.append(await lease.acquire())
    assert epochs == [1, 2, 3]


async def test_the_epoch_is_at_least_what_is_asked_for() -> None:
    async with storing() as store:
        lease = store.candidate("op-a")
        assert await lease.acquire(minimum_epoch=lambda: 41) == 41
        store.record = None
        assert await lease.acquire(minimum_epoch=lambda: 42) == 42
        assert await lease.acquire(minimum_epoch=lambda: 7) == 43


async def test_a_renewal_sets_annotations_beside_those_of_others_and_returns_the_new_version() -> None:
    async with storing() as store:
        lease = store.candidate("op-a")
        await lease.acquire()
        assert store.record is not None
        store.store(
            {**store.record, "metadata": {**store.record["metadata"], "annotations": {"team": "lab"}}}
        )

        version = await lease.renew({"labquota.dev/view": "9"})

        assert version == lease.resource_version == str(store.version)
        assert store.record["metadata"]["annotations"] == {"team": "lab", "labquota.dev/view": "9"}
        assert store.spec["acquireTime"] < store.spec["renewTime"]


async def test_a_renewal_whose_answer_was_lost_is_a_renewal() -> None:
    async with storing() as store:
        lease = store.candidate("op-a")
        await lease.acquire()
        store.lose_answers = 1

        await lease.renew({"labquota.dev/view": "9"})

        assert lease.held()
        assert store.spec["leaseTransitions"] == 1


async def test_a_holder_whose_lease_was_taken_learns_by_whom() -> None:
    async with storing() as store:
        first = store.candidate("op-a")
        await first.acquire()
        assert store.record is not None
        store.store(
            {**store.record, "spec": {**store.spec, "holderIdentity": "op-b_1", "leaseTransitions": 2}}
        )

        with pytest.raises(Lost, match=r"^lease labquota/operator is lost: now held by op-b_1$"):
            await first.renew()

        assert not first.held()
        with pytest.raises(Lost, match=r"^lease labquota/operator is not held$"):
            await first.renew()


async def test_a_deleted_lease_is_lost() -> None:
    async with storing() as store:
        lease = store.candidate("op-a")
        await lease.acquire()
        store.record = None
        with pytest.raises(Lost, match="is lost: it was deleted"):
            await lease.renew()


async def test_a_holder_that_cannot_renew_gives_up_before_anybody_may_take_over() -> None:
    async with storing() as store:
        lease = store.candidate("op-a")
        await lease.acquire()
        acquired = time.monotonic()
        store.down = True

        with pytest.raises(
            Lost, match=r"is lost: not renewed for 0\.[0-9] s: down \(503 ServiceUnavailable\)"
        ):
            await lease.renew()

        assert time.monotonic() - acquired < QUICK.renew_deadline + 0.1


async def test_a_holder_that_slept_past_the_deadline_goes_on_if_nobody_came() -> None:
    async with storing() as store:
        lease = store.candidate("op-a")
        await lease.acquire()
        await asyncio.sleep(0.8)
        assert not lease.held()

        await lease.renew()

        assert lease.held()


async def test_a_slow_renewal_counts_from_when_it_was_sent() -> None:
    async with storing() as store:
        lease = store.candidate("op-a")
        await lease.acquire()
        store.delay = QUICK.renew_deadline + 0.1

        await lease.renew()

        assert not lease.held()


async def test_a_candidate_waits_through_an_outage() -> None:
    async with storing() as store:
        store.down = True
        lease = store.candidate("op-a")
        waiting = asyncio.create_task(lease.acquire())
        await asyncio.sleep(0.3)
        store.down = False
        assert await waiting == 1


async def test_a_release_after_a_renewal_whose_answer_was_lost_still_frees_the_lease() -> None:
    async with storing() as store:
        lease = store.candidate("op-a")
        await lease.acquire()
        assert store.record is not None
        store.store(store.record)  # the renewal was stored, and whoever sent it was cut off
        await lease.release()
        assert store.record["spec"]["holderIdentity"] == ""


async def test_a_release_that_fails_is_no_error_of_whoever_leaves(caplog: pytest.LogCaptureFixture) -> None:
    async with storing() as store:
        lease = store.candidate("op-a")
        await lease.acquire()
        store.down = True
        await lease.release()
    assert (
        "lease labquota/operator is not released, it ends by itself: down (503 ServiceUnavailable)"
        in caplog.messages
    )


def test_a_deadline_beyond_the_duration_is_refused() -> None:
    with pytest.raises(ValueError, match=r"renew_deadline \(15 s\) must be below duration \(15 s\)"):
        Times(renew_deadline=15)
