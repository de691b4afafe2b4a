"""Rows: one client creating pods one after the other; 16 and 64 clients at once; one owner and fifty.

While another case is timed the operator is paused: it watches all pods of the cluster, and theirs are not its
business here. Between the cases it runs, and nothing goes on before it has caught up.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench import load
from bench.plan import Plan, repeats
from bench.rows import Row, percentile
from bench.site import CASES, PEOPLE, Site
from harness.manifests import Manifest

__all__ = ["many_clients", "one_client", "warm_up"]


async def warm_up(site: Site) -> None:
    """Create some pods in every case as every person, so that connections, caches and code paths are warm."""
    for case in (*CASES, "quotas"):
        await load.at_once(site.clients, _pods(site, case, "warm", PEOPLE, PEOPLE, stamped=True), 16)
        await load.one_by_one(site.clients[0], _pods(site, case, "warm-one", 10, 1, stamped=False))
        await load.clear(site, site.namespaces(case))


async def one_client(site: Site, plan: Plan, *, stamped: bool) -> list[Row]:
    """p50 of a whole create, a turn each, and p99 over all turns: with the stamp already on, or without it."""
    key, what = ("stamped", "pods already stamped") if stamped else ("person", "pods made by a person")
    middle = Row(f"one-{key}", f"1 client, {what}: p50", "ms")
    slowest = Row(f"one-{key}-p99", f"1 client, {what}: p99", "ms")
    times: dict[str, list[float]] = {case: [] for case in CASES}
    for turn in repeats(plan):
        for case in CASES:
            pods = _pods(site, case, f"one-{turn}", plan.serial, 1, stamped=stamped)
            with _alone(site, case):
                taken = await load.one_by_one(site.clients[0], pods)
            middle.add(case, percentile(taken, 50))
            times[case] += taken
            await load.clear(site, site.namespaces(case))
    for case in CASES:
        slowest.add(case, percentile(times[case], 99))
    turns = len(middle.values["labquota"])
    middle.n = f"{turns} x {plan.serial}"
    slowest.n = f"{turns * plan.serial}"
    return [middle, slowest]


async def many_clients(
    site: Site,
    plan: Plan,
    key: str,
    calls: int,
    owners: int = 1,
    *,
    cases: Sequence[str] = CASES,
    stamped: bool = True,
) -> list[Row]:
    """Pods per second with so many calls at once, as one owner or turn by turn as each of many."""
    whose = "1 owner" if owners == 1 else f"{owners} owners"
    row = Row(key, f"{calls} clients, {whose}{'' if stamped else ', by a person'}", "pods/s")
    for turn in repeats(plan):
        for case in cases:
            pods = _pods(site, case, f"many-{turn}", plan.storm, owners, stamped=stamped)
            with _alone(site, case):
                row.add(case, await load.at_once(site.clients[:owners], pods, calls))
            await load.clear(site, site.namespaces(case))
    row.n = f"{len(row.values['labquota'])} x {plan.storm}"
    return [row]


def _pods(site: Site, case: str, prefix: str, count: int, owners: int, *, stamped: bool) -> list[Manifest]:
    """Pods turn by turn of each owner, in the namespace that they use in this case."""
    where = site.namespaces(case)
    return [
        site.pod(
            f"{prefix}-{number}",
            where[number % owners % len(where)],
            number % owners if stamped else None,
        )
        for number in range(count)
    ]


@contextmanager
def _alone(site: Site, case: str) -> Iterator[None]:
    """Keep the operator out of what is not labquota's case."""
    if case == "labquota":
        yield
        return
    site.installed.operator().pause()
    try:
        yield
    finally:
        site.installed.operator().resume()
