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
import random
from collections.abc import Callable, Hashable, Mapping
from contextlib import aclosing
from typing import Generic, TypeVar

import msgspec

from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.api import Api
from labquota.kube.backoff import Backoff
from labquota.kube.breather import Breather
from labquota.kube.feed import Feed, Sink
from labquota.kube.listing import Decoder, Listing
from labquota.kube.watchdog import SILENCE_SECONDS, Silent, Watchdog

log = logging.getLogger(__name__)

T = TypeVar("T")

STEADY_SECONDS = 2.0
"""A stream that was up to date for this long was not refused at once; its end is no reason to slow down."""

WATCH_SECONDS = 300.0
"""Shortest `timeoutSeconds` of a watch, up to twice as long: ends spread out, and load moves to a new API server."""

RETRY_SECONDS = 2.0
"""Longest wait before the next try: what an API server's restart may cost at its end."""

HURRY_SECONDS = 4
"""`timeoutSeconds` of a watch in a hurry: the API server sends a bookmark two seconds before the end that it knows."""


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
        key: what tells objects apart, by the decoded object; None: namespace and name. With it an event of a built-in
            kind is read once, not twice.

    Attributes:
        alive_at: the clock's monotonic time of the last sign of life.
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
        key: Callable[[T], Hashable] | None = None,
    ) -> None:
        self.alive_at = clock.monotonic()
        self._api = api
        self._path = path
        decoder = Decoder(path, decode)
        self._feed = Feed(path, decoder, sink, clock, key)
        self._clock = clock
        self._rng = rng
        self._params = dict(params or {})
        self._watch_list = watch_list
        self._listing = Listing(api, path, decoder, clock=clock, rng=rng, params=self._params, page=page)
        self._backoff = Backoff(rng, most=RETRY_SECONDS)
        self._breather = Breather(clock)
        self._dog = Watchdog(clock, silence)
        self._hurry_next = False
        self._answered = True

    @property
    def synced(self) -> asyncio.Event:
        """Set once the sink has had the first whole set."""
        return self._feed.synced

    @property
    def view(self) -> str:
        """The resource version up to which the sink has seen everything; "" before that."""
        return self._feed.view

    @property
    def relists(self) -> int:
        """How many whole sets the sink was given."""
        return self._feed.relists

    def hurry(self) -> None:
        """Ask that `view` moves on within about three seconds although nothing changes, not within a minute."""
        # A stream in a hurry is left to end by itself: asking again and again must not keep its bookmark from coming.
        # Nor is a first set interrupted, which may take longer than a stream in a hurry lasts; asked again once it is
        # complete, its stream is.
        if not self._dog.hurried and not self._feed.stale:
            self._dog.interrupt()
        self._hurry_next = True

    def relist(self) -> None:
        """Ask for the whole set anew: somebody knows that the view is of a history that has ended."""
        self._feed.stale = True
        self._dog.interrupt()

    async def run(self) -> None:
        """Keep the view until cancelled."""
        while True:
            self._feed.begin()
            self._dog.interrupted = False
            error: errors.KubeError | None = None
            try:
                await self._follow()
            except errors.KubeError as caught:
                error = caught
                self._judge(caught)
            steady = self._clock.monotonic() - self._feed.current_since >= STEADY_SECONDS
            if steady or self._feed.productive:
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
        while self._feed.stale and not self._watch_list:
            self._feed.stale = False  # before the list, so that a relist asked for meanwhile is not forgotten
            try:
                self._feed.replace(*await self._listing.all(self._alive))
            except BaseException:
                self._feed.stale = True
                raise
        hurried = self._hurry_next and not self._feed.stale
        self._hurry_next = self._hurry_next and not hurried
        seconds = HURRY_SECONDS if hurried else round(WATCH_SECONDS * (1 + self._rng.random()))
        params = {**self._params, "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        if self._feed.stale:
            # Without a resourceVersion the set is at least as new as this request, as a quorum read would be.
            params |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        else:
            params["resourceVersion"] = self.view
        self._feed.open()
        async with self._dog.watching(hurried=hurried):
            await self._read(params)

    async def _read(self, params: Mapping[str, str]) -> None:
        async with aclosing(self._api.watch(self._path, params)) as lines:
            self._breather.begin()
            async for line in lines:
                self._alive()
                self._feed.take(line)
                if self._breather.due():
                    await self._breather.breathe()

    def _alive(self) -> None:
        self.alive_at = self._clock.monotonic()
        self._dog.alive(self.alive_at)

    def _judge(self, error: errors.KubeError) -> None:
        """Decide whether to go on from the version seen, or from a new list."""
        if isinstance(error, Silent):
            # Once: the connection died. Again: the version may be of a history that the API server does not have.
            self._feed.stale = self._feed.stale or error.times > 1
        elif isinstance(error, errors.ApiError) and not errors.passing(error):
            if self._feed.stale and self._watch_list and error.status in (400, 422):
                log.info(
                    "the API server has no WatchList for %s, listing in pages: %s", self._path, error.message
                )
                self._watch_list = False
            self._feed.stale = True
