"""The Node that the agent runs on, as the API server has it: its labels and its UID."""

from collections.abc import Callable
from typing import Final

import msgspec

from labquota.kube.meta import Metadata

PATH: Final = "/api/v1/nodes"


class Node(msgspec.Struct, gc=False):
    """A node, down to its metadata."""

    metadata: Metadata


decode: Final = msgspec.json.Decoder(Node).decode


class OwnNode:
    """The sink of an informer of this one node.

    Args:
        told: Called when it has changed.

    Attributes:
        uid: Empty: it does not exist.
        labels: Its labels.
    """

    def __init__(self, told: Callable[[], None]) -> None:
        self.uid = ""
        self.labels: dict[str, str] = {}
        self._told = told

    def replaced(self, items: list[Node], resource_version: str) -> None:
        """Take the whole set, of one."""
        del resource_version
        self._take(items[0] if items else None)

    def changed(self, kind: str, item: Node, resource_version: str) -> None:
        """Take one change."""
        del resource_version
        self._take(None if kind == "DELETED" else item)

    def progressed(self, resource_version: str) -> None:
        """Nothing to do."""

    def _take(self, node: Node | None) -> None:
        before = self.uid, self.labels
        self.uid, self.labels = (node.metadata.uid, node.metadata.labels) if node is not None else ("", {})
        if before != (self.uid, self.labels):
            self._told()
