"""Replicas of the webhook's queues on a simulated cluster, with a marker that says that an operator folds."""

import asyncio
import random
from typing import Any
from weakref import WeakKeyDictionary

from labquota.kube import ledgers, marker
from labquota.kube.ledgers import Ledgers
from labquota.kube.lineage import Lineage
from labquota.kube.marker import Marker, Named, Pulse
from labquota.quota import encoding, ledger, owners
from labquota.quota.admission import Case, Verdict
from labquota.quota.ledger import Ledger
from labquota.quota.limits import Group
from labquota.quota.owners import Owner
from labquota.quota.world import World
from labquota.webhook.admissions import Admissions
from labquota.webhook.means import Means
from labquota.webhook.whose import Whose
from unit.builders import ALICE, case, pod, request, world
from unit.simulated import Clock, Cluster

_REPLICAS: WeakKeyDictionary[Cluster, int] = WeakKeyDictionary()


class Replica:
    """One webhook without HTTP; its copies of ledgers are its own."""

    def __init__(
        self, cluster: Cluster, of: World, seed: int = 1, *, folded: bool = True, advances: bool = True
    ) -> None:
        self.world, self.clock = of, Clock()
        self.store, self.marker = (
            Ledgers(cluster, self._told),
            Marker(self.clock),
        )
        pulse = Pulse(cluster, self.marker, "labquota-system", self.clock)
        number = _REPLICAS[cluster] = (
            _REPLICAS.get(cluster, 0) + 1
        )  # two of one name would take each other's advances
        self.means = Means(
            self.store, pulse, self.clock, random.Random(f"{seed} {number}"), take_advances=advances
        )
        self.admissions = Admissions(self.means, self.clock)
        self._beat = 0
        if folded:
            self.beat()

    def _told(self, owner: Owner) -> None:
        self.admissions.told(owner)

    def beat(self) -> None:
        """See the operator's marker, and that it is alive."""
        self._beat += 1
        self.marker.crd.uid = "crd"
        annotations = dict(marker.of("7", "crd", self._beat))
        self.marker.changed("MODIFIED", Named(marker._Meta(annotations=annotations)), "1")  # noqa: SLF001  as decoded

    def case(self, name: str, **asks: Any) -> Case:
        """Alice's create of a pod; `dry_run` and `user_groups` are of the request."""
        dry_run, user_groups = asks.pop("dry_run", False), asks.pop("user_groups", ())
        owner = asks.get("owner", ALICE)
        asked = request(pod(name, **asks), user=owners.name(owner), groups=user_groups, dry_run=dry_run)
        return case(self.world, asked, known=self.store.groups(owner))

    async def judge(self, name: str, seconds: float = 9.0, **asks: Any) -> Verdict:
        """The verdict on such a create."""
        asked = self.case(name, **asks)
        return await self.admissions.judge(lambda: asked, seconds)


def replica(cluster: Cluster, *rules: Group, **more: Any) -> Replica:
    """A replica with these groups."""
    return Replica(cluster, world(*rules), **more)


def whose(cluster: Cluster, one: Replica) -> Whose:
    """What finds the owners of pods whose stamp does not say it."""
    return Whose(one.world.trust, lineage(cluster, one))


def lineage(cluster: Cluster, one: Replica) -> Lineage:
    """Where references lead in a cluster."""
    return Lineage(cluster, one.clock, one.world.trust, one.world.annotations_of)


def where(owner: Owner = ALICE) -> str:
    """The path of an owner's ledger."""
    return f"{ledgers.PATH}/{owners.object_name(owner)}"


def held(cluster: Cluster, owner: Owner = ALICE) -> Ledger:
    """An owner's ledger as it is stored."""
    item = cluster.objects.get(where(owner))
    return encoding.decode(item["ledger"]) if item else ledger.EMPTY


def put(cluster: Cluster, of: Ledger, owner: Owner = ALICE) -> None:
    """Store a ledger, as the operator would."""
    item = {"metadata": {"name": owners.object_name(owner)}, "owner": owner, "ledger": encoding.encode(of)}
    cluster.store(where(owner), item)


async def all_of(*judging: Any) -> list[Any]:
    """All verdicts, outages among them."""
    return await asyncio.gather(*judging, return_exceptions=True)
