"""etcd: every object at its newest version, and the log of all changes; each write is a version of the whole store."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from simulation.paths import Key

FIRST = 100
"""The version of the empty store."""

Body = dict[str, Any]
encode = msgspec.json.encode


class Item(NamedTuple):
    """One object as it is stored; nobody changes its body."""

    body: Body
    raw: bytes
    version: int
    created: int
    """The version at which it was made."""

    @property
    def uid(self) -> str:
        """Its uid."""
        return str(self.body["metadata"]["uid"])


class Change(NamedTuple):
    """One write: ADDED, MODIFIED or DELETED, with the object as it is then, or as it was last."""

    version: int
    kind: str
    key: Key
    item: Item
    before: Item | None
    by: str
    """Whose call it was."""


class Store:
    """The only truth there is.

    Attributes:
        told: called with every change, as soon as it is stored.
    """

    def __init__(self) -> None:
        self.version = FIRST
        self.items: dict[str, dict[Key, Item]] = {}
        self.log: list[Change] = []
        self.told: list[Callable[[Change], None]] = []
        self._uids = 0

    def find(self, key: Key) -> Item | None:
        """The object now."""
        return self.items.get(key.resource, {}).get(key)

    def all(self, resource: str) -> dict[Key, Item]:
        """All objects of a resource now; not to be changed."""
        return self.items.get(resource, {})

    def uid(self) -> str:
        """A uid that nobody had before."""
        self._uids += 1
        return f"{self._uids:08x}-0000-4000-8000-000000000000"

    def put(self, key: Key, body: Body, by: str = "") -> Item:
        """Store an object in place of whatever is there. The body is the store's from now on."""
        before = self.find(key)
        self.version += 1
        meta = body["metadata"]
        meta["resourceVersion"] = str(self.version)
        meta.setdefault("uid", "")
        meta["uid"] = meta["uid"] or (before.uid if before else self.uid())
        item = Item(body, encode(body), self.version, before.created if before else self.version)
        self._write("MODIFIED" if before else "ADDED", key, item, before, by)
        return item

    def remove(self, key: Key, by: str = "") -> Item:
        """Take an object away; what its watchers see is its last state at the version of its end."""
        before = self.items[key.resource][key]
        self.version += 1
        body = {**before.body, "metadata": {**before.body["metadata"], "resourceVersion": str(self.version)}}
        item = Item(body, encode(body), self.version, before.created)
        self._write("DELETED", key, item, before, by)
        return item

    def pass_by(self, writes: int) -> None:
        """Others write, what nobody here watches: versions go on."""
        key = Key("/api/v1/events", "", "others")
        for _ in range(writes):
            self.version += 1
            body = {"metadata": {"name": "others", "uid": "others", "resourceVersion": str(self.version)}}
            change = Change(
                self.version, "MODIFIED", key, Item(body, b"{}", self.version, FIRST), None, "others"
            )
            self.log.append(change)
            self._apply(change)

    def since(self, version: int) -> list[Change]:
        """All changes after a version, oldest first."""
        return self.log[max(0, version - FIRST) :]

    def restore(self, version: int) -> None:
        """Go back to how it was, as from a backup: what came later never happened, and its versions come again."""
        self.items = {}
        del self.log[version - FIRST :]
        self.version = version
        for change in self.log:
            self._apply(change)

    def _write(self, kind: str, key: Key, item: Item, before: Item | None, by: str) -> None:
        change = Change(self.version, kind, key, item, before, by)
        self.log.append(change)
        self._apply(change)
        for tell in self.told:
            tell(change)

    def _apply(self, change: Change) -> None:
        objects = self.items.setdefault(change.key.resource, {})
        if change.kind == "DELETED":
            objects.pop(change.key, None)
        else:
            objects[change.key] = change.item
