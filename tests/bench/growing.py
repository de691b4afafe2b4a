"""Rows: what an owner with 10,000 pods costs against one with ten: their ledgers, and the operator's part of a create.

Those pods stay until the control plane is thrown away.
"""

import re
import time
from functools import partial

from bench import load
from bench.plan import Plan, repeats
from bench.processes import cpu_seconds
from bench.rows import Row, percentile
from bench.site import LABQUOTAS, Site
from harness.manifests import Manifest
from labquota.quota import owners

__all__ = ["large"]

TEN, MANY = 1, 2
"""The numbers of the two people."""
_LEDGERS = "/apis/labquota.dev/v1alpha1/ownerledgers"


async def large(site: Site, plan: Plan) -> list[Row]:
    """All rows of this module."""
    operator = site.installed.operator()
    operator.restart(seconds=60)
    await load.leads(site)
    await load.at_once([site.clients[TEN]], _pods(site, TEN, "ten", 10), 4)
    cpu, began = cpu_seconds(operator.pid), time.monotonic()
    await load.at_once([site.clients[MANY]], _pods(site, MANY, "many", plan.many), 16)
    await load.settled(site, 120)
    filled = time.monotonic() - began
    created = Row("fill-cpu", "operator CPU a pod created, folds and usage included", "µs", f"{plan.many}")
    created.add("labquota", (cpu_seconds(operator.pid) - cpu) / plan.many * 1e6)
    rate = Row("fill", f"pods/s while {plan.many:,} are created by 16 clients", "pods/s", f"{plan.many}")
    rate.add("labquota", plan.many / filled)
    return [*await _ledgers(site, plan), rate, created]


async def _ledgers(site: Site, plan: Plan) -> list[Row]:
    """Bytes of the two ledgers at rest, and p50 of a create as each owner, in turns.

    A sum over a thousand times as many pods is three digits longer. That is no growth with the pods: every number is
    counted as one digit.
    """
    size = Row("ledger-bytes", f"ledger with 10 and {plan.many:,} pods, numbers as one digit", "bytes", "1")
    cost = Row("ledger-cost", f"a create by the owner of 10 and of {plan.many:,} pods: p50", "ms")
    for case, person in (("ten", TEN), ("many", MANY)):
        found = await site.admin.get(f"{_LEDGERS}/{owners.object_name(owners.parse(site.owner(person)))}")
        size.add(case, len(re.sub(r"\d+", "0", found.body["ledger"])))
    for turn in repeats(plan):
        for case, person in (("ten", TEN), ("many", MANY)):
            made = _pods(site, person, f"cost-{turn}-{case}", plan.serial)
            times = await load.one_by_one(site.clients[person], made)
            cost.add(case, percentile(times, 50))
            await load.so_many(partial(_delete, site, made), len(made), 16)
            await load.settled(site)
    cost.n = f"{len(cost.values['ten'])} x {plan.serial}"
    return [size, cost]


async def _delete(site: Site, made: list[Manifest], number: int) -> None:
    await site.admin.delete_pod(LABQUOTAS, made[number]["metadata"]["name"], gracePeriodSeconds=0)


def _pods(site: Site, person: int, prefix: str, count: int) -> list[Manifest]:
    return [site.pod(f"{prefix}-{number}", LABQUOTAS, person) for number in range(count)]
