"""A view of all objects of one kind, kept by one watch.

    list ──► replaced() ──► watch ──► changed(), progressed() ... ──► dropped ──► watch from the last version seen
      ▲                                                                  │
      └──────────── 410 Gone: the history in between is no longer kept ──┘

Promises: once `synced` the sink has seen every object. After a gap it sees every change in between, or the whole set
anew (`replaced`, which it compares with what it has: deletions missed in a gap show in no other way). Versions go back
only by `replaced`. A list is one consistent snapshot. Nothing that one object contains, no silent connection and no
error of the API server stops it; only cancelling `run` does. It holds the loop for a few milliseconds at most, as long
as the sink does not.
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Generic, Literal, Protocol, TypeVar

import msgspec

from labquota.clock import Clock
from labquota.kube import errors, events, versions
from labquota.kube.api import Api
from labquota.kube.backoff import Backoff
from labquota.kube.listing import Breather, Decoder, Listing
from labquota.kube.watchdog import SILENCE_SECONDS, Silent, Watchdog

log = logging.getLogger(__name__)

Kind = Literal["ADDED", "MODIFIED", "DELETED"]
T = TypeVar("T")

_KINDS: dict[str, Kind] = {"ADDED": "ADDED", "MODIFIED": "MODIFIED", "DELETED": "DELETED"}

STEADY_SECONDS = 2.0
"""A stream that was up to date for this long was not refused at once; its end is no reason to slow down."""

WATCH_SECONDS = 300.0
"""Shortest `timeoutSeconds` of a watch, up to twice as long: ends spread out, and load moves to a new API server."""

RETRY_SECONDS = 2.0
"""Longest wait before the next try: what an API server's restart may cost at its end."""

HURRY_SECONDS = 4
"""`timeoutSeconds` of a watch in a hurry: the API server sends a bookmark two seconds before the end that it knows."""


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


class Informer(Generic[T]):
    """Watches one collection.

    Args:
        api: the API server.
        path: the collection's path, as `/api/v1/pods`.
        decode: makes an object of its bytes. What it raises is logged and counted, and the object left out.
        sink: where the view goes.
        clock: tells the age of the last sign of life.
        rng: jitter.
        page: the most objects in one page of a list.
        watch_list: take whole sets from the watch itself where the API server can (WatchList): it need not build them.
        params: selectors (`labelSelector`, `fieldSelector`).
        silence: seconds after which a silent watch is given up.

    Attributes:
        synced: set once the sink has had the first whole set.
        view: the resource version up to which the sink has seen everything; "" before that.
        alive_at: the clock's monotonic time of the last sign of life.
        relists: how many whole sets the sink was given.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        decode: Callable[[msgspec.Raw], T],
        sink: Sink[T],
        *,
        clock: Clock,
        rng: random.Random,
        page: int = 500,
        watch_list: bool = True,
        params: Mapping[str, str] | None = None,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        self.synced = asyncio.Event()
        self.view = ""
        self.alive_at = clock.monotonic()
        self.relists = 0
        self._api = api
        self._path = path
        self._decode = Decoder(path, decode)
        self._sink = sink
        self._clock = clock
        self._rng = rng
        self._params = dict(params or {})
        self._watch_list = watch_list
        self._listing = Listing(api, path, self._decode, clock=clock, rng=rng, params=self._params, page=page)
        self._backoff = Backoff(rng, most=RETRY_SECONDS)
        self._breather = Breather(clock)
        self._dog = Watchdog(clock, silence)
        self._stale = True
        self._hurry_next = False
        self._initial: dict[tuple[str, str], T] | None = None
        self._productive = False
        self._answered = True
        self._current_since = math.inf

    def hurry(self) -> None:
        """Ask that `view` moves on within about three seconds although nothing changes, not within a minute."""
        # A stream in a hurry is left to end by itself: asking again and again must not keep its bookmark from coming.
        # Nor is a first set interrupted, which may take longer than a stream in a hurry lasts.
        if not self._hurry_next and not self._dog.hurried and not self._stale:
            self._dog.interrupt()
        self._hurry_next = True

    def relist(self) -> None:
        """Ask for the whole set anew: somebody knows that the view is of a history that has ended."""
        self._stale = True
        self._dog.interrupt()

    async def run(self) -> None:
        """Keep the view until cancelled."""
        while True:
            self._current_since = math.inf
            self._productive = False
            self._dog.interrupted = False
            error: errors.KubeError | None = None
            try:
                await self._follow()
            except errors.KubeError as caught:
                error = caught
                self._judge(caught)
            steady = self._clock.monotonic() - self._current_since >= STEADY_SECONDS
            if steady or self._productive:
                self._backoff.reset()
            if self._dog.interrupted or (steady and error is None):
                continue
            if isinstance(error, errors.ApiError) and not self._answered:
                self._backoff.reset()  # it answers again: how long it was away says nothing about this
            self._answered = not isinstance(error, errors.Unreachable)
            wait = self._backoff.after(error)
            if error is not None:
                log.warning("the watch of %s ended, going on in %.1f s: %s", self._path, wait, error)
            await asyncio.sleep(wait)

    async def _follow(self) -> None:
        """Bring the sink up to date and follow one stream to its end."""
        while self._stale and not self._watch_list:
            self._stale = False  # before the list, so that a relist asked for meanwhile is not forgotten
            try:
                self._replace(*await self._listing.all(self._alive))
            except BaseException:
                self._stale = True
                raise
        hurried = self._hurry_next and not self._stale
        self._hurry_next = self._hurry_next and not hurried
        seconds = HURRY_SECONDS if hurried else round(WATCH_SECONDS * (1 + self._rng.random()))
        params = {**self._params, "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        if self._stale:
            # Without a resourceVersion the set is at least as new as this request, as a quorum read would be.
            params |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        else:
            params["resourceVersion"] = self.view
            self._current_since = self._clock.monotonic()
        self._initial = {} if self._stale else None
        async with self._dog.watching(hurried=hurried):
            await self._read(params)

    async def _read(self, params: Mapping[str, str]) -> None:
        async with aclosing(self._api.watch(self._path, params)) as lines:
            self._breather.begin()
            async for line in lines:
                self._alive()
                self._take(line)
                if self._breather.due():
                    await self._breather.breathe()

    def _take(self, line: bytes) -> None:
        """Take one line of the stream."""
        try:
            kind, meta, raw = events.parse(line)
            if kind == "ERROR":
                raise errors.of_status(events.status(raw))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise errors.Unreachable(
                f"the watch of {self._path} sent a line that is no event: {error}"
            ) from error
        if kind == "BOOKMARK":
            self._bookmark(meta)
        elif kind in _KINDS:
            self._change(_KINDS[kind], meta, raw)

    def _bookmark(self, meta: events.ObjectMeta) -> None:
        if self._initial is None:
            if versions.newer(meta.resource_version, self.view):
                self.view = meta.resource_version
                self._sink.progressed(self.view)
            self._productive = True
        elif (meta.annotations or {}).get(events.INITIAL_END) == "true":
            self._stale = False
            self._current_since = self._clock.monotonic()
            found, self._initial = list(self._initial.values()), None
            self._replace(found, meta.resource_version)

    def _change(self, kind: Kind, meta: events.ObjectMeta, raw: msgspec.Raw) -> None:
        if self._initial is not None:
            self._collect(self._initial, kind, meta, raw)
            return
        if not versions.newer(meta.resource_version, self.view):
            raise errors.Expired(
                410, "Expired", f"{self._path} went back from version {self.view} to {meta.resource_version}"
            )
        item = self._decode(raw)
        self.view = meta.resource_version
        self._productive = True
        if item is None:
            self._sink.progressed(self.view)
        else:
            self._sink.changed(kind, item, self.view)

    def _collect(
        self, found: dict[tuple[str, str], T], kind: Kind, meta: events.ObjectMeta, raw: msgspec.Raw
    ) -> None:
        """Gather the first set of a WatchList stream; changes may already be among it."""
        key = (meta.namespace, meta.name)
        item = None if kind == "DELETED" else self._decode(raw)
        if item is None:
            found.pop(key, None)
        else:
            found[key] = item

    def _replace(self, items: list[T], version: str) -> None:
        self.view = version
        self.relists += 1
        self._sink.replaced(items, version)
        self.synced.set()

    def _alive(self) -> None:
        self.alive_at = self._clock.monotonic()
        self._dog.alive(self.alive_at)

    def _judge(self, error: errors.KubeError) -> None:
        """Decide whether to go on from the version seen, or from a new list."""
        if isinstance(error, Silent):
            # Once: the connection died. Again: the version may be of a history that the API server does not have.
            self._stale = self._stale or error.times > 1
        elif isinstance(error, errors.ApiError) and not errors.passing(error):
            if self._stale and self._watch_list and error.status in (400, 422):
                log.info(
                    "the API server has no WatchList for %s, listing in pages: %s", self._path, error.message
                )
                self._watch_list = False
            self._stale = True
