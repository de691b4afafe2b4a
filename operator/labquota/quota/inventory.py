"""The GPUs that exist, as far as prices follow from them: what a device costs a pod that may run here or there.

    the administrator's word  ──► else the worst case of the nodes that offer the name and that the pod may run on
                              ──► else (none does) of all nodes that offer it, and of the table of models
                              ──► else nothing: the name is unknown, and to be refused

Whoever watches the cluster puts nodes in and takes them out; the decision only reads.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from labquota.api import GPUNode
from labquota.quota import gpus, placing, prices, profiles
from labquota.quota import gpusettings as settings_
from labquota.quota.amounts import Amounts
from labquota.quota.deviceids import DeviceKey
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.offers import Node, offered
from labquota.quota.placing import ANY, Placement
from labquota.quota.points import Price

_MOST_REMEMBERED: Final = 2_000
_NVIDIA: Final = "nvidia.com/"
_CLOCK: Final = "nvidia.com/gfd.timestamp"
"""A label that says when the others were written, and makes no node another one."""


class Inventory:
    """What nodes offer, with the prices that follow.

    Args:
        settings: What the administrator has set about GPUs.
        has_nodes: Whether Nodes are put in. Without them their agents' word says what is offered, and a pod may run on
            any of them as far as labels go.
    """

    def __init__(self, settings: GPUSettings = settings_.DEFAULT, *, has_nodes: bool = True) -> None:
        self.settings, self._has_nodes = settings, has_nodes
        self.revision = 0
        """Counts the changes after which prices may be others."""
        names = (*settings.prefixes, *settings.resources)
        self.is_plain = all(map(gpus.is_gpu_like, names))
        """Whether all GPUs are called by the vendor's name, by which `demand` counts them."""
        self.memo: dict[tuple[int, Placement], tuple[Amounts, Amounts]] = {}
        """What was reckoned by these prices, for whoever asks again; emptied when any of them changes."""
        self._nodes: dict[str, Node] = {}
        self._by_name: dict[str, list[Node]] | None = None
        self._any: dict[str, Price | None] = {}
        self._placed: dict[tuple[str, Placement], Price | None] = {}

    def put_node(
        self,
        name: str,
        labels: Mapping[str, str],
        allocatable: Mapping[str, str | int | float | None],
    ) -> None:
        """Take in a new or changed Node; most changes of a Node change nothing here.

        Args:
            name: Its name.
            labels: Its labels.
            allocatable: What it has for pods, at least of GPUs.
        """
        labels = {key: value for key, value in labels.items() if key != _CLOCK}
        found = offered(self.settings, allocatable)
        known = self._nodes.get(name)
        if not found and not any(map(self.settings.is_gpu_like, allocatable)) and not _is_labelled(labels):
            if known is not None and known.offered is not None:
                self.drop_node(name)
            return
        if known is not None and known.offered == found and known.labels == labels:
            return
        node = self._node(name)
        node.offered, node.labels = found, labels
        self._note(node)

    def drop_node(self, name: str) -> None:
        """Forget a Node."""
        if (node := self._nodes.get(name)) is not None:
            node.offered, node.labels = None, {}
            self._note(node)

    def put_gpus(self, reported: GPUNode) -> None:
        """Take in what a node's agent reports; who holds what, and when it was looked at, is of no account here."""
        name, status = reported.metadata.name, reported.status
        known = self._nodes.get(name)
        if (
            known is not None
            and known.gpus is not None
            and (known.gpus.gpus, known.gpus.resources) == (status.gpus, status.resources)
        ):
            known.gpus = status
            return
        node = self._node(name)
        node.gpus = status
        self._note(node)

    def drop_gpus(self, name: str) -> None:
        """Forget what a node's agent has reported."""
        if (node := self._nodes.get(name)) is not None:
            node.gpus = None
            self._note(node)

    def price(self, resource: str, placement: Placement = ANY) -> Price | None:
        """What one device of a resource costs a pod.

        Args:
            resource: The name that the pod asks for.
            placement: Where it may run.

        Returns:
            The worst case, in each part; None for a name that nobody has priced.
        """
        if placement is ANY:
            if resource not in self._any:
                if len(self._any) >= _MOST_REMEMBERED:  # names are anybody's to invent
                    self._any.clear()
                self._any[resource] = self._price(resource, ANY)
            return self._any[resource]
        key = resource, placement
        if key not in self._placed:
            if not placing.is_short(placement):
                return self._price(resource, placement)
            if len(self._placed) >= _MOST_REMEMBERED:
                self._placed.clear()
            self._placed[key] = self._price(resource, placement)
        return self._placed[key]

    def of_device(self, node: str, key: DeviceKey) -> tuple[Price, tuple[str, ...]] | None:
        """What one device costs that is held by itself, and the names under which its node offers it.

        Returns:
            None for a device that no agent reports.
        """
        found = self._nodes[node].device(key) if node in self._nodes else None
        if found is None:
            return None
        price, names = found
        set_ = next(
            (self.settings.resources[name] for name in names if name in self.settings.resources), None
        )
        return set_ or price, names

    def is_gpu_like(self, resource: str) -> bool:
        """Whether a resource has to have a price."""
        return self.settings.is_gpu_like(resource)

    def offered(self) -> list[str]:
        """The GPU resources that some node offers now, or that the administrator has priced, sorted."""
        names = {name for name in self._offering() if self.price(name) is not None}
        return sorted(names | self.settings.resources.keys())

    def _price(self, resource: str, placement: Placement) -> Price | None:
        if (set_ := self.settings.resources.get(resource)) is not None:
            return set_
        if not self.is_gpu_like(resource):
            return None
        # Where a pod is bound, its own node's word counts even for what it does not offer any more.
        own = self._nodes.get(placement.node) if placement.node else None
        if own is not None and (bound := own.price(resource)) is not None:
            return bound
        offering = self._offering().get(resource, ())
        near = _prices(resource, (each for each in offering if self._may_run(placement, each)))
        if near:
            return prices.worst(near)
        far = _prices(resource, offering)
        table = self._table(resource)
        both = [*far, table] if table is not None else far
        return prices.worst(both) if both else None

    def _offering(self) -> Mapping[str, list[Node]]:
        """The nodes that offer each name."""
        if self._by_name is None:
            self._by_name = {}
            for node in self._nodes.values():
                for name in node.names():
                    self._by_name.setdefault(name, []).append(node)
        return self._by_name

    def _may_run(self, placement: Placement, node: Node) -> bool:
        if not self._has_nodes:
            return placement.node in ("", node.name)
        return placing.matches(placement, node.name, node.labels)

    def _table(self, resource: str) -> Price | None:
        profile = profiles.of_resource(resource)
        known = resource.startswith(_NVIDIA) and (profile is not None or profiles.is_whole(resource))
        return prices.of_table(self.settings, profile) if known else None

    def _node(self, name: str) -> Node:
        if name not in self._nodes:
            self._nodes[name] = Node(self.settings, name, is_node=self._has_nodes)
        return self._nodes[name]

    def _note(self, node: Node) -> None:
        node.changed()
        if node.offered is None and node.gpus is None:
            del self._nodes[node.name]
        self.revision += 1
        self._by_name = None
        self.memo.clear()
        self._any.clear()
        self._placed.clear()


def _prices(resource: str, nodes: Iterable[Node]) -> list[Price]:
    """What they cost on each of these nodes; nodes alike are named once."""
    found: dict[tuple[object, ...], tuple[Price, int]] = {}
    for node in nodes:
        if (price := node.price(resource)) is not None:
            key = price.compute, price.memory, price.bytes, price.whole, price.is_gpu
            first, count = found.get(key, (price, 0))
            found[key] = first, count + 1
    return [price if count == 1 else _like(price, count - 1) for price, count in found.values()]


def _like(price: Price, more: int) -> Price:
    words = f"{price.source} and {more} more"
    return Price(price.compute, price.memory, price.bytes, words, whole=price.whole, is_gpu=price.is_gpu)


def _is_labelled(labels: Mapping[str, str]) -> bool:
    return any(key.startswith(_NVIDIA) for key in labels)
