"""Creating pods, timed; and clearing them away, untimed, until nobody has work left from it."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from bench.rows import BenchError
from bench.site import STAMP, Site
from harness import AsyncClient
from harness.clients import pods
from harness.manifests import Manifest
from labquota.quota import encoding
from labquota.quota.ledger import Book

__all__ = ["at_once", "clear", "leads", "one_by_one", "settled", "so_many"]

LEDGERS = "/apis/labquota.dev/v1alpha1/ownerledgers"


async def one_by_one(client: AsyncClient, manifests: Iterable[Manifest]) -> list[float]:
    """Create pods one after the other; the milliseconds of each whole create.

    Raises:
        BenchError: one is not created.
    """
    times = []
    for manifest in manifests:
        began = time.perf_counter()
        answer = await client.create_pod(manifest)
        times.append((time.perf_counter() - began) * 1000)
        if not answer.ok:
            raise BenchError(f"a pod was not created: {answer.status} {answer.message}")
    return times


async def at_once(clients: Sequence[AsyncClient], manifests: Sequence[Manifest], calls: int) -> float:
    """Create pods, `calls` at a time, turn by turn as each client's user; pods per second.

    Raises:
        BenchError: one is not created.
    """
    turns = itertools.cycle(clients)
    queue = [(next(turns), manifest) for manifest in manifests]

    async def create(number: int) -> None:
        client, manifest = queue[number]
        answer = await client.create_pod(manifest)
        if not answer.ok:
            raise BenchError(f"a pod was not created: {answer.status} {answer.message}")

    began = time.perf_counter()
    await so_many(create, len(queue), calls)
    return len(manifests) / (time.perf_counter() - began)


async def so_many(call: Callable[[int], Awaitable[None]], count: int, calls: int) -> None:
    """Call with each number below `count`, so many calls at a time."""
    numbers = iter(range(count))

    async def turn() -> None:
        for number in numbers:
            await call(number)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(calls):
            tasks.create_task(turn())


async def clear(site: Site, namespaces: Sequence[str], seconds: float = 60) -> None:
    """Delete all pods of some namespaces and wait until quotas and ledgers show it.

    Raises:
        BenchError: they do not.
    """
    for namespace in namespaces:
        answer = await site.admin.delete(pods(namespace), gracePeriodSeconds=0)
        if not answer.ok:
            raise BenchError(f"pods of {namespace} were not deleted: {answer.message}")
    await settled(site, seconds)


async def settled(site: Site, seconds: float = 60) -> None:
    """Wait until ResourceQuotas and ledgers show what is stored, with no reservation open.

    Raises:
        BenchError: they do not in time.
    """
    until = time.monotonic() + seconds
    while wrong := await _unsettled(site):
        if time.monotonic() > until:
            raise BenchError(f"not settled after {seconds:.0f} s: {wrong}")
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.1)  # the last watch events of all this


async def leads(site: Site, seconds: float = 60) -> None:
    """Wait until the operator holds the Lease: from then on it folds.

    Raises:
        BenchError: it does not in time.
    """
    until = time.monotonic() + seconds
    while site.installed.metrics("operator-0").get("labquota_operator_leader") != 1:
        if time.monotonic() > until:
            raise BenchError(f"the operator does not hold its Lease {seconds:.0f} s after a restart")
        await asyncio.sleep(0.1)


async def _unsettled(site: Site) -> str:
    stored: dict[str, int] = {}
    listed = await site.admin.list("/api/v1/pods", fieldSelector="status.phase=Pending", resourceVersion="0")
    for pod in listed:
        space = pod["metadata"]["namespace"]
        stamp = (pod["metadata"].get("annotations") or {}).get(STAMP)
        for key in (space, stamp or f"namespace:{space}"):
            stored[key] = stored.get(key, 0) + 1
    for quota in await site.admin.list("/api/v1/resourcequotas"):
        space, used = quota["metadata"]["namespace"], quota.get("status", {}).get("used", {}).get("pods")
        if used != str(stored.get(space, 0)):
            return f"the ResourceQuota of {space} shows {used} pods, not {stored.get(space, 0)}"
    for each in await site.admin.list(LEDGERS):
        found = encoding.decode(each["ledger"])
        if found.reservations or Book(found).total.get("pods", 0) != stored.get(each["owner"], 0):
            return f"the ledger of {each['owner']} is {each['ledger'][:200]}"
    return ""
