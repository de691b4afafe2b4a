"""The shapes of lists and watch events, of which only the frame is decoded here.

The objects themselves stay raw bytes until the informer's own decoder takes them.
"""

import re
from typing import Final

import msgspec

from labquota.kube import nesting
from labquota.kube.errors import Status

INITIAL_END = "k8s.io/initial-events-end"
"""Annotation of the bookmark after which a WatchList stream has sent everything that existed."""


class ListMeta(msgspec.Struct, gc=False):
    """`metadata` of a list."""

    resource_version: str = msgspec.field(name="resourceVersion", default="")
    more: str = msgspec.field(name="continue", default="")


class Page(msgspec.Struct, gc=False):
    """One page of a list."""

    metadata: ListMeta
    items: list[msgspec.Raw] | None = None
    """None because the API server may write an empty list as null."""


class ObjectMeta(msgspec.Struct, gc=False):
    """What identifies a version of an object."""

    name: str = ""
    namespace: str = ""
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    annotations: dict[str, str] | None = None


class Object(msgspec.Struct, gc=False):
    """Any object, down to its metadata."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


class Event(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One line of a watch, down to the object's metadata."""

    type: str
    object: Object


class RawEvent(msgspec.Struct, gc=False):
    """One line of a watch, the object untouched."""

    type: str
    object: msgspec.Raw


_list_meta = msgspec.json.Decoder(ListMeta).decode
_page = msgspec.json.Decoder(Page).decode
_event = msgspec.json.Decoder(Event).decode
_raw_event = msgspec.json.Decoder(RawEvent).decode
meta = msgspec.json.Decoder(Object).decode
status = msgspec.json.Decoder(Status).decode


def page(body: bytes) -> Page:
    """Take one page of a list apart. What lies too deep in an object is left out of it (`nesting`).

    Raises:
        msgspec.DecodeError: the body is no list.
    """
    try:
        return _page(body)
    except RecursionError:
        return _page(nesting.pruned(body))


_HEAD: Final = re.compile(rb'\{"kind":"\w+","apiVersion":"[\w./]+","metadata":(\{[^{}]*\}),"items":')
"""How the API server begins the list of a kind of its own; one of custom resources says this at its end."""


def head(part: bytes) -> ListMeta | None:
    """What the first bytes of a list say of it; None where that stands further on."""
    found = _HEAD.match(part)
    return None if found is None else _list_meta(found[1])


def parse(line: bytes) -> tuple[str, ObjectMeta, msgspec.Raw]:
    """Take one line of a watch apart: its type, the object's metadata, and the whole object's bytes.

    The API server writes `{"type":"ADDED","object":{...}}` and nothing else, so the object is cut out by its position
    once the line has proven to be such; as a raw field it would be read a second time, a quarter of the event's cost.
    What lies too deep in the object is left out of it (`nesting`).

    Raises:
        msgspec.DecodeError: the line is no event.
    """
    try:
        found = _event(line)
    except RecursionError:
        line = nesting.pruned(line)
        found = _event(line)
    begin = f'{{"type":"{found.type}","object":'.encode()
    if line.startswith(begin) and line.endswith(b"}"):
        return found.type, found.object.metadata, msgspec.Raw(line[len(begin) : -1])
    return found.type, found.object.metadata, _raw_event(line).object


_BUILT_IN: Final = re.compile(
    rb'\{"type":"(ADDED|MODIFIED|DELETED)","object":(?=\{"kind":"\w+","apiVersion":"[\w./]+","metadata":\{'
    rb'"name":"[^"\\]*",(?:"generateName":"[^"\\]*",)?(?:"namespace":"[^"\\]*",)?"uid":"[^"\\]*",'
    rb'"resourceVersion":"([0-9]+)"[,}])'
)
"""How the API server begins the event of an object of a kind of its own: fields in the order of its Go structs, what
users may write after all of these."""


def quick(line: bytes) -> tuple[str, str, memoryview] | None:
    """An event's type, its object's resourceVersion and bytes, if that can be told from how the line begins.

    The rest of the line is not read: whoever decodes the object finds out whether it is JSON. Reading it here as
    well would double what an event costs.
    """
    found = _BUILT_IN.match(line)
    if found is None or not line.endswith(b"}"):
        return None
    return found[1].decode(), found[2].decode(), memoryview(line)[found.end() : -1]
