"""Pods that are being deleted on lost nodes: free again after a settable grace, if the administrator says so."""

import asyncio
from typing import Final

import msgspec

from labquota.clock import Clock
from labquota.controllers.pods import Pods
from labquota.kube.meta import Metadata

PATH: Final = "/api/v1/nodes"
_LOOK_SECONDS: Final = 5.0


class _Condition(msgspec.Struct, gc=False):
    type: str = ""
    status: str = ""


class _Status(msgspec.Struct, gc=False):
    conditions: list[_Condition] = []


class Node(msgspec.Struct, gc=False):
    """A node, down to whether it can be reached."""

    metadata: Metadata
    status: _Status = msgspec.field(default_factory=_Status)

    @property
    def is_unreachable(self) -> bool:
        """Whether the control plane has not heard of it: its Ready condition is Unknown."""
        return any(each.type == "Ready" and each.status == "Unknown" for each in self.status.conditions)


decode: Final = msgspec.json.Decoder(Node).decode


class Nodes:
    """Which nodes cannot be reached; the sink of the node informer.

    Args:
        view: The pods.
        clock: The wall clock that deletion timestamps follow.
        seconds: How long past its grace period a pod on an unreachable node is still charged.
    """

    def __init__(self, view: Pods, clock: Clock, seconds: float) -> None:
        self._view, self._clock, self._seconds = view, clock, seconds
        self._known: set[str] = set()
        self._unreachable: set[str] = set()

    async def run(self) -> None:
        """Give up pods on lost nodes, and charge them again when their node comes back, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            latest = self._clock.now().timestamp() - self._seconds
            lost = frozenset(
                charge.uid
                for charge in self._view.leaving()
                if charge.deadline is not None and charge.deadline < latest and self._is_lost(charge.node)
            )
            self._view.lose(lost)

    def _is_lost(self, node: str) -> bool:
        return bool(node) and (node in self._unreachable or node not in self._known)

    def replaced(self, items: list[Node], resource_version: str) -> None:
        """Take the whole set."""
        del resource_version
        self._known = {item.metadata.name for item in items}
        self._unreachable = {item.metadata.name for item in items if item.is_unreachable}

    def changed(self, kind: str, item: Node, resource_version: str) -> None:
        """Take one change; a node that was removed is lost, too."""
        del resource_version
        name = item.metadata.name
        self._unreachable.discard(name)
        self._known.add(name)
        if kind == "DELETED":
            self._known.discard(name)
        elif item.is_unreachable:
            self._unreachable.add(name)

    def progressed(self, resource_version: str) -> None:
        """Nothing to do."""
