"""An operator that leads on a simulated cluster: Lease, marker, sweep and all, without kopf."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from labquota.controllers.history import History
from labquota.controllers.leading import Leader
from labquota.kube import marker
from labquota.kube.lease import Lease
from labquota.kube.marker import Crd
from labquota.quota.world import World
from unit.operators import Operator, soon
from unit.simulated import Cluster

LEASE = "/apis/coordination.k8s.io/v1/namespaces/labquota-system/leases/labquota-operator"


class Leading(Operator):
    """As `Operator`, with all that the holder of the Lease does."""

    def __init__(self, cluster: Cluster, of: World, *, empty_seconds: float = 86_400.0) -> None:
        super().__init__(cluster, of)
        self.crd = Crd()
        self.crd.uid = "crd-1"
        lease = Lease(
            cluster,
            "labquota-system",
            marker.LEASE_NAME,
            identity="operator-0",
            clock=self.clock,
            rng=random.Random(5),
        )
        history = History(self.view, self.current, self.hurry, self.pods.relist)
        self.leader = Leader(
            lease, self.folder, self.expiry, self.view, self.store, self.crd, history, empty_seconds
        )

    def lead(self, epoch: int) -> None:
        """Take the Lease, then lead."""
        del epoch

        async def leading() -> None:
            await self.leader.lead(await self.leader.acquire())

        self.tasks.append(asyncio.create_task(leading()))

    def annotations(self) -> dict[str, str]:
        """Those of the Lease as it is stored."""
        stored: dict[str, Any] = self.cluster.objects.get(LEASE, {"metadata": {}})
        found: dict[str, str] = stored["metadata"].get("annotations", {})
        return found

    def beat(self) -> int:
        """The heartbeat as it is stored."""
        return int(self.annotations().get(marker.HEARTBEAT, "0"))

    def marked(self) -> str:
        """The CRD's UID in the marker; empty before all was folded once."""
        return self.annotations().get(marker.CRD_UID, "")

    async def whole(self) -> None:
        """Wait until the marker says that the whole cluster is folded."""
        await soon(lambda: self.marked() == self.crd.uid, 60)


async def leading(
    cluster: Cluster,
    of: World,
    scenario: Callable[[Leading], Awaitable[None]],
    *,
    empty_seconds: float = 86_400.0,
) -> None:
    """Run a scenario beside an operator that leads."""
    operator = Leading(cluster, of, empty_seconds=empty_seconds)
    await operator.start()
    try:
        await scenario(operator)
    finally:
        await operator.stop()
