"""One API server: what it answers to a call, and its watch cache, which may be behind the store.

Everything here happens at once; how long a call travels, and whether it arrives, is the network's business. Several
API servers share one store. Reads of one object and lists without a resourceVersion are of the store (quorum reads);
lists at resourceVersion 0 and watches are of the cache.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from simulation import refusals
from simulation.cache import Cache, Stream
from simulation.paths import Key, Place, parse
from simulation.store import Body, Item, Store

Params = Mapping[str, str]
_decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode
_NONE: Params = {}
UNCONDITIONAL = frozenset({"/api/v1/pods", "/api/v1/secrets", "/api/v1/namespaces", "/api/v1/nodes"})
"""Resources that may be replaced without saying which version."""

CREATED_BY_UPDATE = frozenset({"/apis/coordination.k8s.io/v1/leases"})
"""Resources of which a replacement of what is not there is a create, and cannot be one of what had a uid."""


class ApiServer:
    """Answers calls; see the module.

    Args:
        store: what it shares with the others.
        now: the time that is written on objects, in RFC 3339's form.
    """

    def __init__(self, store: Store, now: Callable[[], str] = lambda: "2026-03-01T08:00:00Z") -> None:
        self.store = store
        self.cache = Cache(store)
        self._now = now

    def get(self, path: str, params: Params | None = None) -> bytes:
        """Read an object, or a list."""
        place = parse(path)
        if not place.name:
            return self._list(place, params or _NONE)
        if (params or _NONE).get("resourceVersion") == "0":
            key = Key(*place[:3])
            raw = self.cache.of(place.resource).get(key)
            if raw is None:
                raise refusals.not_found(key)
            return raw
        return self._found(Key(*place[:3])).raw

    def create(self, path: str, body: bytes, by: str = "") -> bytes:
        """Store a new object."""
        place, item = parse(path), _decode(body)
        meta = item.setdefault("metadata", {})
        name = meta.get("name") or f"{meta.get('generateName', '')}{self.store.version:05x}"
        if meta.get("resourceVersion"):
            raise refusals.fault("resourceVersion should not be set on objects to be created")
        key = Key(place.resource, place.namespace, name)
        if self.store.find(key):
            raise refusals.exists(key)
        meta.update(name=name, uid="", creationTimestamp=self._now(), generation=1)
        if place.namespace:
            meta["namespace"] = place.namespace
        meta.pop("managedFields", None)
        return self.store.put(key, item, by).raw

    def replace(self, path: str, body: bytes, by: str = "") -> bytes:
        """Store an object in place of the one that the body names by version and uid."""
        place, item = parse(path), _decode(body)
        key, new = Key(*place[:3]), item["metadata"]
        if key.resource in CREATED_BY_UPDATE and new.get("uid") and self.store.find(key) is None:
            raise refusals.precondition(key, "UID", new["uid"], "")
        old = self._found(key).body["metadata"]
        if new.get("name", key.name) != key.name:
            raise refusals.bad(
                f"the name of the object ({new['name']}) does not match the name on the URL ({key.name})"
            )
        if new.get("uid") and new["uid"] != old["uid"]:
            raise refusals.precondition(key, "UID", new["uid"], old["uid"])
        version = new.get("resourceVersion", "")
        if not version and key.resource not in UNCONDITIONAL:
            raise refusals.unconditional(key)
        if version and version != old["resourceVersion"]:
            raise refusals.changed(key)
        return self._put(key, item, by)

    def patch(self, path: str, body: bytes, content_type: str, by: str = "") -> bytes:
        """Change an object as a JSON patch or a merge patch says."""
        place, steps = parse(path), _decode(body)
        key = Key(*place[:3])
        item = copy.deepcopy(self._found(key).body)
        if "json-patch" in content_type:
            for step in steps:
                _step(item, step)
        else:
            old = item["metadata"]["resourceVersion"]
            item = _merged(item, steps)
            if item["metadata"]["resourceVersion"] != old:
                raise refusals.changed(key)
        return self._put(key, item, by)

    def delete(self, path: str, body: bytes | None = None, by: str = "") -> bytes:
        """Remove an object at once."""
        key = Key(*parse(path)[:3])
        found = self._found(key)
        wanted = (_decode(body) if body else {}).get("preconditions") or {}
        for what in ("uid", "resourceVersion"):
            there = found.body["metadata"][what]
            if wanted.get(what) and wanted[what] != there:
                raise refusals.another(key, found.body.get("kind", ""), what, wanted[what], there)
        self.store.remove(key, by)
        details = {"name": key.name, "uid": found.uid}
        return msgspec.json.encode(
            {"kind": "Status", "apiVersion": "v1", "status": "Success", "details": details}
        )

    def watch(self, path: str, params: Params, tell: Callable[[bytes], None]) -> Stream:
        """Begin a watch; see `Cache.watch`."""
        return self.cache.watch(parse(path), params, tell)

    def _put(self, key: Key, item: Body, by: str) -> bytes:
        old = self._found(key).body
        meta = item["metadata"]
        for name in ("uid", "creationTimestamp", "resourceVersion", "generation", "namespace"):
            if name in old["metadata"]:
                meta[name] = old["metadata"][name]
        meta.pop("managedFields", None)
        if item == old:
            return self._found(key).raw  # what changes nothing is not written
        return self.store.put(key, item, by).raw

    def _found(self, key: Key) -> Item:
        item = self.store.find(key)
        if item is None:
            raise refusals.not_found(key)
        return item

    def _list(self, place: Place, params: Params) -> bytes:
        if params.get("resourceVersion") == "0":
            raws = [raw for key, raw in self.cache.of(place.resource).items() if _in(place, params, key)]
            return _page(raws, self.cache.version, "")
        version, after = self.store.version, ""
        items = self.store.all(place.resource)
        if token := params.get("continue"):
            text, _, after = token.partition("/")
            version = int(text)
            if version < self.cache.compacted:
                raise refusals.expired(
                    "The provided continue parameter is too old to display a consistent list result."
                )
            items = self._at(place.resource, version)
        found = sorted((key, item) for key, item in items.items() if _in(place, params, key))
        found = [(key, item) for key, item in found if f"{key.namespace}/{key.name}" > after]
        limit = int(params.get("limit", "0")) or len(found)
        more = (
            f"{version}/{found[limit - 1][0].namespace}/{found[limit - 1][0].name}"
            if len(found) > limit
            else ""
        )
        return _page([item.raw for _, item in found[:limit]], version, more)

    def _at(self, resource: str, version: int) -> dict[Key, Item]:
        items: dict[Key, Item] = {}
        for change in self.store.log:
            if change.version > version:
                break
            if change.key.resource == resource:
                if change.kind == "DELETED":
                    items.pop(change.key, None)
                else:
                    items[change.key] = change.item
        return items


def _in(place: Place, params: Params, key: Key) -> bool:
    if place.namespace and place.namespace != key.namespace:
        return False
    field = params.get("fieldSelector")
    return not field or field == f"metadata.name={key.name}"


def _page(raws: list[bytes], version: int, more: str) -> bytes:
    head = b'{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"%d","continue":"%s"},"items":['
    return head % (version, more.encode()) + b",".join(raws) + b"]}"


def _step(item: Any, step: Mapping[str, Any]) -> None:
    """One step of a JSON patch."""
    *above, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
    for part in above:
        item = item[part]
    if step["op"] == "remove":
        del item[last]
    else:
        item[last] = step["value"]


def _merged(item: Any, patch: Any) -> Any:
    """A JSON merge patch applied (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(item) if isinstance(item, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged
