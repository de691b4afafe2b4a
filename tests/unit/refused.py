"""A replica's aftercare on a simulated cluster: ReplicaSets whose pods are refused, and budget that comes and goes."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from labquota.kube.ledgers import Ledgers, Stored
from labquota.quota import pods
from labquota.quota.cases import Case
from labquota.quota.ledger import Ledger
from labquota.quota.limits import Group
from labquota.quota.owners import Owner
from labquota.quota.pods import Reference
from labquota.quota.stamping import NUDGED_ANNOTATION
from labquota.webhook.aftercare import Aftercare
from labquota.webhook.nudging import Nudger
from labquota.webhook.telling import Teller
from labquota.webhook.touching import Toucher
from unit.builders import ALICE, case, group, manifest, request, world
from unit.lineal import Discovered, reference
from unit.simulated import Clock, run

APPS = "/apis/apps/v1/namespaces/lab"
MAKER = "system:serviceaccount:kube-system:replicaset-controller"
STUDENT = group(aggregate={"gpu": 3})


class Care:
    """One replica's aftercare. Several may share a cluster."""

    def __init__(self, cluster: Discovered | None = None, *rules: Group) -> None:
        self.cluster, self.clock = cluster or Discovered(), Clock()
        self.world = world(*(rules or (STUDENT,)))
        self.store = Ledgers(self.cluster, self._told)
        lineage = self.cluster.lineage()
        toucher = Toucher(self.cluster, lineage, self.world.trust, self.clock)
        self.nudger = Nudger(toucher, self.world, self.store, self.clock)
        self.aftercare = Aftercare(self.world.trust, Teller(self.cluster, lineage, self.clock), self.nudger)
        self._version = 0

    def _told(self, owner: Owner) -> None:
        self.nudger.told(owner)

    def holds(self, owner: Owner = ALICE, **folded: int) -> None:
        """A newer ledger is seen, in which an owner holds so much."""
        self._version += 1
        self.store.changed("MODIFIED", Stored(owner, Ledger(folded=folded), str(self._version)), "")

    def case(self, maker: Reference | None, *, user: str = MAKER, dry_run: bool = False, **asks: Any) -> Case:
        """A controller's pod."""
        made = manifest("pod" if maker is None else f"{maker.name}-pod", **{"gpu": 1, **asks})
        made["metadata"]["ownerReferences"] = [] if maker is None else [reference(maker)]
        asked = request(pods.decode(json.dumps(made).encode()), user=user, dry_run=dry_run)
        return case(self.world, asked)

    def refuse(self, maker: Reference | None, line: str = "AGGREGATE: no", **asks: Any) -> None:
        """Such a pod is refused."""
        self.aftercare.refused(self.case(maker, **asks), ["AGGREGATE_GPU_QUOTA_EXCEEDED"], line)


def replica_set(cluster: Discovered, name: str, *, replicas: int = 1, running: int = 0) -> Reference:
    """A ReplicaSet that wants some pods and has fewer."""
    maker = cluster.put(f"{APPS}/replicasets/{name}", f"uid-{name}")
    item = cluster.objects[f"{APPS}/replicasets/{name}"]
    spec, status = {"replicas": replicas}, {"replicas": running}
    cluster.store(f"{APPS}/replicasets/{name}", {**item, "spec": spec, "status": status})
    return maker


def nudged(cluster: Discovered, name: str) -> str | None:
    """When a ReplicaSet was asked to try again."""
    annotations = cluster.objects[f"{APPS}/replicasets/{name}"]["metadata"].get("annotations") or {}
    found: str | None = annotations.get(NUDGED_ANNOTATION)
    return found


def nudges(cluster: Discovered) -> int:
    """How many times any was."""
    return cluster.count("patch", "/replicasets/")


def live(scenario: Coroutine[Any, Any, None], *cares: Care) -> None:
    """Play a scenario while replicas take care."""

    async def both() -> None:
        tasks = [asyncio.create_task(care.aftercare.run()) for care in cares]
        try:
            await scenario
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run(both())
