"""Everything that there is in one history: etcd, two API servers, replicas, operators, and who watches over them."""

import datetime as dt
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from labquota.kube import marker
from labquota.settings import Settings
from simulation.apiserver import ApiServer
from simulation.connection import GROUPS
from simulation.machines import START, Machine, Server
from simulation.network import Network
from simulation.paths import Key
from simulation.processes import Operator, Webhook
from simulation.store import Change, Store
from simulation.timeline import Timeline

if TYPE_CHECKING:
    from simulation.checker import Checker
    from simulation.deeds import Deed

NAMESPACES: Final = "/api/v1/namespaces"
CRD: Final = Key(marker.CRD_PATH, "", marker.CRD_NAME)
LEASE: Final = Key("/apis/coordination.k8s.io/v1/leases", "labquota-system", marker.LEASE_NAME)
LAG_SECONDS: Final = 0.004


class Cluster:
    """See the module.

    Args:
        seed: of everything that is left to chance.
        settings: labquota's.
        webhooks: how many replicas.
        operators: how many operators.
        servers: how many API servers.
        fails_open: `failurePolicy: Ignore`.

    Attributes:
        checker: watches; set by whoever makes the cluster.
        deeds: all requests of users so far.
        accidents: what labquota's code raised and nobody took.
    """

    checker: "Checker"

    def __init__(
        self,
        seed: int,
        settings: Settings,
        *,
        webhooks: int = 2,
        operators: int = 2,
        servers: int = 2,
        fails_open: bool = True,
    ) -> None:
        self.rng = random.Random(seed)
        self.settings, self.fails_open = settings, fails_open
        self.timeline = Timeline()
        self.network = Network(self.timeline, random.Random(seed + 2))
        self.store = Store()
        self.deeds: list[Deed] = []
        self.accidents: list[str] = []
        self.lag = LAG_SECONDS
        self.longest_create = settings.create_seconds
        """How long an API server takes at the most, from asking the webhook to the store."""
        self.begun = 0
        """The version before labquota was started."""
        rng = self.rng

        def parts(kind: type[Any], name: str, count: int) -> list[Any]:
            return [
                kind(
                    self.timeline,
                    f"{name}-{number}",
                    rng.random() * 1e5,
                    self._died,
                    self.network,
                    settings.__class__(**{**settings.__dict__, "identity": f"{name}-{number}"}),
                    rng.getrandbits(32),
                )
                for number in range(count)
            ]

        self.webhooks: list[Webhook] = parts(Webhook, "webhook", webhooks)
        self.operators: list[Operator] = parts(Operator, "operator", operators)
        self.servers = [
            Server(
                self.timeline, f"apiserver-{number}", lambda: ApiServer(self.store, self.stamp), self._died
            )
            for number in range(servers)
        ]
        self.network.servers = self.servers
        self.store.told.append(self._spread)

    @property
    def machines(self) -> Sequence[Machine]:
        """All processes."""
        return (*self.servers, *self.operators, *self.webhooks)

    def machine(self, name: str) -> Machine | None:
        """A process by its name."""
        return next((machine for machine in self.machines if machine.name == name), None)

    def stamp(self) -> str:
        """The time by the API servers' clocks."""
        return (START + dt.timedelta(seconds=self.timeline.now)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def begin(self, limits: dict[str, str], on_error: str = "Allow") -> None:
        """Store what is there before labquota runs: its definition and a group for everybody."""
        self.store.put(CRD, {"metadata": {"name": marker.CRD_NAME}})
        self.store.put(Key(NAMESPACES, "", "lab"), {"metadata": {"name": "lab"}})
        self.limit(limits, on_error)

    def leave_marker(self) -> None:
        """Store the Lease as an operator leaves it that has folded everything, and stops."""
        crd = self.store.find(CRD)
        assert crd is not None
        annotations = dict(marker.of(str(self.store.version), crd.uid, 1))
        meta = {"name": LEASE.name, "namespace": LEASE.namespace, "annotations": annotations}
        spec = {
            "holderIdentity": "",
            "leaseDurationSeconds": 10,
            "leaseTransitions": 1,
            "renewTime": self.stamp(),
        }
        self.store.put(LEASE, {"metadata": meta, "spec": spec})

    def boot(self) -> None:
        """Start the API servers."""
        self.begun = self.store.version
        for server in self.servers:
            server.boot()

    def limit(self, limits: dict[str, str], on_error: str = "Allow") -> None:
        """Set what everybody may hold."""
        spec = {"defaultFor": ["User"], "whenUnset": "Ignore", "aggregate": limits, "onError": on_error}
        key = Key(GROUPS, "", "everybody")
        old = self.store.find(key)
        meta = {"name": "everybody", "generation": 1}
        if old is not None:
            meta = {**old.body["metadata"], "generation": old.body["metadata"]["generation"] + 1}
        self.store.put(key, {"apiVersion": "labquota.dev/v1alpha1", "metadata": meta, "spec": spec}, "admin")

    def _spread(self, change: Change) -> None:
        for server in self.servers:
            if server.alive:
                self.timeline.after(0.0002 + self.lag * self.rng.random() ** 2, server.see, change.version)

    def _died(self, name: str, text: str) -> None:
        self.accidents.append(f"{name}: {text}")
