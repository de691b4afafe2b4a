"""The pods that ask for GPUs, with the devices that the kubelet wrote into their statuses.

Stands between the pod informer and the view. A pod without GPUs, or one that waits for a node and so has none, costs
a look at its charge, and no memory.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

import msgspec

from labquota.controllers.charges import Charge
from labquota.controllers.pods import Pods
from labquota.kube.feed import Kind
from labquota.quota.amounts import Amounts
from labquota.quota.owners import Owner


class Grant(NamedTuple):
    """A device that the kubelet has given to a container, by the pod's own status (Kubernetes 1.36)."""

    container: str
    resource: str
    device: str


class _Resource(msgspec.Struct, rename="camel", gc=False):
    resource_id: str = msgspec.field(name="resourceID", default="")


class _Allocated(msgspec.Struct, gc=False):
    name: str = ""
    resources: list[_Resource] | None = None


class _Container(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    allocated_resources_status: list[_Allocated] | None = None


class _Status(msgspec.Struct, rename="camel", gc=False):
    container_statuses: list[_Container] | None = None
    init_container_statuses: list[_Container] | None = None


class _Pod(msgspec.Struct, gc=False):
    status: _Status = msgspec.field(default_factory=_Status)


_decode: Final = msgspec.json.Decoder(_Pod).decode


_Seen = tuple[str, int, Owner, Amounts, tuple[Grant, ...] | None]
"""What of a pod matters to its devices: its node, its state, its owner, what it asks for and what it was given."""


class Listener(Protocol):
    """Who is told of pods with GPUs."""

    def __call__(self, charge: Charge, *, gone: bool) -> None:
        """A pod that asks for GPUs was seen, or is gone."""
        ...


class GpuPods:
    """The sink of the pod informer: everything goes on to the view, and what asks for GPUs is remembered.

    Args:
        view: All pods.
        told: Called after the view has taken a pod that asks for GPUs.
    """

    def __init__(self, view: Pods, told: Listener) -> None:
        self._view, self._told = view, told
        self._grants: dict[str, tuple[Grant, ...]] = {}
        self._on: dict[str, set[str]] = {}
        """UIDs by node."""
        self._seen: dict[str, _Seen] = {}

    def decode(self, raw: msgspec.Raw | bytes) -> Charge:
        """What the view keeps of a pod."""
        charge = self._view.decode(raw)
        if _may_hold(charge):
            grants = tuple(_grants(raw)) if b"allocatedResourcesStatus" in bytes(raw) else ()
            if grants:
                self._grants[charge.uid] = grants
            else:
                self._grants.pop(charge.uid, None)
        return charge

    def has(self, uid: str) -> bool:
        """Whether there is such a pod, and it asks for GPUs."""
        return uid in self._seen

    def grants(self, uid: str) -> tuple[Grant, ...]:
        """What a pod's status says that it was given."""
        return self._grants.get(uid, ())

    def on(self, node: str) -> Iterator[str]:
        """UIDs of the pods with GPUs on a node."""
        return iter(self._on.get(node, ()))

    def all(self) -> Iterator[str]:
        """UIDs of all pods with GPUs."""
        return iter(self._seen)

    def replaced(self, items: list[Charge], resource_version: str) -> None:
        """Take the whole set; what the view has lost with it is gone."""
        before = {uid: charge for uid in self._seen if (charge := self._view.find(uid)) is not None}
        self._view.replaced(items, resource_version)
        for uid, charge in before.items():
            if self._view.find(uid) is None:
                self._forget(charge)
        for charge in items:
            if _may_hold(charge):
                self._note(charge)

    def changed(self, kind: Kind, item: Charge, resource_version: str) -> None:
        """Take one change."""
        self._view.changed(kind, item, resource_version)
        if not _may_hold(item):
            return
        if kind == "DELETED":
            self._forget(item)
        else:
            self._note(item)

    def progressed(self, resource_version: str) -> None:
        """Note that everything up to this version has been shown."""
        self._view.progressed(resource_version)

    def _note(self, charge: Charge) -> None:
        uid, node = charge.uid, charge.node
        new = node, charge.state, charge.owner, charge.amounts, self._grants.get(uid)
        before = self._seen.get(uid)
        if before == new:
            return  # as after most events: nothing of it is about devices
        if before is None or before[0] != node:
            self._leave(uid)
            if node:
                self._on.setdefault(node, set()).add(uid)
        self._seen[uid] = new
        self._told(charge, gone=False)

    def _forget(self, charge: Charge) -> None:
        uid = charge.uid
        self._leave(uid)
        self._grants.pop(uid, None)
        self._told(charge, gone=True)

    def _leave(self, uid: str) -> None:
        seen = self._seen.pop(uid, None)
        if seen is not None and (there := self._on.get(seen[0])) is not None:
            there.discard(uid)
            if not there:
                del self._on[seen[0]]


def _may_hold(charge: Charge) -> bool:
    """Whether a pod can have been given GPUs."""
    return bool(charge.node) and "gpu" in charge.amounts


def _grants(raw: msgspec.Raw | bytes) -> Iterator[Grant]:
    try:
        status = _decode(raw).status
    except msgspec.DecodeError:
        return  # the view could read it; what the kubelet adds is no reason to lose the pod
    for container in (*(status.container_statuses or ()), *(status.init_container_statuses or ())):
        for allocated in container.allocated_resources_status or ():
            for each in allocated.resources or ():
                if each.resource_id:
                    yield Grant(container.name, allocated.name, each.resource_id)
