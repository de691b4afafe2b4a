"""Folding, owner by owner, for as long as this operator holds the Lease.

    touch(owner) ──► due: soon if something became free, else a little later ──► fold, see `catchup`

All ledgers are written once in each epoch: that fences the holders before.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from labquota import metrics
from labquota.clock import Clock
from labquota.controllers.catchup import CatchUp
from labquota.controllers.pacing import Pace, Rank
from labquota.controllers.pods import Pods
from labquota.controllers.schedule import Schedule, Turn
from labquota.controllers.settling import Key
from labquota.kube import errors
from labquota.kube.errors import Lost
from labquota.kube.ledgers import Ledgers, Stored
from labquota.quota.encoding import LedgerError
from labquota.quota.owners import Owner

log = logging.getLogger(__name__)

FREEING_SECONDS: Final = 0.03
"""A freed budget is waited for; a burst of endings still shares a write."""
FOLDING_SECONDS: Final = 0.4
"""Nobody waits for the rest, and each fold makes replicas read afresh."""
BUSY_SECONDS: Final = 1.2
"""The same for an owner who was folded so lately: who goes on creating pods need not be folded all the time."""
_LARGE: Final = 100
_WORKERS: Final = 8
_FAILED_SECONDS: Final = 2.0


class Folder:
    """Keeps ledgers true to the view while this operator holds the Lease.

    Args:
        view: The pods.
        store: The ledgers.
        pace: The operator's budget of writes.
        clock: Measures when a fold is due.
        current: The pods' resourceVersion by a quorum read.
        hurry: Asks the pod informer for a bookmark soon.
        folded: Called after each look at an owner, with the ledger and the pods that came without a reservation.
        holds: The holds' resourceVersion by a quorum read, where holds are watched.
    """

    def __init__(
        self,
        view: Pods,
        store: Ledgers,
        pace: Pace,
        clock: Clock,
        current: Callable[[], Awaitable[str]],
        hurry: Callable[[], None],
        folded: Callable[[Stored, set[str]], None],
        holds: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._view, self._store, self._clock, self._hurry = view, store, clock, hurry
        self._one = CatchUp(view, store, pace, current, folded, holds)
        self._schedule = Schedule(clock)
        self._folded_at: dict[Owner, float] = {}
        self._owed: set[Owner] = set()
        self._paid = asyncio.Event()
        self.epoch = 0
        self.given_up: set[Key] = set()
        """Reservations that can never be stored any more, as the expiry has made sure."""

    def touch(self, owner: Owner, freed: bool = False) -> None:  # noqa: FBT001, FBT002  the view's callback
        """An owner's pods or ledger have changed."""
        copy = self._store.copy(owner)
        if freed or (copy is not None and self._counts_twice(copy)):
            self._schedule.plan(owner, Rank.FREEING, FREEING_SECONDS)
        elif copy is not None and len(copy.ledger.reservations) >= _LARGE:
            self._schedule.plan(owner, Rank.LARGE, FREEING_SECONDS)
        else:
            lately = self._clock.monotonic() - self._folded_at.get(owner, -BUSY_SECONDS) < BUSY_SECONDS
            self._schedule.plan(owner, Rank.FOLD, BUSY_SECONDS if lately else FOLDING_SECONDS)

    def _counts_twice(self, stored: Stored) -> bool:
        """Whether a reservation's pod is over or folded already, as one is that was let through from an advance."""
        folded = stored.ledger.folded.get("pods", 0)
        for reservation in stored.ledger.reservations:
            charge = self._view.find(reservation.uid)
            if charge is None:
                if self._view.has_ended(reservation.uid):
                    return True
            elif reservation.creates:
                if not self._view.holds(charge):
                    return True
                folded += "pods" in charge.amounts  # a hold is none
        return folded > self._view.sums(stored.owner).get("pods", 0)

    async def run(self, epoch: int) -> None:
        """Fold whatever is due, until cancelled.

        Raises:
            Lost: A ledger bears a higher epoch, or a view that never was: this epoch is over.
        """
        self.epoch = epoch
        self.given_up.clear()  # made sure of in an earlier epoch; the same resize may have been admitted since
        self._view.no_news()
        self._schedule.forget_taken()
        async with asyncio.TaskGroup() as workers:
            for _ in range(_WORKERS):
                workers.create_task(self._work())

    def is_stuck(self) -> bool:
        """Whether folding cannot be said to go on."""
        return self._schedule.is_stuck()

    async def fold_all(self, owners: Iterable[Owner]) -> None:
        """Fold each of these owners once, whatever becomes due meanwhile: a busy cluster always owes somebody."""
        self._owed = set(owners)
        for owner in self._owed:
            self.touch(owner, freed=True)
        while self._owed:
            self._paid.clear()
            await self._paid.wait()

    async def _work(self) -> None:
        while True:
            turn = await self._schedule.take()
            well = False
            try:
                well = await self._fold(turn)
            except Lost:
                raise
            except (errors.KubeError, LedgerError) as error:
                lasting = not (isinstance(error, errors.KubeError) and errors.passing(error))
                log.log(
                    logging.ERROR if lasting else logging.WARNING,
                    "a fold failed",
                    extra={"owner": turn.owner, "error": str(error)},
                )
                # What lasts is told, not counted as folding that is stuck: one ledger must not stop the heartbeat.
                self._schedule.plan(turn.owner, turn.rank, _FAILED_SECONDS, None if lasting else turn.since)
                if isinstance(error, LedgerError) or (lasting and self._store.copy(turn.owner)):
                    self._pay(turn.owner)  # it stands as it is, not missing, and must not stop all the others
            finally:
                self._schedule.done(turn.owner, well=well)
            if well:
                self._note_folded(turn.owner)
                self._pay(turn.owner)
                metrics.FOLD_SECONDS.observe(self._clock.monotonic() - turn.since)

    def _note_folded(self, owner: Owner) -> None:
        now = self._clock.monotonic()
        self._folded_at.pop(owner, None)
        self._folded_at[owner] = now
        oldest = next(iter(self._folded_at))
        if now - self._folded_at[oldest] >= BUSY_SECONDS:
            del self._folded_at[oldest]  # one goes for each that comes, so few remain

    def _pay(self, owner: Owner) -> None:
        self._owed.discard(owner)
        self._paid.set()

    async def _fold(self, turn: Turn) -> bool:
        """Bring one ledger up to the view; False where that must be tried again, which is planned then."""
        outcome = await self._one.fold(turn.owner, turn.rank, self.epoch, self.given_up)
        if outcome == "behind":
            self._hurry()
            self._schedule.plan(turn.owner, turn.rank, FOLDING_SECONDS, turn.since)
        elif outcome == "contested":
            self._schedule.plan(turn.owner, turn.rank, FREEING_SECONDS, turn.since)
        return outcome == "done"
