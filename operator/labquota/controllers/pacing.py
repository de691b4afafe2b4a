"""The operator's budget of writes, so that no storm of its own making reaches the API server.

Who waits with the lower rank goes first: folds that free something, then large ledgers, then other folds, then
OwnerUsage and conditions.
"""

import asyncio
import heapq
import itertools
from enum import IntEnum

from labquota.clock import Clock


class Rank(IntEnum):
    """What a write is for; lower goes first."""

    FREEING = 0
    LARGE = 1
    FOLD = 2
    REPORT = 3


class Pace:
    """A token bucket with a queue by rank.

    Args:
        clock: Measures the time that fills the bucket.
        per_second: Writes per second; a quarter of a second's worth may be spent at once.
    """

    def __init__(self, clock: Clock, per_second: float) -> None:
        self._clock, self._rate = clock, per_second
        self._most = max(1.0, per_second / 4)
        self._tokens = self._most
        self._filled = clock.monotonic()
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self, rank: Rank) -> None:
        """Wait until it is this write's turn."""
        if not self._queue and self._take():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (rank, next(self._order), future))
        self._plan()
        await future

    def _serve(self) -> None:
        self._timer = None
        while self._queue:
            if self._queue[0][2].done():  # its waiter was cancelled
                heapq.heappop(self._queue)
            elif self._take():
                heapq.heappop(self._queue)[2].set_result(None)
            else:
                break
        self._plan()

    def _plan(self) -> None:
        if self._queue and self._timer is None:
            wait = max(0.001, (1 - self._tokens) / self._rate)  # less may be no time at all to a clock
            self._timer = asyncio.get_running_loop().call_later(wait, self._serve)

    def _take(self) -> bool:
        now = self._clock.monotonic()
        self._tokens = min(self._most, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
