"""One look at everything while nothing happens: ledgers beside the truth, memory, and what /metrics names."""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bench.processes import memory_bytes
from controlplane import ControlPlane
from harness import AsyncClient, Installation
from labquota.quota import encoding
from labquota.quota.ledger import Book
from soak.living import ASKS

__all__ = ["Checkpoint", "look", "named"]

_LEDGERS = "/apis/labquota.dev/v1alpha1/ownerledgers"
_STAMP = "labquota.dev/owner"


@dataclass(frozen=True)
class Checkpoint:
    """What was found.

    Attributes:
        pods: created so far.
        seconds: since the soak began.
        memory: bytes of each of labquota's processes.
        series: samples in each one's /metrics; not asked where something is wrong.
        held: charged pods at that moment, over all owners.
        settled: seconds until every ledger was equal to the truth.
        wrong: what was not, then; empty if all was well.
    """

    pods: int
    seconds: float
    memory: Mapping[str, int]
    series: Mapping[str, int]
    held: int
    settled: float
    wrong: str

    def __str__(self) -> str:
        memory = "  ".join(f"{name} {size / 2**20:.1f} MiB" for name, size in self.memory.items())
        truth = f"NOT EQUAL: {self.wrong}" if self.wrong else f"ledgers = truth after {self.settled:.1f} s"
        return f"{self.pods:>8,} pods  {self.seconds:6.0f} s  {memory}  {self.held} held  {truth}"


async def look(
    plane: ControlPlane,
    installed: Installation,
    pods: int,
    began: float,
    owners: Collection[str],
    seconds: float,
) -> Checkpoint:
    """Compare once nothing happens any more.

    Args:
        plane: where.
        installed: whose processes.
        pods: created so far.
        began: when the soak began, by the monotonic clock.
        owners: everybody who ever held a pod.
        seconds: how long ledgers may take to be equal to the truth, with no reservation open.
    """
    since = time.monotonic()
    async with AsyncClient(plane.admin) as admin:
        while True:
            held = await _truth(admin, owners)
            wrong = await _differences(admin, held)
            settled = time.monotonic() - since
            if not wrong or settled > seconds:
                break
            await asyncio.sleep(0.2)
    names = _processes(plane)
    return Checkpoint(
        pods=pods,
        seconds=time.monotonic() - began,
        memory={name: memory_bytes(plane.processes[name].pid) for name in names},
        series={} if wrong else {name: len(installed.metrics(name)) for name in names},
        held=sum(held.values()),
        settled=settled,
        wrong=wrong,
    )


def named(plane: ControlPlane, installed: Installation, words: Collection[str]) -> list[str]:
    """Series that bear one of these words, such as an owner's name."""
    return [
        f"{name}: {series}"
        for name in _processes(plane)
        for series in installed.metrics(name)
        if any(word in series for word in words)
    ]


def _processes(plane: ControlPlane) -> list[str]:
    """The names of labquota's own."""
    return [name for name in plane.processes if name.startswith(("webhook-", "operator-"))]


async def _truth(admin: AsyncClient, owners: Collection[str]) -> dict[str, int]:
    """How many charged pods each owner has, by a quorum read and their stamps alone."""
    held = dict.fromkeys(owners, 0)
    for pod in await admin.list("/api/v1/pods"):
        owner = (pod["metadata"].get("annotations") or {}).get(_STAMP)
        if owner in held and pod["status"].get("phase") not in {"Succeeded", "Failed"}:
            held[owner] += 1
    return held


async def _differences(admin: AsyncClient, held: Mapping[str, int]) -> str:
    """The first ledger that is not what it has to be, in words; empty if there is none."""
    found = {each["owner"]: each["ledger"] for each in await admin.list(_LEDGERS)}
    for owner, count in held.items():
        if owner not in found:
            if count:
                return f"{owner} has no ledger and {count} pods"
            continue
        ledger = encoding.decode(found[owner])
        if ledger.reservations:
            return f"{owner} has {len(ledger.reservations)} reservations open"
        if ledger.advances:
            return f"{owner} has {len(ledger.advances)} advances out"
        total = Book(ledger).total
        for key, each in ASKS.items():
            if total.get(key, 0) != count * each:
                return f"{owner} holds {key} {total.get(key, 0)}, and {count} pods of {each} are there"
    return ""
