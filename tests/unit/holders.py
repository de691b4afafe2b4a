"""An operator that charges holds as well as pods, on a simulated cluster with three GPUs."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from labquota import api
from labquota.controllers.allocations import stored
from labquota.controllers.allocations.stored import Allocations
from labquota.controllers.holds import Holds
from labquota.kube import events
from labquota.kube.informer import Informer
from labquota.quota.world import World
from unit.builders import ALICE, group, world
from unit.keeping import Json, gpu, mig, report
from unit.operators import Operator
from unit.simulated import Cluster, run


def hold(name: str = "desk", owner: str = ALICE, gpu_: int = 1, **spec: Any) -> Json:
    """A hold of a whole GPU."""
    device = {"node": "gpu-1", "gpu": f"GPU-{gpu_}", "gpuInstance": -1, "computeInstance": -1}
    return {
        "metadata": {"name": name, "namespace": "lab", "uid": f"uid-{name}", "generation": 1},
        "spec": {"owner": owner, "devices": [device], **spec},
    }


def path(name: str = "desk") -> str:
    """Where a hold is stored."""
    return stored.path_of("lab", name)


def lab(**aggregate: Any) -> World:
    """A world in which somebody limits equivalents, with three GPUs."""
    of = world(group(aggregate=aggregate or {"gpu": 9, "gpu-equivalents": 9}))
    gpus = [gpu(0, mig(1), memory=81920), gpu(1, memory=81920), gpu(2, memory=81920)]
    of.inventory.put_gpus(msgspec.convert(report(*gpus), api.GPUNode))
    return of


class Holder(Operator):
    """An operator that charges holds as well."""

    def __init__(self, cluster: Cluster, of: World | None = None) -> None:
        self.of = of or lab()
        super().__init__(cluster, self.of)
        self.ended: list[str] = []
        self.allocations = Allocations()
        self.holds = Holds(self.view, self.of, self.clock, self.allocations, self.ended.append)
        self.informer: Informer[Any] = Informer(
            cluster,
            stored.PATH,
            stored.decode,
            self.holds,
            clock=self.clock,
            rng=random.Random(4),
            watch_list=False,
        )
        one = self.folder._one  # noqa: SLF001  as the app puts them together
        one._holds = self.expiry._holds = self.current_of_holds  # noqa: SLF001  as above
        self.expiry._hurry = self.hurry  # noqa: SLF001  as above

    async def current_of_holds(self) -> str:
        """The holds' resourceVersion now."""
        return events.page(await self.cluster.get(stored.PATH, {"limit": "1"})).metadata.resource_version

    async def start(self, epoch: int = 1) -> None:
        self.tasks.append(asyncio.create_task(self.informer.run()))
        self.tasks.append(asyncio.create_task(self.holds.run()))
        await self.informer.synced.wait()
        await super().start(epoch)

    def hurry(self) -> None:
        super().hurry()
        self.informer.hurry()


def operating(scenario: Callable[[Holder, Cluster], Awaitable[None]], *items: Json) -> None:
    """Run a scenario beside an operator; `items` are holds that are there already."""

    async def whole() -> None:
        cluster = Cluster()
        for item in items:
            cluster.store(path(item["metadata"]["name"]), item)
        operator = Holder(cluster)
        await operator.start()
        try:
            await scenario(operator, cluster)
        finally:
            await operator.stop()

    run(whole())
