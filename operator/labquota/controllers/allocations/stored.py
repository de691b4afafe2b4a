"""The GPUAllocations as they are stored: the sink of the informer on them.

The informer's and not kopf's: holds are charged from it, which takes whole sets, versions and progress; and there is
one for every pod with GPUs, each of whose events would cost kopf a millisecond.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any, Final

import msgspec

from labquota.api import API_VERSION, BoundDevice, Condition, GPUAllocationSpec, GPUAllocationStatus
from labquota.kube import versions

PATH: Final = f"/apis/{API_VERSION}/gpuallocations"


class _Meta(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    owner_references: list[Any] | None = None


class _Object(msgspec.Struct, gc=False):
    metadata: _Meta
    spec: GPUAllocationSpec
    status: GPUAllocationStatus | None = None


_DECODER: Final = msgspec.json.Decoder(_Object)


class Stored(msgspec.Struct, gc=False, eq=False):
    """One allocation, as far as it is looked at."""

    namespace: str
    name: str
    uid: str
    version: str
    generation: int
    owner: str
    pod: str
    """The pod's name; empty: this is a hold."""
    pod_uid: str
    is_owned: bool
    """Whether it goes with its pod."""
    status: GPUAllocationStatus | None
    hold: GPUAllocationSpec | None = None

    @property
    def key(self) -> str:
        """The UID of whoever has the devices: the pod's, or the hold's own."""
        return self.pod_uid or self.uid


def decode(raw: msgspec.Raw | bytes) -> Stored:
    """An allocation as the API server sends it.

    Raises:
        msgspec.DecodeError: It is none.
    """
    found = _DECODER.decode(raw)
    meta, spec = found.metadata, found.spec
    return Stored(
        namespace=sys.intern(meta.namespace),
        name=meta.name,
        uid=meta.uid,
        version=meta.resource_version,
        generation=meta.generation,
        owner=sys.intern(spec.owner),
        pod="" if spec.pod is None else spec.pod.name,
        pod_uid="" if spec.pod is None else spec.pod.uid,
        is_owned=bool(meta.owner_references),
        status=found.status and _slim(found.status),
        hold=spec if spec.pod is None else None,
    )


def path_of(namespace: str, name: str = "") -> str:
    """Where an allocation is stored, or those of a namespace."""
    collection = f"/apis/{API_VERSION}/namespaces/{namespace}/gpuallocations"
    return f"{collection}/{name}" if name else collection


class Allocations:
    """All allocations, by whoever has the devices.

    Args:
        told: Called with an allocation that was seen, or is gone.
    """

    def __init__(self, told: Callable[[Stored, bool], None] = lambda _item, _gone: None) -> None:
        self._told = told
        self._items: dict[str, Stored] = {}

    def get(self, key: str) -> Stored | None:
        """The allocation of a pod, or a hold, by UID."""
        return self._items.get(key)

    def all(self) -> list[Stored]:
        """All of them."""
        return list(self._items.values())

    def keep(self, item: Stored) -> None:
        """Take what the API server answered to a write, unless the watch has shown something newer."""
        known = self._items.get(item.key)
        if known is None or known.uid != item.uid or versions.newer(item.version, known.version):
            self._items[item.key] = item

    def replaced(self, items: list[Stored], resource_version: str) -> None:
        """Take the whole set."""
        del resource_version
        before, self._items = self._items, {item.key: item for item in items}
        for key, item in before.items():
            if key not in self._items:
                self._told(item, True)
        for item in items:
            self._told(item, False)

    def changed(self, kind: str, item: Stored, resource_version: str) -> None:
        """Take one change."""
        del resource_version
        if kind != "DELETED":
            self._items[item.key] = item
        elif (known := self._items.get(item.key)) is not None and known.uid == item.uid:
            del self._items[item.key]
        self._told(item, kind == "DELETED")

    def progressed(self, resource_version: str) -> None:
        """Nothing to do."""


def _slim(status: GPUAllocationStatus) -> GPUAllocationStatus:
    """The same in less memory: most of what it says is said of others as well."""
    return msgspec.structs.replace(
        status, devices=tuple(map(_device, status.devices)), conditions=tuple(map(_shared, status.conditions))
    )


def _device(device: BoundDevice) -> BoundDevice:
    return BoundDevice(
        node=sys.intern(device.node),
        gpu=sys.intern(device.gpu),
        gpu_instance=device.gpu_instance,
        compute_instance=device.compute_instance,
        uuid=device.id if device.uuid == device.id else device.uuid,
        id=device.id,
        resource=sys.intern(device.resource),
        container=sys.intern(device.container),
        model=sys.intern(device.model),
        profile=sys.intern(device.profile),
    )


@functools.lru_cache(maxsize=4096)
def _shared(condition: Condition) -> Condition:
    return condition
