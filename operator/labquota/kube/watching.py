"""The watches that webhook and operator share: groups, overrides, namespaces and GPUs into a World, and the ledgers."""

import random
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import msgspec

from labquota.api import API_VERSION, GPUNode, ResourceLimitGroup, ResourceLimitOverride
from labquota.clock import Clock
from labquota.kube import ledgers, marker
from labquota.kube.api import Api
from labquota.kube.informer import Informer
from labquota.kube.ledgers import Ledgers
from labquota.kube.marker import Crd, Marker
from labquota.kube.meta import Metadata
from labquota.quota import compiling
from labquota.quota.inventory import Inventory
from labquota.quota.world import World

T = TypeVar("T")

NODES = "/api/v1/nodes"
GPU_NODES = f"/apis/{API_VERSION}/gpunodes"


class _Namespace(msgspec.Struct, gc=False):
    metadata: Metadata


class _NodeStatus(msgspec.Struct, gc=False):
    allocatable: dict[str, str | int | float | None] = {}


class _Node(msgspec.Struct, gc=False):
    metadata: Metadata
    status: _NodeStatus = msgspec.field(default_factory=_NodeStatus)


class ByName(Generic[T]):
    """A sink that puts objects in by name and takes them out again, and tells afterwards that something changed."""

    def __init__(
        self,
        name: Callable[[T], str],
        put: Callable[[T], None],
        drop: Callable[[str], None],
        told: Callable[[], None],
    ) -> None:
        self._name, self._put, self._drop, self._told = name, put, drop, told
        self._known: set[str] = set()

    def replaced(self, items: list[T], resource_version: str) -> None:
        """Take the whole set; what is not in it is dropped."""
        del resource_version
        for name in self._known - {self._name(item) for item in items}:
            self._drop(name)
        self._known = {self._name(item) for item in items}
        for item in items:
            self._put(item)
        self._told()

    def changed(self, kind: str, item: T, resource_version: str) -> None:
        """Take one change."""
        del resource_version
        name = self._name(item)
        if kind == "DELETED":
            self._known.discard(name)
            self._drop(name)
        else:
            self._known.add(name)
            self._put(item)
        self._told()

    def progressed(self, resource_version: str) -> None:
        """Nothing to do."""


class Watching:
    """Makes the informers of one process and knows when all of them have seen their first set."""

    def __init__(self, api: Api, clock: Clock, rng: random.Random) -> None:
        self._api, self._clock, self._rng = api, clock, rng
        self.informers: list[Informer[Any]] = []

    def world(self, world: World, told: Callable[[], None] = lambda: None) -> None:
        """Watch groups, overrides and namespaces; `told` is called after each change."""
        groups = msgspec.json.Decoder(ResourceLimitGroup).decode
        overrides = msgspec.json.Decoder(ResourceLimitOverride).decode
        namespaces = msgspec.json.Decoder(_Namespace).decode

        def put_namespace(found: _Namespace) -> None:
            world.put_namespace(found.metadata.name, found.metadata.labels, found.metadata.annotations)

        self.add(
            f"/apis/{API_VERSION}/resourcelimitgroups",
            lambda raw: compiling.group(groups(raw)),
            ByName(lambda group: group.name, world.put_group, world.drop_group, told),
        )
        self.add(
            f"/apis/{API_VERSION}/resourcelimitoverrides",
            lambda raw: compiling.override(overrides(raw)),
            ByName(lambda override: override.name, world.put_override, world.drop_override, told),
        )
        self.add(
            "/api/v1/namespaces",
            namespaces,
            ByName(lambda found: found.metadata.name, put_namespace, world.drop_namespace, told),
        )

    def inventory(self, inventory: Inventory, told: Callable[[], None] = lambda: None) -> None:
        """Watch Nodes and what agents report of them; `told` is called after each change that can change a price."""
        nodes = msgspec.json.Decoder(_Node).decode
        known = inventory.revision

        def put_node(found: _Node) -> None:
            inventory.put_node(found.metadata.name, found.metadata.labels, found.status.allocatable)

        def look() -> None:
            nonlocal known
            if known != inventory.revision:
                known = inventory.revision
                told()

        self.add(NODES, nodes, ByName(lambda found: found.metadata.name, put_node, inventory.drop_node, look))
        self.add(
            GPU_NODES,
            msgspec.json.Decoder(GPUNode).decode,
            ByName(lambda found: found.metadata.name, inventory.put_gpus, inventory.drop_gpus, look),
        )

    def ledgers(self, sink: Ledgers) -> Informer[Any]:
        """Watch all ledgers."""
        return self.add(ledgers.PATH, ledgers.decode, sink)

    def marker(self, sink: Marker, namespace: str) -> None:
        """Watch the operator's Lease and the CRD that it speaks of."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self.add(path, marker.decode, sink, {"fieldSelector": f"metadata.name={marker.LEASE_NAME}"})
        self.crd(sink.crd)

    def crd(self, sink: Crd) -> None:
        """Watch the OwnerLedger CRD."""
        selector = {"fieldSelector": f"metadata.name={marker.CRD_NAME}"}
        self.add(marker.CRD_PATH, marker.decode, sink, selector)

    def add(
        self,
        path: str,
        decode: Callable[[msgspec.Raw], Any],
        sink: Any,
        params: dict[str, str] | None = None,
        key: Callable[[Any], Hashable] | None = None,
        *,
        large: bool = False,
    ) -> Informer[Any]:
        """Watch one collection; of a large one the whole set is listed, which is twice as quick as from a watch."""
        informer: Informer[Any] = Informer(
            self._api,
            path,
            decode,
            sink,
            clock=self._clock,
            rng=self._rng,
            watch_list=not large,
            params=params,
            key=key,
        )
        self.informers.append(informer)
        return informer

    @property
    def synced(self) -> bool:
        """Whether every informer has shown its first whole set."""
        return all(informer.synced.is_set() for informer in self.informers)
