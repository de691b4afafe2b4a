"""The node's pods, as the API server has them: what joins devices and processes to people."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from labquota.quota import quantities
from labquota.quota.owners import OWNER_ANNOTATION

_HASH: Final = "kubernetes.io/config.hash"
"""On the mirror of a static pod: the UID by which the kubelet and its cgroups know it."""
_ENDED: Final = frozenset({"Succeeded", "Failed"})
_NANO: Final = 1_000_000_000


class Asked(NamedTuple):
    """A resource that a container asks for."""

    container: str
    resource: str


class Pod(NamedTuple):
    """One pod.

    Attributes:
        namespace, name, uid: Which it is; a pod of the same name with another UID is another one.
        owner: Who pays, by its stamp; empty: no stamp.
        alias: Another UID by which the kubelet knows it; empty: none.
        started: The kubelet has taken it. Before that it has no devices.
        ended: All its containers have ended for good: it holds nothing.
        preparing: Its first containers have not started yet, so init containers may run.
        asked: Extended resources that its containers ask for, init containers included.
        told: Ids of devices that its own status names, by container; kubelets before 1.36 name none.
    """

    namespace: str
    name: str
    uid: str
    owner: str
    alias: str
    started: bool
    ended: bool
    preparing: bool
    asked: Mapping[Asked, int]
    told: Mapping[Asked, frozenset[str]]


class _Resources(msgspec.Struct, gc=False):
    limits: dict[str, str | int | float] = {}


class _Container(msgspec.Struct, gc=False):
    name: str = ""
    resources: _Resources = msgspec.field(default_factory=_Resources)


class _Spec(msgspec.Struct, gc=False, rename="camel"):
    containers: list[_Container] = []
    init_containers: list[_Container] = []


class _Health(msgspec.Struct, gc=False, rename={"id": "resourceID"}):
    id: str = ""


class _Allocated(msgspec.Struct, gc=False):
    name: str = ""
    resources: list[_Health] = []


class _State(msgspec.Struct, gc=False):
    waiting: dict[str, Any] | None = None


class _ContainerStatus(msgspec.Struct, gc=False, rename="camel"):
    name: str = ""
    allocated_resources_status: list[_Allocated] = []
    state: _State = msgspec.field(default_factory=_State)


class _Status(msgspec.Struct, gc=False, rename="camel"):
    phase: str = ""
    start_time: str | None = None
    container_statuses: list[_ContainerStatus] = []


class _Metadata(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    annotations: dict[str, str] = {}


class _Pod(msgspec.Struct, gc=False):
    metadata: _Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


_decoder: Final = msgspec.json.Decoder(_Pod)


def decode(raw: bytes | msgspec.Raw) -> Pod:
    """Read a pod."""
    found = _decoder.decode(raw)
    meta, status = found.metadata, found.status
    return Pod(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        owner=meta.annotations.get(OWNER_ANNOTATION, ""),
        alias=meta.annotations.get(_HASH, ""),
        started=status.start_time is not None or bool(status.container_statuses),
        ended=status.phase in _ENDED,
        preparing=bool(found.spec.init_containers)
        and all(each.state.waiting is not None for each in status.container_statuses),
        asked=dict(_asked([*found.spec.containers, *found.spec.init_containers])),
        told=dict(_told(status.container_statuses)),
    )


def _asked(containers: list[_Container]) -> Iterator[tuple[Asked, int]]:
    for each in containers:
        for resource, amount in each.resources.limits.items():
            if "/" in resource:  # the limits of extended resources are their requests
                yield Asked(each.name, resource), quantities.stored(amount) // _NANO


def _told(statuses: list[_ContainerStatus]) -> Iterator[tuple[Asked, frozenset[str]]]:
    for each in statuses:
        for allocated in each.allocated_resources_status:
            ids = frozenset(device.id for device in allocated.resources)
            yield Asked(each.name, allocated.name), ids


class Pods:
    """The view of the node's pods; the sink of their informer.

    Args:
        told: Called when a pod that may have devices has started or ended, is new or gone.
    """

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        self._told = told
        self._by_name: dict[tuple[str, str], Pod] = {}
        self._by_uid: dict[str, Pod] = {}

    def named(self, namespace: str, name: str) -> Pod | None:
        """The pod of a name."""
        return self._by_name.get((namespace, name))

    def find(self, uid: str) -> Pod | None:
        """The pod of a UID, or of another one by which the kubelet knows it."""
        return self._by_uid.get(uid)

    def started(self) -> frozenset[str]:
        """The UIDs of all whom the kubelet has taken."""
        return frozenset(each.uid for each in self._by_name.values() if each.started)

    def replaced(self, items: list[Pod], resource_version: str) -> None:
        """Take the whole set."""
        del resource_version
        self._by_name.clear()
        self._by_uid.clear()
        for item in items:
            self._put(item)
        self._told()

    def changed(self, kind: str, item: Pod, resource_version: str) -> None:
        """Take one change."""
        del resource_version
        before = self._by_name.pop((item.namespace, item.name), None)
        if before is not None:
            self._by_uid.pop(before.uid, None)
            self._by_uid.pop(before.alias, None)
        if kind != "DELETED":
            self._put(item)
        if item.asked and (kind == "DELETED" or before is None or _standing(before) != _standing(item)):
            self._told()

    def progressed(self, resource_version: str) -> None:
        """Nothing to do."""

    def _put(self, pod: Pod) -> None:
        self._by_name[pod.namespace, pod.name] = pod
        self._by_uid[pod.uid] = pod
        if pod.alias:
            self._by_uid[pod.alias] = pod


def _standing(pod: Pod) -> tuple[object, ...]:
    return pod.uid, pod.started, pod.ended, pod.owner, pod.told
