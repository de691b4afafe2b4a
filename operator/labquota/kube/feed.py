"""What lists and watches say, told to a sink in order: whole sets, changes, progress."""

import asyncio
import math
from collections.abc import Callable, Hashable
from typing import Generic, Literal, Protocol, TypeVar

import msgspec

from labquota.clock import Clock
from labquota.kube import errors, events, versions
from labquota.kube.listing import Decoder

Kind = Literal["ADDED", "MODIFIED", "DELETED"]
T = TypeVar("T")

_KINDS: dict[str, Kind] = {"ADDED": "ADDED", "MODIFIED": "MODIFIED", "DELETED": "DELETED"}


class Sink(Protocol[T]):
    """Where the view goes. All calls are made in order, in the loop's thread, and must not wait."""

    def replaced(self, items: list[T], resource_version: str) -> None:
        """Take the whole set, as of this version; what is not in it no longer exists."""
        ...

    def changed(self, kind: Kind, item: T, resource_version: str) -> None:
        """Take one change. A DELETED item is the object's last state."""
        ...

    def progressed(self, resource_version: str) -> None:
        """Note that everything up to this version has been shown."""
        ...


class Feed(Generic[T]):
    """Takes one stream after the other, and lists in between.

    Args:
        path: the collection's path, for what is told of errors.
        decode: makes an object of its bytes, or None of one that is to be left out.
        sink: where the view goes.
        clock: tells since when a stream is up to date.
        key: what tells objects apart, by the decoded object; None: namespace and name. With it the objects of built-in
            kinds are read once, not twice.

    Attributes:
        synced: set once the sink has had the first whole set.
        view: the resource version up to which the sink has seen everything; "" before that.
        relists: how many whole sets the sink was given.
        stale: the next stream or list has to bring a whole set.
        productive: the stream has told something new.
        current_since: the clock's monotonic time from which on the stream is up to date; infinite before that.
    """

    def __init__(
        self,
        path: str,
        decode: Decoder[T],
        sink: Sink[T],
        clock: Clock,
        key: Callable[[T], Hashable] | None = None,
    ) -> None:
        self.synced = asyncio.Event()
        self.view = ""
        self.relists = 0
        self.stale = True
        self.productive = False
        self.current_since = math.inf
        self._path = path
        self._decode = decode
        self._sink = sink
        self._clock = clock
        self._key = key
        self._initial: dict[Hashable, T] | None = None

    def begin(self) -> None:
        """Forget what the last stream has shown of itself."""
        self.current_since = math.inf
        self.productive = False

    def open(self) -> None:
        """A stream begins; where the view is stale, it brings the whole set first."""
        self._initial = {} if self.stale else None
        if not self.stale:
            self.current_since = self._clock.monotonic()

    def take(self, line: bytes) -> None:
        """Take one line of the stream.

        Raises:
            errors.ApiError: it is the API server's word that the stream is over, or it goes back in time.
            errors.Unreachable: it is no event.
        """
        if self._key is not None and (found := events.quick(line)):
            kind, version, body = found
            item = self._decode(msgspec.Raw(body))
            if item is None:
                self._parse(line)  # it may be no event at all
            self._change(_KINDS[kind], version, item, None if item is None else self._key(item))
            return
        kind, meta, raw = self._parse(line)
        if kind == "BOOKMARK":
            self._bookmark(meta)
        elif kind in _KINDS:
            item = self._decode(raw)
            key: Hashable = meta.namespace, meta.name
            if self._key is not None:
                key = None if item is None else self._key(item)
            self._change(_KINDS[kind], meta.resource_version, item, key)

    def _parse(self, line: bytes) -> tuple[str, events.ObjectMeta, msgspec.Raw]:
        try:
            kind, meta, raw = events.parse(line)
            if kind == "ERROR":
                raise errors.of_status(events.status(raw))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise errors.Unreachable(
                f"the watch of {self._path} sent a line that is no event: {error}"
            ) from error
        return kind, meta, raw

    def _bookmark(self, meta: events.ObjectMeta) -> None:
        if self._initial is None:
            if versions.newer(meta.resource_version, self.view):
                self.view = meta.resource_version
                self._sink.progressed(self.view)
            self.productive = True
        elif (meta.annotations or {}).get(events.INITIAL_END) == "true":
            self.stale = False
            self.current_since = self._clock.monotonic()
            found, self._initial = list(self._initial.values()), None
            self.replace(found, meta.resource_version)

    def _change(self, kind: Kind, version: str, item: T | None, key: Hashable) -> None:
        if self._initial is not None:
            self._collect(self._initial, kind, item, key)
            return
        if not versions.newer(version, self.view):
            raise errors.Expired(
                410, "Expired", f"{self._path} went back from version {self.view} to {version}"
            )
        self.view = version
        self.productive = True
        if item is None:
            self._sink.progressed(self.view)
        else:
            self._sink.changed(kind, item, self.view)

    def _collect(self, found: dict[Hashable, T], kind: Kind, item: T | None, key: Hashable) -> None:
        """Gather the first set of a WatchList stream; changes may already be among it."""
        if (
            key is None and kind != "ADDED"
        ):  # which one has changed cannot be told; the next set is without it
            raise errors.Unreachable(f"the first set of {self._path} changed where it cannot be read")
        if kind == "DELETED" or item is None:
            found.pop(key, None)
        else:
            found[key] = item

    def replace(self, items: list[T], version: str) -> None:
        """Take a whole set."""
        self.view = version
        self.relists += 1
        self._sink.replaced(items, version)
        self.synced.set()
