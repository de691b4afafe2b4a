"""Row: a Deployment of a hundred replicas, until all its pods exist: without anything, and with labquota.

The pods come from a stamped template, one after the other as the ReplicaSet's controller makes them.
"""

import asyncio
import time

from bench import load
from bench.plan import Plan, repeats
from bench.rows import BenchError, Row
from bench.site import Site
from harness import manifests

__all__ = ["deployment"]

REPLICAS = 100
_LONGEST = 60.0


async def deployment(site: Site, plan: Plan) -> list[Row]:
    """Seconds from the create until the Deployment says that so many replicas exist."""
    row = Row("rollout", f"a Deployment of {REPLICAS} replicas, until all pods exist", "s")
    for turn in repeats(plan):
        for case in ("none", "quota", "labquota"):
            row.add(case, await _rolled_out(site, case, turn))
    row.n = f"{len(row.values['labquota'])} x {REPLICAS}"
    return [row]


async def _rolled_out(site: Site, case: str, turn: int) -> float:
    (where,) = site.namespaces(case)
    spec = {"schedulerName": "nobody"}
    name = f"rollout-{turn}"
    made = manifests.deployment(name, where, replicas=REPLICAS, cpu="10m", memory="1Mi", gpu=1, spec=spec)
    path = f"/apis/apps/v1/namespaces/{where}/deployments"
    began = time.perf_counter()
    answer = await site.clients[0].create(path, made)
    if not answer.ok:
        raise BenchError(f"a Deployment was not created: {answer.status} {answer.message}")
    while (await site.admin.get(f"{path}/{name}")).body.get("status", {}).get("replicas") != REPLICAS:
        if time.perf_counter() - began > _LONGEST:
            raise BenchError(f"not all of {REPLICAS} replicas came within {_LONGEST:.0f} s")
        await asyncio.sleep(0.02)
    taken = time.perf_counter() - began
    await site.admin.delete(f"{path}/{name}", propagationPolicy="Foreground")
    while (await site.admin.get(f"{path}/{name}")).status != 404:  # noqa: ASYNC110  the API server does not tell
        await asyncio.sleep(0.1)  # else its ReplicaSet would make others in their place
    await load.clear(site, [where])
    return taken
