"""Bringing one ledger up to the view: its sums become `folded`, and settled reservations leave, in one swap.

    the newest copy ──► not from an older view, not with a lower epoch ──► swap ──► on conflict read afresh

It never folds from a view older than the ledger's, nor with a lower epoch, so that an operator which was frozen or
deposed cannot lower a ledger.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Literal

from labquota import metrics
from labquota.controllers.pacing import Pace, Rank
from labquota.controllers.pods import Pods
from labquota.controllers.settling import Key, is_settled, key, key_of
from labquota.kube import errors, ledgers, versions
from labquota.kube.errors import Lost
from labquota.kube.ledgers import Ledgers, Stored
from labquota.quota import ledger
from labquota.quota.owners import Owner

_TRIES: Final = 6

Outcome = Literal["done", "behind", "contested"]
"""The ledger is as the view says; or the view has yet to catch up with it; or others kept writing it."""


class CatchUp:
    """Folds one owner's ledger at a time.

    Args:
        view: The pods.
        store: The ledgers.
        pace: The operator's budget of writes.
        current: The pods' resourceVersion by a quorum read.
        folded: Called after each look at an owner, with the ledger and the pods that came without a reservation.
        holds: The holds' resourceVersion by a quorum read, where holds are watched.
    """

    def __init__(
        self,
        view: Pods,
        store: Ledgers,
        pace: Pace,
        current: Callable[[], Awaitable[str]],
        folded: Callable[[Stored, set[str]], None],
        holds: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._view, self._store, self._pace = view, store, pace
        self._current, self._folded = current, folded
        self._holds = holds or current
        self._known: set[Owner] = set()
        """Whose ledgers were there when they were last folded."""
        self._awaited: dict[Owner, tuple[str, str]] = {}

    async def fold(self, owner: Owner, rank: Rank, epoch: int, given_up: set[Key]) -> Outcome:
        """Bring one ledger up to the view.

        Args:
            owner: Whose.
            rank: How urgent the write is.
            epoch: That of this operator's Lease.
            given_up: Reservations that can never be stored any more; those that leave the ledger leave this set.

        Raises:
            Lost: The ledger bears a higher epoch, or a view that never was: this epoch is over.
            KubeError: No answer, or not this one.
            LedgerError: The stored ledger cannot be read.
        """
        stored = self._store.copy(owner)
        for _ in range(_TRIES):
            if stored is None:
                stored = await self._store.read(owner) or ledgers.blank(owner)
            if stored.ledger.epoch > epoch:
                raise Lost(f"the ledger of {owner} bears epoch {stored.ledger.epoch}, ours is {epoch}")
            if await self._is_behind(stored, epoch):
                return "behind"
            try:
                await self._write(stored, rank, epoch, given_up)
            except errors.Conflict:
                metrics.FOLD_CONFLICTS.inc()
                stored = None
            else:
                return "done"
        return "contested"

    async def _is_behind(self, stored: Stored, epoch: int) -> bool:
        """Whether the view has yet to catch up with the ledger's.

        A ledger whose view lies above a fresh quorum read is from a history that a restore of etcd has ended. It was
        written in an epoch before: whoever has lost that history begins a new one.

        Raises:
            Lost: The ledger bears this epoch, so the history ended just now.
        """
        if not stored.exists and stored.owner in self._known:
            return await self._is_behind_what_was(stored.owner)
        ledger_ = stored.ledger
        return await self._lies_ahead(
            stored, ledger_.view, self._view.version, self._current, epoch
        ) or await self._lies_ahead(stored, ledger_.holds, self._view.holds_version, self._holds, epoch)

    async def _lies_ahead(
        self, stored: Stored, folded: str, seen: str, current: Callable[[], Awaitable[str]], epoch: int
    ) -> bool:
        if not versions.newer(folded, seen):
            return False
        if not versions.newer(folded, await current()):
            return True
        if stored.ledger.epoch == epoch:
            raise Lost(f"the ledger of {stored.owner} is of a history that a restore of etcd has ended")
        return False

    async def _is_behind_what_was(self, owner: Owner) -> bool:
        """Whether the view may lack pods or holds that a ledger which somebody removed had counted.

        Its reservations went with it. So what takes its place is folded from a view that has passed the present.
        """
        if owner not in self._awaited:
            self._awaited[owner] = await self._current(), await self._present_of_holds()
        pods, holds = self._awaited[owner]
        if versions.newer(pods, self._view.version) or versions.newer(holds, self._view.holds_version):
            return True
        del self._awaited[owner]
        self._known.discard(owner)
        return False

    async def _present_of_holds(self) -> str:
        """The version that the view of holds has to reach; none where holds are not watched."""
        return await self._holds() if self._holds is not self._current else ""

    async def _write(self, stored: Stored, rank: Rank, epoch: int, given_up: set[Key]) -> None:
        """Swap in what the view says now, and tell of it; nothing is written where nothing would change."""
        owner, reservations = stored.owner, stored.ledger.reservations
        if stored.exists:
            self._known.add(owner)
        folded = self._view.sums(owner)
        settled = [each for each in reservations if is_settled(each, owner, self._view, given_up)]
        lapsed = [each for each in stored.ledger.advances if key_of(each) in given_up]
        if not stored.exists and not folded:
            return
        holds, endings = self._view.holds_of(owner)
        same = folded == stored.ledger.folded and epoch == stored.ledger.epoch
        same = same and endings == stored.ledger.endings
        if stored.exists and same and not settled and not lapsed:
            await self._look_again(stored)
            return
        news = self._view.news(owner)
        new = ledger.fold(stored.ledger, folded, self._view.version, epoch, settled, lapsed, holds, endings)
        await self._pace.turn(rank)
        try:
            written = await self._store.swap(stored, new)
        except errors.KubeError:
            # A fresh copy may hold the reservations of the others; of these it was known already.
            self._view.news_again(owner, news - {each.uid for each in reservations})
            raise
        self._known.add(owner)
        metrics.FOLDS.inc()
        metrics.EXPIRED.inc(sum(key(each) in given_up for each in settled) + len(lapsed))
        given_up.difference_update(map(key, settled))
        given_up.difference_update(map(key_of, lapsed))
        self._tell(stored, written, news)

    async def _look_again(self, stored: Stored) -> None:
        """Tell of newcomers who were waiting for an advance to be accounted for, now that nothing is to be folded."""
        news = self._view.news(stored.owner)
        if news - {each.uid for each in stored.ledger.reservations} and not stored.ledger.advances:
            fresh = await self._store.read(stored.owner)
            if fresh is None or fresh.version != stored.version:
                self._view.news_again(
                    stored.owner, news
                )  # what is known of the ledger now brings the next look
                return
        self._tell(stored, stored, news)

    def _tell(self, stored: Stored, written: Stored, news: set[str]) -> None:
        """Say what was folded, and which newcomers had no reservation.

        While a replica holds an advance, it may have let them through and will write that down, so they are looked at
        again. With an advance that lapsed, nobody will ever know which came from it.
        """
        without = news - {each.uid for each in stored.ledger.reservations}
        if written.ledger.advances:
            self._view.news_again(stored.owner, without)
            without = set()
        elif stored.ledger.advances:
            without = set()
        self._folded(written, without)
