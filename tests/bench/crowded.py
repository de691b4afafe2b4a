"""Rows: the operator in a cluster of 100,000 pods of 2,000 owners, which it has to list, to keep and to follow.

Measured last: the pods stay. They are stored past the API server (`filling`), and the controller-manager and the
scheduler are paused: on two cores the first minute of their work on so many pods would be all that is measured.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench import filling, load
from bench.filling import Clone, Original
from bench.plan import Plan
from bench.processes import cpu_seconds, memory_bytes
from bench.rows import BenchError, Row, percentile
from bench.site import LABQUOTAS, STAMP, Site
from harness import manifests

__all__ = ["meanwhile", "operator"]

_PERSON = 10
"""Whose pod is cloned: a number of two digits."""
_SEED = "seed-000000"
_IDLE_SECONDS = 4.0
_BURSTS = 5
_CALM_CREATES = 200
_UNLIMITED: dict[str, str | int | float] = {
    "gpu": 1_000_000,
    "requests.cpu": "1000000",
    "requests.memory": "1000Ti",
    "pods": 1_000_000,
}


async def operator(site: Site, plan: Plan, say: Callable[[str], None]) -> list[Row]:
    """All rows of this module."""
    process = site.installed.operator()
    site.plane.client.apply([manifests.group("crowd", default_for=["User"], aggregate=_UNLIMITED)])
    process.restart(seconds=60)
    await load.leads(site)
    await _quiet(site)
    empty = memory_bytes(process.pid)
    process.kill()
    for each in (site.plane.controller_manager, site.plane.scheduler):
        each.pause()
    await filling.fill(site.plane, await _original(site), _clones(plan))
    say("the pods are there; the operator starts")
    rows = await _started(site, plan, empty)
    await load.leads(site, 120)
    await _quiet(site, 300)
    rows[1].add("labquota", (memory_bytes(process.pid) - empty) / plan.crowd)
    for take in (_bursts, _heartbeats, _endings):
        rows.append(await take(site, plan))
    return rows


async def _original(site: Site) -> Original:
    """A pod without GPUs as it looks on a node, of about 6 kB: most of it is nobody's business here."""
    filling = [{"name": f"SETTING_{number}", "value": "x" * 30} for number in range(20)]
    asks = {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": "1"}
    asks = {"cpu": "500m", "memory": "1Gi"}
    container = manifests.container(cpu="500m", memory="1Gi", env=filling)
    pod = site.pod(_SEED, LABQUOTAS, _PERSON, containers=[container], labels={"app": "train", "job": "crowd"})
    made = await site.clients[_PERSON].create_pod(pod)
    since = {"lastTransitionTime": "2026-01-01T00:00:00Z", "status": "True"}
    status: dict[str, Any] = {
        "phase": "Running",
        "conditions": [
            {"type": each, **since} for each in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        ],
        "containerStatuses": [
            {
                "name": "main",
                "image": "none",
                "imageID": "sha256:" + "0" * 64,
                "restartCount": 0,
                "containerID": "containerd://" + "0" * 64,
                "ready": True,
                "started": True,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                "allocatedResources": asks,
                "resources": {"requests": asks, "limits": asks},
            }
        ],
    }
    answer = await site.admin.patch_status(LABQUOTAS, _SEED, status) if made.ok else made
    if not answer.ok:
        raise BenchError(f"the pod that is to be cloned: {answer.message}")
    meta = answer.body["metadata"]
    return Original(LABQUOTAS, _SEED, meta["uid"], meta["annotations"][STAMP])


def _clones(plan: Plan) -> list[Clone]:
    owners = len("user:bench-10") - len("user:c")
    return [
        Clone(f"many-{number:06}", f"user:c{number % plan.crowd_owners:0{owners}}")
        for number in range(plan.crowd)
    ]


async def _quiet(site: Site, seconds: float = 60) -> None:
    """Wait until the operator has nothing more to do.

    Raises:
        BenchError: it always has.
    """
    pid, until, calm = site.installed.operator().pid, time.monotonic() + seconds, 0
    while calm < 3:
        before = cpu_seconds(pid)
        await asyncio.sleep(1.0)
        calm = calm + 1 if cpu_seconds(pid) - before < 0.03 else 0
        if time.monotonic() > until:
            raise BenchError(f"the operator is still at work after {seconds:.0f} s")


async def _started(site: Site, plan: Plan, empty: int) -> list[Row]:
    """Time until the view is whole, the start of the process included; and the memory then."""
    process, who = site.installed.operator(), f"{plan.crowd:,} pods of {plan.crowd_owners:,} owners"
    sync = Row("sync", f"operator started among {who}: synced after", "s", "1")
    began = time.monotonic()
    process.start()
    await asyncio.to_thread(process.wait_ready, 180)
    sync.add("labquota", time.monotonic() - began)
    memory = Row(
        "pod-memory", "operator memory a pod, synced and when all is folded", "bytes", f"{plan.crowd}"
    )
    memory.add("labquota", (memory_bytes(process.pid) - empty) / plan.crowd)
    return [sync, memory]


async def _spent(site: Site, work: Callable[[], Awaitable[int]]) -> float:
    """Microseconds of the operator's CPU for each of so many events, without what it spends on nothing."""
    pid = site.installed.operator().pid
    before = cpu_seconds(pid)
    await asyncio.sleep(_IDLE_SECONDS)
    idle = (cpu_seconds(pid) - before) / _IDLE_SECONDS
    before, began = cpu_seconds(pid), time.monotonic()
    events = await work()
    await _quiet(site, 120)
    return (cpu_seconds(pid) - before - idle * (time.monotonic() - began)) / events * 1e6


async def _bursts(site: Site, plan: Plan) -> Row:
    """Events as a cluster of that size has them: a thousand a second and more."""
    row = Row("event-cpu", "operator CPU an event that changes no demand, as a large cluster has them", "µs")
    names = [f"many-{number:06}" for number in range(min(plan.crowd, 2 * plan.events))]
    rates = []

    async def burst() -> int:
        rates.append(await filling.touch(site.plane, LABQUOTAS, names))
        return len(names)

    for _ in range(_BURSTS):
        row.add("labquota", await _spent(site, burst))
    row.n = f"{_BURSTS} x {len(names)}, {percentile(rates, 50):,.0f}/s"
    return row


async def _heartbeats(site: Site, plan: Plan) -> Row:
    """The same events at the pace at which one API server on these cores takes them from 16 clients."""
    row = Row("event-cpu-slow", "  the same, by patches of 16 clients", "µs")
    took = []

    async def beat(number: int) -> None:
        await _patched(site, number % plan.crowd, {"message": f"event {number}"})

    async def beats() -> int:
        began = time.monotonic()
        await load.so_many(beat, plan.events, 16)
        took.append(time.monotonic() - began)
        return plan.events

    row.add("labquota", await _spent(site, beats))
    row.n = f"{plan.events}, {plan.events / took[0]:,.0f}/s"
    return row


async def _endings(site: Site, plan: Plan) -> Row:
    """Events that change a sum: folds and published usage are in it."""
    row = Row(
        "ending-cpu",
        "operator CPU a pod that ends: event, folds, published usage",
        "µs",
        f"{plan.events // 3}",
    )

    async def end(number: int) -> None:
        await _patched(site, number, {"phase": "Succeeded"})

    async def ends() -> int:
        await load.so_many(end, plan.events // 3, 16)
        return plan.events // 3

    row.add("labquota", await _spent(site, ends))
    return row


async def _patched(site: Site, number: int, status: dict[str, Any]) -> None:
    answer = await site.admin.patch_status(LABQUOTAS, f"many-{number:06}", status)
    if not answer.ok:
        raise BenchError(f"a pod's status was not changed: {answer.message}")


async def meanwhile(site: Site) -> list[Row]:
    """Creates while an operator lists everything from the API server that serves them."""
    row = Row("listing-p99", "a create: p99, calm and while an operator starts and lists all pods", "ms")
    calm = [("calm", number) for number in range(_CALM_CREATES)]
    row.add("calm", percentile([await _created(site, *each) for each in calm], 99))
    starting = asyncio.create_task(asyncio.to_thread(site.installed.operator().restart, seconds=180))
    times: list[float] = []
    while not starting.done():
        times.append(await _created(site, "listing", len(times)))
    await starting
    row.add("listing", percentile(times, 99))
    row.n = f"{len(calm)} and {len(times)}"
    return [row]


async def _created(site: Site, name: str, number: int) -> float:
    """Milliseconds of one create, by everybody in turns: nothing is folded meanwhile, and one ledger would fill up."""
    person = number % len(site.people)
    (taken,) = await load.one_by_one(site.clients[person], [site.pod(f"{name}-{number}", LABQUOTAS, person)])
    return taken
