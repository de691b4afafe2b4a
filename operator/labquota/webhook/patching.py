"""JSON patches (RFC 6902) that put a stamp and its label where objects of a kind carry them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from labquota.quota import stamping
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.stamping import USER_LABEL

Object = dict[str, Any]


class Stamp(NamedTuple):
    """What a new object is to carry, empty for nothing.

    Attributes:
        own: On itself.
        templates: On its templates. Those of what a controller makes are left alone, but for a stamp that a user wrote
            there: it would find that they differ from what it wants, and make another object.
    """

    own: str = ""
    templates: str = ""


def patches(
    kind: str, new: Object, old: Object | None, stamp: Stamp, *, restore: bool = False
) -> Iterator[Object]:
    """The patches of one object.

    Args:
        kind: `resource.group`.
        new: The object as it was sent; an update leaves out what it has no words for, which is put back.
        old: The object that is updated; None for a new one.
        stamp: What a new one is to carry.
        restore: Whether an update changes nothing of what there was, whatever it says; else what it says stays, for
            the guard to refuse.
    """
    places = [(each, "annotations", OWNER_ANNOTATION) for each in ("", *stamping.templates(kind))]
    places += [(each, "labels", USER_LABEL) for each in stamping.labelled(kind)]
    for place, field, key in places:
        owner = stamp.templates if place else stamp.own
        wanted = owner if field == "annotations" else stamping.label_of(owner)
        if old is not None:
            said = "" if restore else strings(metadata(new, place), field).get(key, "")
            wanted = said or strings(metadata(old, place), field).get(key, "")
        yield from _bring(new, place, field, key, wanted)


def metadata(manifest: Mapping[str, Any], place: str = "") -> Object:
    """The metadata of an object or of a template in it; empty where there is none."""
    return _map(_at(manifest, place) or {}, "metadata")


def strings(parent: Mapping[str, Any], key: str) -> dict[str, str]:
    """Annotations or labels; empty where there are none."""
    return _map(parent, key)


def _bring(new: Object, place: str, field: str, key: str, wanted: str) -> Iterator[Object]:
    parent = _at(new, place)
    if parent is not None and strings(metadata(new, place), field).get(key, "") != wanted:
        yield _set(parent, "/" + "/".join([*_parts(place), "metadata"]), field, key, wanted)


def _set(parent: Object, path: str, field: str, key: str, value: str) -> Object:
    """One patch; the object is changed likewise, since the next one builds on it."""
    pointer = f"{path}/{field}/{key.replace('/', '~1')}"
    meta = parent.get("metadata")
    if not isinstance(meta, dict):
        parent["metadata"] = {field: {key: value}}
        return {"op": "add", "path": path, "value": {field: {key: value}}}
    found = meta.get(field)
    if not isinstance(found, dict):
        meta[field] = {key: value}
        return {"op": "add", "path": f"{path}/{field}", "value": {key: value}}
    if not value:
        del found[key]
        return {"op": "remove", "path": pointer}
    found[key] = value
    return {"op": "add", "path": pointer, "value": value}


def _at(manifest: Mapping[str, Any], place: str) -> Object | None:
    found: Any = manifest
    for part in _parts(place):
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _parts(place: str) -> list[str]:
    return place.split(".") if place else []


def _map(parent: Mapping[str, Any], key: str) -> Object:
    found = parent.get(key)
    return found if isinstance(found, dict) else {}
