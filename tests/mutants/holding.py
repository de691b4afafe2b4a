"""Holds and pods of one owner, two replicas that let them through, an operator that folds them.

After every write the sum over what is stored and has not ended is compared with the limit (I1), and with what the
ledger says (I6), by the time of that moment.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from labquota.api import AllocationDevice
from labquota.kube import ledgers
from labquota.quota import encoding
from labquota.quota.cases import Hold, Request
from labquota.quota.ledger import Book
from labquota.quota.pods import Metadata, Pod
from mutants.scenes import NotHeld
from unit.builders import ALICE, case, manifest
from unit.holders import Holder, hold, lab, path
from unit.operators import pod_path
from unit.replicas import Replica, where
from unit.simulated import Cluster, run

LIMIT: Final = 2
_HOLDS: Final = "/gpuallocations/"
_PODS: Final = "/pods/"


class Scene:
    """One owner, who may hold two GPUs."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.cluster = rng, Cluster(random.Random(rng.random()))
        self.of = lab(gpu=LIMIT)
        self.operator = Holder(self.cluster, self.of)
        self.replicas = [Replica(self.cluster, self.of, seed) for seed in (1, 2)]
        self.cluster.after_write = self._check
        self.broken = ""

    async def holds(self, name: str, *, late: float = 0.0, expires: float | None = None) -> bool:
        """Ask for a hold; whether it was let through. Then it is stored, after a while."""
        now = self.operator.clock.now()
        end = None if expires is None else now.replace(microsecond=0) + timedelta(seconds=expires)
        spec: dict[str, Any] = {} if end is None else {"expiresAt": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
        item = hold(name, **spec)
        device = AllocationDevice(node="gpu-1", gpu="GPU-1")
        meta = Metadata(uid=f"uid-{name}", name=name, namespace="lab")
        asked = Request(
            uid=f"review-{name}",
            operation="CREATE",
            username="alice",
            groups=(),
            namespace="lab",
            name=name,
            pod=Pod(metadata=meta),
            hold=Hold(ALICE, (device,), end),
        )
        return await self._asks(asked, path(name), item, late)

    async def pods(self, name: str, *, late: float = 0.0) -> bool:
        """Ask for a pod with one GPU; as `holds`."""
        replica = self.rng.choice(self.replicas)
        item = manifest(name, gpu=1)
        judged = await replica.judge(name, gpu=1)
        if judged.allowed:
            await asyncio.sleep(late)
            self.cluster.store(pod_path(name), item)
        return judged.allowed

    def drop(self, name: str) -> None:
        """Delete a hold."""
        self.cluster.drop(path(name))

    async def _asks(self, asked: Request, where_: str, item: Any, late: float) -> bool:
        replica = self.rng.choice(self.replicas)
        judged = await replica.admissions.judge(lambda: case(self.of, asked), 9.0)
        if judged.allowed:
            await asyncio.sleep(late)
            self.cluster.store(where_, item)
        return judged.allowed

    def truth(self) -> int:
        """What is stored and has not ended."""
        now = self.operator.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return sum(
            _PODS in at or (_HOLDS in at and each["spec"].get("expiresAt", "9") > now)
            for at, each in self.cluster.objects.items()
        )

    def _check(self, at: str, item: dict[str, Any]) -> None:
        del item
        now, truth = self.operator.clock.now(), self.truth()
        if truth > LIMIT:
            self.broken = self.broken or f"I1: {truth} GPUs are held of {LIMIT}, after a write of {at}"
        stored = self.cluster.objects.get(where())
        total = 0
        if stored is not None:
            ledger = encoding.decode(stored["ledger"])
            total = Book(ledger, now.timestamp()).total.get("gpu", 0)
        if total < truth and at.startswith(ledgers.PATH):
            self.broken = self.broken or f"I6: the ledger says {total}, and {truth} are held"


def play(script: Callable[[Scene], Awaitable[None]], times: int) -> None:
    """Let a script happen, with other chances each time.

    Raises:
        NotHeld: Something was found.
    """
    for seed in range(1, times + 1):
        scene = Scene(random.Random(seed))

        async def whole(scene: Scene = scene) -> None:
            await scene.operator.start()
            beats = asyncio.create_task(_beat(scene))
            try:
                await script(scene)
            finally:
                beats.cancel()
                await scene.operator.stop()

        run(whole())
        if scene.broken:
            raise NotHeld(scene.broken)


async def _beat(scene: Scene) -> None:
    while True:
        for replica in scene.replicas:
            replica.beat()
        await asyncio.sleep(2.0)
