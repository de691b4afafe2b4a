"""Pods that are gone, until their node's report says that their devices are free.

An allocation goes with its pod. Where the kubelet still gives the pod a device, as after a forced deletion, another one
is made in its place that goes with us: it says Orphaned until the kubelet lets go.
"""

import msgspec

from labquota.api import BoundDevice, GPUAllocationStatus
from labquota.clock import Clock
from labquota.controllers.allocations import problems, standing
from labquota.controllers.allocations.evidence import Evidence
from labquota.controllers.allocations.hardware import Reports
from labquota.controllers.allocations.problems import Finding
from labquota.controllers.allocations.stored import Stored
from labquota.controllers.allocations.writing import Pod
from labquota.quota.amounts import Amounts
from labquota.quota.owners import Owner


class Gone(msgspec.Struct, frozen=True, gc=False):
    """A pod that is gone, and what it had."""

    pod: Pod
    resources: Amounts
    node: str
    devices: tuple[BoundDevice, ...]


class Departed:
    """Those that are gone.

    Args:
        reports: What the nodes' agents say.
        clock: The time of conditions.
    """

    def __init__(self, reports: Reports, clock: Clock) -> None:
        self._reports, self._clock = reports, clock
        self._gone: dict[str, Gone] = {}

    def note(self, pod: Pod, resources: Amounts, node: str, stored: Stored | None) -> None:
        """A pod is gone; without a report of its node nobody will ever say what has become of its devices."""
        devices = stored.status.devices if stored is not None and stored.status is not None else ()
        if devices and node in self._reports:
            self._gone[pod.uid] = Gone(pod, resources, node, devices)

    def on(self, node: str) -> list[str]:
        """Those that were on a node."""
        return [uid for uid, each in self._gone.items() if each.node == node]

    def get(self, uid: str, stored: Stored | None) -> Gone | None:
        """A pod that is gone; also one of whom only an allocation is left that goes with us."""
        if uid not in self._gone and stored is not None and not stored.is_owned:
            self._gone[uid] = _remembered(stored)
        return self._gone.get(uid)

    def find(self, gone: Gone) -> Finding:
        """Whether the kubelet still gives it a device."""
        pod = gone.pod
        hardware = self._reports.get(gone.node)
        return problems.orphaned(gone.devices, pod.uid, pod.namespace, pod.name, hardware)

    def forget(self, uid: str) -> None:
        """Its devices are free."""
        self._gone.pop(uid, None)

    def clear(self) -> None:
        """Forget all."""
        self._gone.clear()

    def status(self, stored: Stored, gone: Gone, finding: Finding) -> GPUAllocationStatus:
        """The status of what is left of it."""
        known = stored.status or standing.NOTHING
        return standing.decide(
            known,
            "Released",
            Evidence(known.source or "Agent", gone.devices),
            {problems.ORPHANED: finding},
            equivalents=known.summary.equivalents,
            reports=self._reports,
            generation=stored.generation,
            now=self._clock.now(),
        )


def _remembered(stored: Stored) -> Gone:
    """A pod that was gone before this operator led."""
    status = stored.status or standing.NOTHING
    resources: Amounts = {}
    for each in status.devices:
        resources[each.resource] = resources.get(each.resource, 0) + 1
    pod = Pod(stored.namespace, stored.pod, stored.pod_uid, Owner(stored.owner))
    return Gone(pod, resources, status.devices[0].node if status.devices else "", status.devices)
