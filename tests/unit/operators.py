"""An operator's view, store, folder and expiry on a simulated cluster, without Lease and kopf."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from labquota.controllers.charges import Charge
from labquota.controllers.expiring import Expiry
from labquota.controllers.folding import Folder
from labquota.controllers.pacing import Pace
from labquota.controllers.pods import Pods
from labquota.kube import events, ledgers
from labquota.kube.informer import Informer
from labquota.kube.ledgers import Ledgers, Stored
from labquota.quota.owners import Owner
from labquota.quota.world import World
from unit.builders import manifest
from unit.simulated import Clock, Cluster

PODS = "/api/v1/pods"


def charge(view: Pods, name: str = "a", **asks: Any) -> Charge:
    """A pod as the view decodes it."""
    return view.decode(json.dumps(manifest(name, **asks)).encode())


def pod_path(name: str, namespace: str = "lab") -> str:
    """Where a pod is stored."""
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


class Operator:
    """The parts that `labquota.controllers.app` puts together, as far as ledgers are concerned."""

    def __init__(
        self, cluster: Cluster, of: World, *, seconds: float = 44.0, writes_per_second: float = 1000
    ) -> None:
        self.cluster, self.clock = cluster, Clock()
        self.view = Pods(of, self._touched)
        self.store = Ledgers(cluster, self._ledger_changed)
        self.seen: list[tuple[Stored, set[str]]] = []
        pace = Pace(self.clock, writes_per_second)
        self.folder = Folder(self.view, self.store, pace, self.clock, self.current, self.hurry, self._saw)
        rng = random.Random(3)
        self.pods: Informer[Any] = Informer(
            cluster, PODS, self.view.decode, self.view, clock=self.clock, rng=rng, watch_list=False
        )
        self.watch: Informer[Any] = Informer(
            cluster, ledgers.PATH, ledgers.decode, self.store, clock=self.clock, rng=rng, watch_list=False
        )
        self.expiry = Expiry(self.store, self.view, self.clock, seconds, self.current, self.pods.hurry)
        self.tasks: list[asyncio.Task[Any]] = []

    def _touched(self, owner: Owner, freed: bool) -> None:  # noqa: FBT001  the view's callback
        self.folder.touch(owner, freed)

    def _ledger_changed(self, owner: Owner) -> None:
        self.expiry.note(owner)
        self.folder.touch(owner)

    def hurry(self) -> None:
        """Ask for a bookmark soon."""
        self.pods.hurry()

    def _saw(self, stored: Stored, bypassed: set[str]) -> None:
        self.seen.append((stored, bypassed))

    async def current(self) -> str:
        """The pods' resourceVersion now."""
        return events.page(await self.cluster.get(PODS, {"limit": "1"})).metadata.resource_version

    async def start(self, epoch: int = 1) -> None:
        """Watch, then lead."""
        for informer in (self.watch, self.pods):
            self.tasks.append(asyncio.create_task(informer.run()))
            await informer.synced.wait()
        self.lead(epoch)

    def lead(self, epoch: int) -> None:
        """Fold and expire."""
        self.tasks.append(asyncio.create_task(self.folder.run(epoch)))
        self.tasks.append(asyncio.create_task(self.expiry.run(self.folder)))

    async def stop(self) -> None:
        """End all tasks; one that has died of itself is an error."""
        for task in self.tasks:
            task.cancel()
        for died in await asyncio.gather(*self.tasks, return_exceptions=True):
            assert isinstance(died, asyncio.CancelledError), f"a task has died: {died!r}"


async def soon(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  what is waited for knows nothing of us
            await asyncio.sleep(0.01)


async def operating(
    cluster: Cluster,
    of: World,
    scenario: Callable[[Operator], Awaitable[None]],
    *,
    epoch: int = 1,
    seconds: float = 44.0,
    writes_per_second: float = 1000,
) -> None:
    """Run a scenario beside an operator."""
    operator = Operator(cluster, of, seconds=seconds, writes_per_second=writes_per_second)
    await operator.start(epoch)
    try:
        await scenario(operator)
    finally:
        await operator.stop()
