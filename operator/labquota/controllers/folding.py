"""Folding: the sums of the view become a ledger's `folded`, and settled reservations leave it, in one swap.

    touch(owner) ──► due: soon if something became free, else a little later ──► fold(owner)
    fold: the newest copy ──► not from an older view, not with a lower epoch ──► swap ──► on conflict read afresh

It never folds from a view older than the ledger's, nor with a lower epoch, so that an operator which was frozen or
deposed cannot lower a ledger. All ledgers are written once in each epoch: that fences the holders before.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from labquota import metrics
from labquota.clock import Clock
from labquota.controllers.pacing import Pace, Rank
from labquota.controllers.pods import Pods
from labquota.controllers.settling import Key, is_settled, key
from labquota.kube import errors, ledgers, versions
from labquota.kube.errors import Lost
from labquota.kube.ledgers import Ledgers, Stored
from labquota.quota import ledger
from labquota.quota.encoding import LedgerError
from labquota.quota.owners import Owner

log = logging.getLogger(__name__)

FREEING_SECONDS: Final = 0.03
"""A freed budget is waited for; a burst of endings still shares a write."""
FOLDING_SECONDS: Final = 0.4
"""Nobody waits for the rest, and each fold makes replicas read afresh."""
_LARGE: Final = 100
_WORKERS: Final = 8
_STUCK_SECONDS: Final = 10.0
_TRIES: Final = 6


class Folder:
    """Keeps ledgers true to the view while this operator holds the Lease.

    Args:
        view: The pods.
        store: The ledgers.
        pace: The operator's budget of writes.
        clock: Measures when a fold is due.
        current: The pods' resourceVersion by a quorum read.
        folded: Called after each look at an owner, with the ledger and the pods that came without a reservation.
    """

    def __init__(
        self,
        view: Pods,
        store: Ledgers,
        pace: Pace,
        clock: Clock,
        current: Callable[[], Awaitable[str]],
        folded: Callable[[Stored, set[str]], None],
    ) -> None:
        self._view, self._store, self._pace, self._clock = view, store, pace, clock
        self._current, self._folded = current, folded
        self.epoch = 0
        self.given_up: set[Key] = set()
        """Reservations that can never be stored any more, as the expiry has made sure."""
        self._due: dict[Owner, tuple[float, Rank, float]] = {}
        self._folding: set[Owner] = set()
        self._owed: set[Owner] = set()
        self._last_fold = clock.monotonic()
        self._wake = asyncio.Event()

    def touch(self, owner: Owner, freed: bool = False) -> None:  # noqa: FBT001, FBT002  the view's callback
        """An owner's pods or ledger have changed."""
        now = self._clock.monotonic()
        rank, due = (Rank.FREEING, now + FREEING_SECONDS) if freed else (Rank.FOLD, now + FOLDING_SECONDS)
        copy = self._store.copy(owner)
        if not freed and copy is not None and len(copy.ledger.reservations) >= _LARGE:
            rank, due = Rank.LARGE, now + FREEING_SECONDS
        if known := self._due.get(owner):
            due, rank, now = min(due, known[0]), min(rank, known[1]), known[2]
        self._due[owner] = due, rank, now
        self._wake.set()

    async def run(self, epoch: int) -> None:
        """Fold whatever is due, until cancelled.

        Raises:
            Lost: A ledger bears a higher epoch: somebody else is the operator now.
        """
        self.epoch = epoch
        self._folding.clear()
        self.given_up.clear()  # made sure of in an earlier epoch; the same resize may have been admitted since
        self._view.no_news()
        async with asyncio.TaskGroup() as workers:
            for _ in range(_WORKERS):
                workers.create_task(self._work())

    def is_stuck(self) -> bool:
        """Whether something has been due for so long that folding cannot be said to go on."""
        latest = self._clock.monotonic() - _STUCK_SECONDS
        return self._last_fold < latest and any(since < latest for _, _, since in self._due.values())

    async def fold_all(self, owners: Iterable[Owner]) -> None:
        """Fold each of these owners once, whatever becomes due meanwhile: a busy cluster always owes somebody."""
        self._owed = set(owners)
        for owner in self._owed:
            self.touch(owner, freed=True)
        while self._owed:
            self._wake.clear()
            await self._wake.wait()

    async def _work(self) -> None:
        while True:
            owner, rank, since = await self._next()
            self._folding.add(owner)
            try:
                if await self._fold(owner, rank):
                    self._owed.discard(owner)
                self._last_fold = self._clock.monotonic()
                metrics.FOLD_SECONDS.observe(self._last_fold - since)
            except (errors.KubeError, LedgerError) as error:
                if isinstance(error, Lost):
                    raise
                log.warning("a fold failed", extra={"owner": owner, "error": str(error)})
                if isinstance(error, LedgerError):
                    self._owed.discard(owner)  # it cannot be read, but nobody takes it for missing
                self.touch(owner)
            finally:
                self._folding.discard(owner)
                self._wake.set()

    async def _next(self) -> tuple[Owner, Rank, float]:
        """The most urgent owner that is due and that no other worker is folding."""
        while True:
            now = self._clock.monotonic()
            waiting = [
                (due, rank, since, owner)
                for owner, (due, rank, since) in self._due.items()
                if owner not in self._folding
            ]
            ready = [each for each in waiting if each[0] <= now]
            if ready:
                _, rank, since, owner = min(ready, key=lambda each: (each[1], each[0]))
                del self._due[owner]
                return owner, rank, since
            self._wake.clear()
            wait = min((each[0] for each in waiting), default=now + 3600) - now
            try:
                async with asyncio.timeout(max(wait, 0.001)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _fold(self, owner: Owner, rank: Rank) -> bool:
        """Bring one ledger up to the view; False where that must be tried again, which is planned then."""
        stored = self._store.copy(owner)
        for _ in range(_TRIES):
            if stored is None:
                stored = await self._store.read(owner) or ledgers.blank(owner)
            if stored.ledger.epoch > self.epoch:
                raise Lost(f"the ledger of {owner} bears epoch {stored.ledger.epoch}, ours is {self.epoch}")
            if await self._is_behind(stored):
                self.touch(owner)
                return False
            try:
                await self._write(stored, rank)
            except errors.Conflict:
                metrics.FOLD_CONFLICTS.inc()
                stored = None
            else:
                return True
        self.touch(owner, freed=rank is Rank.FREEING)
        return False

    async def _is_behind(self, stored: Stored) -> bool:
        """Whether the view has yet to catch up with the ledger's.

        A ledger whose view lies above a fresh quorum read is from a history that a restore of etcd has ended.
        """
        view = stored.ledger.view
        return versions.newer(view, self._view.version) and not versions.newer(view, await self._current())

    async def _write(self, stored: Stored, rank: Rank) -> None:
        """Swap in what the view says now, and tell of it; nothing is written where nothing would change."""
        owner, reservations = stored.owner, stored.ledger.reservations
        folded = self._view.sums(owner)
        settled = [each for each in reservations if is_settled(each, self._view, self.given_up)]
        if not stored.exists and not folded:
            return
        same = folded == stored.ledger.folded and self.epoch == stored.ledger.epoch
        if stored.exists and same and not settled:
            self._folded(stored, set())
            return
        news = self._view.news(owner)
        new = ledger.fold(stored.ledger, folded, self._view.version, self.epoch, settled)
        await self._pace.turn(rank)
        try:
            written = await self._store.swap(stored, new)
        except errors.Conflict:
            self._view.news_again(owner, news)  # a fresh copy may hold their reservations
            raise
        metrics.FOLDS.inc()
        metrics.EXPIRED.inc(sum(key(each) in self.given_up for each in settled))
        self.given_up.difference_update(map(key, settled))
        self._folded(written, news - {each.uid for each in reservations})
