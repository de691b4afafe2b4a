"""Rows: what an owner with 10,000 pods costs, ledger and operator, against one with ten.

Measured last: those pods stay until the control plane is thrown away.
"""

import asyncio
import time
from functools import partial

from bench import load
from bench.plan import Plan, repeats
from bench.processes import cpu_seconds, memory_bytes
from bench.rows import BenchError, Row, percentile
from bench.site import LABQUOTAS, Site
from harness.manifests import Manifest
from labquota.quota import owners

__all__ = ["large"]

_IDLE_SECONDS = 3.0
TEN, MANY = 1, 2
"""The numbers of the two people."""
_LEDGERS = "/apis/labquota.dev/v1alpha1/ownerledgers"


async def large(site: Site, plan: Plan) -> list[Row]:
    """All rows of this module."""
    operator = site.installed.operator()
    operator.restart(seconds=60)
    await _leads(site)
    empty = memory_bytes(operator.pid)
    await load.at_once([site.clients[TEN]], _pods(site, TEN, "ten", 10), 4)
    cpu, began = cpu_seconds(operator.pid), time.monotonic()
    await load.at_once([site.clients[MANY]], _pods(site, MANY, "many", plan.many), 16)
    await load.settled(site, 120)
    filled = time.monotonic() - began
    created = Row("fill-cpu", "operator CPU a pod created, folds and usage included", "µs", f"{plan.many}")
    created.add("labquota", (cpu_seconds(operator.pid) - cpu) / plan.many * 1e6)
    rate = Row("fill", f"pods/s while {plan.many:,} are created by 16 clients", "pods/s", f"{plan.many}")
    rate.add("labquota", plan.many / filled)
    rows = [*await _ledgers(site, plan), rate, created, await _events(site, plan)]
    return rows + await _restarted(site, plan, empty)


async def _leads(site: Site, seconds: float = 60) -> None:
    """Wait until the operator holds the Lease: from then on it folds."""
    until = time.monotonic() + seconds
    while site.installed.metrics("operator-0").get("labquota_operator_leader") != 1:
        if time.monotonic() > until:
            raise BenchError(f"the operator does not hold its Lease {seconds:.0f} s after a restart")
        await asyncio.sleep(0.1)
    await load.settled(site)


async def _ledgers(site: Site, plan: Plan) -> list[Row]:
    """Bytes of the two ledgers at rest, and p50 of a create as each owner, in turns."""
    size = Row("ledger-bytes", f"ledger with 10 and {plan.many:,} pods", "bytes", "1")
    cost = Row("ledger-cost", f"a create by the owner of 10 and of {plan.many:,} pods: p50", "ms")
    for case, person in (("ten", TEN), ("many", MANY)):
        found = await site.admin.get(f"{_LEDGERS}/{owners.object_name(owners.parse(site.owner(person)))}")
        size.add(case, len(found.body["ledger"]))
    for turn in repeats(plan):
        for case, person in (("ten", TEN), ("many", MANY)):
            made = _pods(site, person, f"cost-{turn}-{case}", plan.serial)
            times = await load.one_by_one(site.clients[person], made)
            cost.add(case, percentile(times, 50))
            await load.so_many(partial(_delete, site, made), len(made), 16)
            await load.settled(site)
    cost.n = f"{len(cost.values['ten'])} x {plan.serial}"
    return [size, cost]


async def _events(site: Site, plan: Plan) -> Row:
    """CPU of the operator for a change of a pod that changes nothing of what it holds, as kubelets make all day."""
    operator = site.installed.operator()
    row = Row("event-cpu", "operator CPU an event that changes no demand", "µs", f"{plan.events}")

    async def change(number: int) -> None:
        status = {"message": f"event {number}"}
        answer = await site.admin.patch_status(LABQUOTAS, f"many-{number % plan.many}", status)
        if not answer.ok:
            raise BenchError(f"a pod's status was not changed: {answer.message}")

    before, began = cpu_seconds(operator.pid), time.monotonic()
    await load.so_many(change, plan.events, 16)
    await asyncio.sleep(0.5)  # the last events
    spent, took = cpu_seconds(operator.pid) - before, time.monotonic() - began
    before = cpu_seconds(operator.pid)
    await asyncio.sleep(_IDLE_SECONDS)
    idle = (cpu_seconds(operator.pid) - before) / _IDLE_SECONDS * took
    row.add("labquota", (spent - idle) / plan.events * 1e6)
    return row


async def _delete(site: Site, made: list[Manifest], number: int) -> None:
    await site.admin.delete_pod(LABQUOTAS, made[number]["metadata"]["name"], gracePeriodSeconds=0)


def _pods(site: Site, person: int, prefix: str, count: int) -> list[Manifest]:
    return [site.pod(f"{prefix}-{number}", LABQUOTAS, person) for number in range(count)]


async def _restarted(site: Site, plan: Plan, empty: int) -> list[Row]:
    """Time and memory of an operator that starts with all those pods there."""
    operator = site.installed.operator()
    synced = Row("sync", f"operator started with {plan.many:,} pods: ready after", "s", "1")
    memory = Row("pod-memory", "operator memory a pod", "bytes", f"{plan.many}")
    began = time.monotonic()
    operator.restart(seconds=120)
    synced.add("labquota", time.monotonic() - began)
    await _leads(site)
    memory.add("labquota", (memory_bytes(operator.pid) - empty) / plan.many)
    return [synced, memory]
