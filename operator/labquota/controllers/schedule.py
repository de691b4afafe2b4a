"""When which owner is folded: the most urgent of those that are due, and nobody twice at once."""

import asyncio
import heapq
import itertools
from typing import Final

import msgspec

from labquota.clock import Clock
from labquota.controllers.pacing import Rank
from labquota.quota.owners import Owner

STUCK_SECONDS: Final = 10.0


class Turn(msgspec.Struct, gc=False):
    """One owner's turn."""

    owner: Owner
    rank: Rank
    due: float
    since: float
    """When what is to be folded came up."""


class Schedule:
    """Owners that are to be folded.

    Args:
        clock: Measures when a turn is due.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turns: dict[Owner, Turn] = {}
        self._later: list[tuple[float, int, Owner]] = []
        self._ready: list[tuple[Rank, float, int, Owner]] = []
        self._taken: dict[Owner, Turn] = {}
        self._order = itertools.count()
        self._last_done = clock.monotonic()
        self._wake = asyncio.Event()

    def plan(self, owner: Owner, rank: Rank, wait: float, since: float | None = None) -> None:
        """Give an owner a turn in `wait` seconds, or sooner and more urgent if one is planned already."""
        now = self._clock.monotonic()
        turn = self._turns.get(owner)
        if turn is None:
            turn = self._turns[owner] = Turn(owner, rank, now + wait, now if since is None else since)
        else:
            turn.since = turn.since if since is None else min(since, turn.since)
            if now + wait >= turn.due and rank >= turn.rank:
                return
            turn.due, turn.rank = min(now + wait, turn.due), min(rank, turn.rank)
        if owner not in self._taken:
            self._put(turn)

    async def take(self) -> Turn:
        """Wait for the most urgent turn that is due; the owner is nobody else's until `done`."""
        while True:
            now = self._clock.monotonic()
            while self._later and self._later[0][0] <= now:
                _, number, owner = heapq.heappop(self._later)
                if turn := self._turns.get(owner):
                    heapq.heappush(self._ready, (turn.rank, turn.due, number, owner))
            while self._ready:
                owner = heapq.heappop(self._ready)[3]
                if owner not in self._taken and (turn := self._turns.pop(owner, None)):
                    self._taken[owner] = turn
                    return turn
            self._wake.clear()
            wait = (
                max(0.001, self._later[0][0] - now) if self._later else None
            )  # less may be no time to a clock
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def done(self, owner: Owner, *, well: bool) -> None:
        """A turn is over; `well` if it brought the ledger up to the view."""
        self._taken.pop(owner, None)
        if well:
            self._last_done = self._clock.monotonic()
        if turn := self._turns.get(owner):
            self._put(turn)

    def forget_taken(self) -> None:
        """Whoever had taken turns is gone."""
        for owner in list(self._taken):
            self.done(owner, well=False)

    def is_stuck(self) -> bool:
        """Whether something has been due for so long, and nothing been done, that folding cannot be said to go on."""
        latest = self._clock.monotonic() - STUCK_SECONDS
        waiting = (*self._turns.values(), *self._taken.values())
        return self._last_done < latest and any(turn.since < latest for turn in waiting)

    def _put(self, turn: Turn) -> None:
        heapq.heappush(self._later, (turn.due, next(self._order), turn.owner))
        self._wake.set()
