"""The Lease on a real API server, which validates, versions and compares it."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controlplane import ControlPlane
from labquota.clock import SystemClock
from labquota.kube import credentials
from labquota.kube.client import HttpApi
from labquota.kube.errors import Lost
from labquota.kube.lease import Lease
from labquota.kube.record import Times

QUICK = Times(duration=2, renew_deadline=1.2, poll=0.2)


class Office:
    """A Lease of a fresh name, and candidates for it."""

    def __init__(self, api: HttpApi, name: str) -> None:
        self.api, self.name = api, name
        self.path = f"/apis/coordination.k8s.io/v1/namespaces/default/leases/{name}"

    def candidate(self, identity: str) -> Lease:
        clock, rng = SystemClock(), random.Random(identity)
        return Lease(self.api, "default", self.name, identity=identity, clock=clock, rng=rng, times=QUICK)

    async def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.api.get(self.path))
        return found


@pytest.fixture
async def office(plane: ControlPlane) -> AsyncIterator[Office]:
    async with HttpApi(credentials.load(str(plane.admin.kubeconfig))) as api:
        office = Office(api, f"office-{random.SystemRandom().getrandbits(40):x}")
        yield office
        await api.delete(office.path)


async def test_the_holder_is_followed_at_once_after_a_release_and_the_epoch_grows(office: Office) -> None:
    first, second = office.candidate("first"), office.candidate("second")
    assert await first.acquire(minimum_epoch=lambda: 5) == 5
    version = await first.renew({"labquota.dev/view": "77"})
    record = await office.record()
    assert record["metadata"]["resourceVersion"] == version
    assert record["spec"]["holderIdentity"] == first.identity
    assert record["spec"]["leaseTransitions"] == 5
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(0.5)
    assert not waiting.done()

    await first.release()
    released = time.monotonic()

    assert await waiting == 6
    assert time.monotonic() - released < 1
    assert second.annotations == {"labquota.dev/view": "77"}


async def test_a_silent_holder_is_followed_after_the_duration_and_learns_that_it_lost(office: Office) -> None:
    first, second = office.candidate("first"), office.candidate("second")
    await first.acquire()
    began = time.monotonic()

    assert await second.acquire() == 2

    assert 2 <= time.monotonic() - began < 4
    with pytest.raises(Lost, match=f"is lost: now held by {second.identity}"):
        await first.renew()


async def test_a_deleted_lease_is_lost_and_begins_no_lower_than_asked(office: Office) -> None:
    lease = office.candidate("only")
    await lease.acquire(minimum_epoch=lambda: 9)
    await office.api.delete(office.path)

    with pytest.raises(Lost, match="is lost: it was deleted"):
        await lease.renew()

    assert await lease.acquire(minimum_epoch=lambda: 10) == 10


async def test_renewals_leave_no_managed_fields_behind(office: Office) -> None:
    lease = office.candidate("only")
    await lease.acquire()
    for number in range(3):
        await lease.renew({"labquota.dev/view": str(number)})
    assert "managedFields" not in (await office.record())["metadata"]


async def test_of_many_candidates_one_holds_through_a_restart_of_the_api_server(
    office: Office, plane: ControlPlane
) -> None:
    candidates = [office.candidate(f"op-{number}") for number in range(4)]
    epochs: list[int] = []

    async def operate(lease: Lease) -> None:
        while True:
            epochs.append(await lease.acquire())
            try:
                while True:
                    await lease.renew()
                    await asyncio.sleep(0.3)
            except Lost:
                continue

    tasks = [asyncio.create_task(operate(each)) for each in candidates]
    await asyncio.sleep(1)
    server = plane.apiserver()
    server.kill()
    began = time.monotonic()
    restart = asyncio.create_task(asyncio.to_thread(server.restart))
    while not restart.done() or time.monotonic() - began < 4:
        assert [each.held() for each in candidates].count(True) <= 1
        await asyncio.sleep(0.02)
    async with asyncio.timeout(10):
        while not any(each.held() for each in candidates):  # noqa: ASYNC110  a candidate has no event for it
            await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert epochs == sorted(set(epochs))
