"""The shapes of lists and watch events, of which only the frame is decoded here.

The objects themselves stay raw bytes until the informer's own decoder takes them.
"""

import msgspec

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


class Event(msgspec.Struct, gc=False):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


class ObjectMeta(msgspec.Struct, gc=False):
    """What identifies a version of an object."""

    name: str = ""
    namespace: str = ""
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    annotations: dict[str, str] | None = None


class Object(msgspec.Struct, gc=False):
    """Any object, down to its metadata."""

    metadata: ObjectMeta


page = msgspec.json.Decoder(Page).decode
event = msgspec.json.Decoder(Event).decode
meta = msgspec.json.Decoder(Object).decode
status = msgspec.json.Decoder(Status).decode
