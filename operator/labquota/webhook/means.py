"""What the workers of one replica share: the ledgers, the operator's sign of life, time and chance."""

import asyncio
import random
from typing import Final

from labquota import metrics
from labquota.clock import Clock
from labquota.kube import ledgers
from labquota.kube.ledgers import Ledgers, Stored
from labquota.kube.marker import Pulse
from labquota.quota.ledger import EMPTY, Book, Ledger
from labquota.quota.owners import Owner
from labquota.webhook.purse import Purse

_MOST_BOOKS: Final = 1000
_MOST_GONE: Final = 1000
_RECALL_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.01
_FREEING_SECONDS: Final = 0.3


class Outage(Exception):  # noqa: N818  the field's word for it
    """No verdict: what it takes to judge cannot be reached. Nothing that a user does may end in this."""


class Means:
    """What a worker works with: the ledgers, the operator's sign of life, time and chance.

    Args:
        store: The ledgers.
        pulse: Whether an operator has folded the cluster, and still does.
        clock: For deadlines.
        rng: Jitter after conflicts, so that replicas do not meet again; and this replica's name in advances.
        take_advances: Whether budget is taken in advance at all.
    """

    def __init__(
        self, store: Ledgers, pulse: Pulse, clock: Clock, rng: random.Random, *, take_advances: bool = True
    ) -> None:
        self.store = store
        self.holder = f"{rng.getrandbits(64):016x}"
        self.gone: set[str] = set()
        """Advances of other replicas that were recalled in vain."""
        self._take_advances = take_advances
        self._pulse, self._clock, self._rng = pulse, clock, rng
        self._books: dict[Owner, tuple[str, Book]] = {}
        self.conflicts = 0
        self.swaps = 0

    def purse(self) -> Purse:
        """An owner's empty purse."""
        return Purse(self.holder, self.now, open_=self._take_advances)

    def open(self, stored: Stored) -> Book:
        """A ledger's book; the one that was written last, if nobody has written since. It is the caller's alone."""
        version, book = self._books.pop(stored.owner, ("", None))
        # After a restore of etcd the same version may be of another ledger.
        same = (
            book is not None
            and version == stored.version
            and (book.ledger is stored.ledger or book.ledger == stored.ledger)
        )
        now = self._clock.now().timestamp()
        if book is None or not same:
            return Book(stored.ledger, now)
        book.pass_to(now)
        return book

    async def write(self, stored: Stored, book: Book) -> None:
        """Swap a book in, and keep it open for the next batch: to total all its reservations anew costs more.

        Raises:
            KubeError: As `Ledgers.swap`.
            LedgerError: As `Ledgers.swap`.
        """
        self.swaps += 1
        metrics.SWAPS.inc()
        written = await self.store.swap(stored, book.close())
        book.ledger = written.ledger
        if len(self._books) >= _MOST_BOOKS:
            self._books.clear()
        self._books[stored.owner] = written.version, book

    async def read(self, owner: Owner) -> Stored:
        """A ledger as of now; a blank one where there is none and a marker says that this means no pods."""
        stored = await self.store.read(owner)
        if stored is None:
            if not await self._pulse.is_complete():
                raise Outage(f"no operator has folded the cluster yet, so what {owner} holds is not known")
            stored = ledgers.blank(owner)
        return stored

    async def operator_is_away(self) -> bool:
        """Whether nothing is being freed at present."""
        return not await self._pulse.beats()

    async def until_given_back(self, owner: Owner, ids: set[str]) -> None:
        """Wait until recalled advances have left the ledger; those that do not, soon, count as spent from now on.

        Pods that were let through from them may be folded already, or over: the operator gets a moment to see that.
        """
        until = self.now() + _RECALL_SECONDS
        while left := ids & {each.id for each in self._ledger(owner).advances}:
            if self.now() > until:
                if len(self.gone) >= _MOST_GONE:
                    self.gone.clear()
                self.gone |= left
                return
            await asyncio.sleep(_LOOK_SECONDS)
        until = self.now() + _FREEING_SECONDS
        put_down = {each.uid for each in self._ledger(owner).reservations}
        while put_down and self.now() < until:
            if not put_down <= {each.uid for each in self._ledger(owner).reservations}:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    def _ledger(self, owner: Owner) -> Ledger:
        copy = self.store.copy(owner)
        return EMPTY if copy is None else copy.ledger

    async def pause(self, longest: float) -> None:
        """Wait a random while, so that whoever conflicts does not meet again."""
        if longest:
            await asyncio.sleep(self._rng.random() * longest)

    def count_conflict(self) -> None:
        """A swap has lost against another writer."""
        self.conflicts += 1
        metrics.CONFLICTS.inc()

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock.monotonic()
