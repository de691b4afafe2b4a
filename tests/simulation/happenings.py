"""What each kind of step does to the cluster, and how everything is put right in the end."""

from typing import Any, Final

from labquota.kube.errors import Unreachable
from simulation.cluster import Cluster
from simulation.faults import Fault
from simulation.kubernetes import NAMESPACE, PODS, Kubernetes
from simulation.machines import Machine, Server
from simulation.paths import Key
from simulation.plan import Step
from simulation.processes import Operator

OTHERS: Final = 400
"""How many versions others write before a backup of etcd is restored."""
SINCE: Final = 100
"""How many they write right after it: no ledger comes to bear the very version again that it had in the lost history,
so that a swap on a copy from there would succeed. Among the versions of a real cluster it is one of thousands."""


class Happenings:
    """Carries steps out.

    Args:
        cluster: what they happen to.
        kubernetes: makes and resizes pods.

    Attributes:
        busy_until: until when a step lasts.
    """

    def __init__(self, cluster: Cluster, kubernetes: Kubernetes) -> None:
        self._cluster, self._kubernetes = cluster, kubernetes
        self.busy_until = 0.0
        self._limits: list[Any] = []

    def happen(self, step: Step) -> None:
        """Carry out one step."""
        cluster = self._cluster
        cluster.network.tell("PLAN", step.what, _words(step.args))
        self.busy_until = max(self.busy_until, cluster.timeline.now + 0.3)
        getattr(self, f"_{step.what}")(**step.args)

    def heal(self) -> None:
        """Put everything right: all run, nobody is frozen, cut off or slow, and no connection is silent."""
        for machine in self._cluster.machines:
            self._mend(machine)
            machine.faults.clear()
            if isinstance(machine, Operator) and machine.stopping:
                machine.die()
            machine.boot()
        for server in self._cluster.servers:
            self._unhold(server)

    def _create(self, **args: Any) -> None:
        self._kubernetes.create(**args)

    def _resize(self, **args: Any) -> None:
        self._kubernetes.resize(**args)

    def _end(self, name: str, how: str) -> None:
        store, key = self._cluster.store, Key(PODS, NAMESPACE, name)
        item = store.find(key)
        if item is None:
            return
        if how == "delete":
            store.remove(key, "kubelet")
        elif item.body["status"]["phase"] in ("Pending", "Running"):
            store.put(key, _copy(item.body, status={"phase": how}), "kubelet")

    def _run(self, name: str) -> None:
        """The kubelet says what the pod runs with."""
        store, key = self._cluster.store, Key(PODS, NAMESPACE, name)
        item = store.find(key)
        if item is not None and item.body["status"]["phase"] in ("Pending", "Running"):
            running = dict(item.body["spec"]["containers"][0]["resources"]["requests"])
            status = {
                "name": "main",
                "allocatedResources": running,
                "resources": {"requests": running, "limits": running},
            }
            body = _copy(item.body, status={"phase": "Running", "containerStatuses": [status]})
            store.put(key, body, "kubelet")

    def _limit(self, limits: dict[str, str]) -> None:
        self._cluster.limit(limits)

    def _fault(self, machine: str, fault: dict[str, Any]) -> None:
        found = self._cluster.machine(machine)
        if found is not None:
            found.faults.append(Fault(**fault))

    def _crash(self, machine: str, seconds: float) -> None:
        self._for(machine, seconds, lambda found: found.die(), lambda found: found.boot())

    def _stop(self, machine: str, seconds: float) -> None:
        found = self._cluster.machine(machine)
        if isinstance(found, Operator):
            found.stop()
            self._later(seconds, found.boot)

    def _freeze(self, machine: str, seconds: float) -> None:
        self._for(machine, seconds, lambda found: found.freeze(), lambda found: found.thaw())

    def _hold(self, machine: str, seconds: float) -> None:
        """The watch cache of an API server sees nothing new."""
        found = self._cluster.machine(machine)
        if isinstance(found, Server):
            found.held = True
            self._later(seconds, lambda: self._unhold(found))

    def _cut(self, machine: str, seconds: float) -> None:
        self._for(machine, seconds, _cut, self._mend)

    def _slow(self, machine: str, seconds: float, factor: float) -> None:
        def slow(found: Machine) -> None:
            found.slowness = factor

        def usual(found: Machine) -> None:
            found.slowness = 1.0

        self._for(machine, seconds, slow, usual)

    def _silence(self, machine: str, resource: str, seconds: float) -> None:
        """The connections of some watches stay open, and nothing comes."""
        found = self._cluster.machine(machine)
        if found is not None:
            silent = [each for each in found.connections if resource in each.resource]
            for each in silent:
                each.silence()

            def speak() -> None:
                for each in silent:
                    each.speak()

            self._later(seconds, speak)

    def _break(self, machine: str) -> None:
        found = self._cluster.machine(machine)
        for connection in list(found.connections) if found is not None else ():
            connection.fail(Unreachable("the connection was cut"))

    def _forget(self, machine: str) -> None:
        """The watch cache drops the past, and all its streams break: they are answered 410."""
        found = self._cluster.machine(machine)
        if isinstance(found, Server) and found.alive:
            found.api.cache.forget()
            self._break(machine)

    def _clock(self, machine: str, seconds: float) -> None:
        found = self._cluster.machine(machine)
        if found is not None:
            found.shift += seconds

    def _restore(self, versions: int) -> None:
        """etcd goes back by some versions, and by many of others, and the API servers are started anew.

        By few versions it would not be noticed: the new history would be past the old one before anybody looked.
        """
        cluster = self._cluster
        back_to = max(cluster.begun, cluster.store.version - versions)
        cluster.store.pass_by(OTHERS)
        for number in range(4):
            self._later(number / 10, self._bookmark)
        self._later(0.5, lambda: self._go_back(back_to))

    def _bookmark(self) -> None:
        for server in self._cluster.servers:
            server.see(self._cluster.store.version)
            for connection in server.connections:
                connection.bookmark()

    def _go_back(self, version: int) -> None:
        cluster = self._cluster
        for server in cluster.servers:
            server.die()
        cluster.store.restore(version)
        cluster.store.pass_by(SINCE)
        cluster.checker.restored()
        for server in cluster.servers:
            self._later(0.5, server.boot)

    def _for(self, machine: str, seconds: float, begin: Any, end: Any) -> None:
        found = self._cluster.machine(machine)
        if found is not None:
            begin(found)
            self._later(seconds, lambda: end(found))

    def _later(self, seconds: float, act: Any) -> None:
        self.busy_until = max(self.busy_until, self._cluster.timeline.now + seconds + 0.01)
        self._cluster.timeline.after(seconds, act)

    def _mend(self, machine: Machine) -> None:
        machine.cut, machine.slowness = False, 1.0
        machine.thaw()
        for connection in list(machine.connections):
            connection.mend()

    def _unhold(self, server: Server) -> None:
        server.held = False
        server.see(self._cluster.store.version)


def _cut(machine: Machine) -> None:
    machine.cut = True


def _copy(body: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {**body, "metadata": dict(body["metadata"]), **parts}


def _words(args: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in args.items() if value not in (False, None, 0.0))
