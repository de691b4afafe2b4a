"""Rows: how soon a finished pod's budget is free again; and whether a storm gets past a limit."""

import asyncio
import time

from bench import load
from bench.plan import Plan
from bench.rows import BenchError, Row, percentile
from bench.site import LABQUOTAS, Site
from harness import AsyncClient, manifests
from harness.storming import all_at_once, tally
from harness.watching import PodWatch

__all__ = ["finished_pods", "storm"]

_LONGEST = 20.0


async def finished_pods(site: Site, plan: Plan) -> list[Row]:
    """Milliseconds from a pod's last status until a pod fits that did not before: ResourceQuota and labquota.

    The one who waits tries all the time, by dry runs; the time until the answer counts, so a create is in it.
    """
    freed = Row("freed", "a finished pod's budget is free: p50", "ms", f"{plan.finishing}")
    slowest = Row("freed-max", "a finished pod's budget is free: slowest", "ms", f"{plan.finishing}")
    person = site.plane.user("bench-finishing", ["bench:members"], role=None)
    full = {case: f"bench-full-{case}" for case in ("quota", "labquota")}
    for case, namespace in full.items():
        site.namespace(namespace, case)
    quota = manifests.resource_quota("bench", full["quota"], pods=1)
    override = manifests.override("bench-finishing", f"user:{person.name}", aggregate={"pods": 1})
    site.plane.client.apply([quota, override])
    times: dict[str, list[float]] = {case: [] for case in full}
    async with AsyncClient(person) as client:
        for turn in range(plan.finishing):
            for case, namespace in full.items():
                times[case].append(await _until_free(site, client, namespace, turn))
                await load.clear(site, [namespace])
    for case, taken in times.items():
        freed.add(case, percentile(taken, 50))
        slowest.add(case, max(taken))
    return [freed, slowest]


async def _until_free(site: Site, client: AsyncClient, namespace: str, turn: int) -> float:
    first, second = (site.pod(f"{name}-{turn}", namespace) for name in ("first", "second"))
    await _tried(client, first, passes=True)
    await _tried(client, second, passes=False, dryRun="All")
    await load.settled(site)
    began = time.perf_counter()
    done = await site.admin.patch_status(namespace, f"first-{turn}", {"phase": "Succeeded"})
    if not done.ok:
        raise BenchError(f"a pod was not finished: {done.message}")
    await _tried(client, second, passes=True, dryRun="All")
    return (time.perf_counter() - began) * 1000


async def _tried(client: AsyncClient, pod: manifests.Manifest, *, passes: bool, **params: str) -> None:
    """Try a pod until it passes, or until it does not."""
    until = time.monotonic() + _LONGEST
    while (answer := await client.create_pod(pod, **params)).ok != passes:
        if time.monotonic() > until:
            raise BenchError(
                f"{answer.status} {answer.message or 'created'}: not as expected for {_LONGEST:.0f} s"
            )
        await asyncio.sleep(0.005)


async def storm(site: Site) -> list[Row]:
    """64 clients create three times what one owner may hold; how many pods too many there were at any moment."""
    limit = 100
    row = Row("storm", f"pods above the limit of {limit}, 64 clients", "pods", f"{3 * limit}")
    person = site.plane.user("bench-storming", ["bench:members"], role=None)
    owner = f"user:{person.name}"
    override = manifests.override("bench-storming", owner, aggregate={"pods": limit})
    site.plane.client.apply([override])
    await _in_force(site, "bench-storming")
    creates = [(person, site.pod(f"storm-{number}", LABQUOTAS)) for number in range(3 * limit)]
    async with PodWatch(site.plane, {owner: {"pods": limit}}) as watch:
        answers = tally(await all_at_once(creates))
        await watch.caught_up()
        row.add("labquota", max(0.0, float(watch.peak(owner)) - limit))
    if answers["201"] != limit:
        raise BenchError(f"a storm against a limit of {limit} ended with {dict(answers)}")
    await load.clear(site, [LABQUOTAS])
    return [row]


async def _in_force(site: Site, override: str) -> None:
    """Wait until the operator has seen an override, and a moment more for the replicas."""
    path = f"/apis/labquota.dev/v1alpha1/resourcelimitoverrides/{override}"
    for _ in range(100):
        if (await site.admin.get(path)).body.get("status", {}).get("observedGeneration"):
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
