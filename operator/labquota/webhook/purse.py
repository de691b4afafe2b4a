"""What one replica may give out of one owner's budget without a write: its advance, and what it gave out of it.

    fill(book) ──► swap ──► stored(): the advance is ours
    give(case) ──► allowed at once, remembered              ┐ at every moment the ledger holds for each pod that
    settle(book) ──► swap: what was given is a reservation  ┘ was given either its reservation or our advance

What was given is forgotten only when a swap has stored its reservation. While a swap is under way, or nobody knows
what became of one, the old advance and the new one both cover what is given meanwhile; where the new one would not,
nothing is given until one is stored.
"""

import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from labquota.quota import advances, ledger, verdict
from labquota.quota.admission import ALLOWED
from labquota.quota.advances import Advance
from labquota.quota.amounts import Amounts, largest, rise
from labquota.quota.cases import Case, Verdict
from labquota.quota.ledger import Book, Reservation
from labquota.quota.limits import Limit, capped

BURST_SECONDS: Final = 2.0
_BURST: Final = 2
"""Pods within `BURST_SECONDS` that make it worth while: one that comes alone is not followed by another."""
_REST_SECONDS: Final = 2.0
"""How long a replica takes no advance for an owner after another one has recalled it."""
_MANY_GIVEN: Final = 60
_MOST_GIVEN: Final = 150


class _Grant(msgspec.Struct):
    """An advance that is ours, and under which rules it was taken."""

    amounts: Amounts
    until: float
    limits: Mapping[str, Limit]
    book: Book
    """The owner's ledger as it was stored with the advance."""
    total: Amounts
    """What the owner held then, the whole advance included."""


class Purse:
    """One owner's purse in one replica.

    Args:
        holder: This replica's name in advances.
        now: Monotonic seconds.
        open_: Whether advances are taken at all.
    """

    def __init__(self, holder: str, now: Callable[[], float], *, open_: bool) -> None:
        self._holder, self._now, self._open = holder, now, open_
        self._numbers = itertools.count(1)
        self.given: dict[str, Reservation] = {}
        """By pod uid: what no stored reservation stands for yet."""
        self.has_line = False
        """Whether the ledger may hold an advance of ours."""
        self._names: Counter[tuple[str, str]] = Counter()
        self._left: Amounts = {}
        self._grant: _Grant | None = None
        self._sent: tuple[dict[str, Reservation], int, _Grant | None] = {}, 0, None
        self._resting = -1.0
        self._came: deque[float] = deque(maxlen=advances.MOST)

    @property
    def is_empty(self) -> bool:
        """Whether the ledger owes nothing to this purse, nor this purse to the ledger."""
        return not self.given and not self.has_line

    @property
    def may_burst(self) -> bool:
        """Whether a pod came so lately that the next one would make a burst."""
        return bool(self._came) and self._now() - self._came[-1] < BURST_SECONDS

    @property
    def has_grant(self) -> bool:
        """Whether an advance of ours was stored and may still be given out of."""
        return self._grant is not None

    @property
    def is_low(self) -> bool:
        """Whether less than half of the advance is left, or much is to be written down: time for the next one."""
        if self._grant is None or not self.given:
            return False
        if len(self.given) >= _MANY_GIVEN:
            return True
        return any(2 * self._left.get(key, 0) < amount for key, amount in self._grant.amounts.items())

    def give(self, case: Case) -> Verdict | None:
        """Let a pod through from the advance; None where the ledger itself must be asked.

        Only the plainest case is decided here. Everything else, every doubt and every refusal among it, is not.
        """
        grant, asked = self._grant, case.reservation
        if grant is None or self._now() > grant.until or not _is_plain(case):
            return None
        if asked.uid in self.given:
            return ALLOWED if self.given[asked.uid] == asked else None
        if grant.limits != case.limits.aggregate or not advances.covers(self._left, asked.after):
            return None
        name = asked.namespace, asked.name
        if self._names[name] or grant.book.count_for(*name) or len(self.given) >= _MOST_GIVEN:
            return None
        self.given[asked.uid] = asked
        self._names[name] += 1
        self._left = {key: amount - asked.after.get(key, 0) for key, amount in self._left.items()}
        self._came.append(self._now())
        used = rise(self._left, grant.total)
        nearly = verdict.nearly_over(case.limits.aggregate, case.grows, used)
        return Verdict(allowed=True, nearly=tuple(nearly), reservation=asked) if nearly else ALLOWED

    def rest(self, seconds: float = _REST_SECONDS) -> None:
        """Give nothing more, and take no advance for a while: another replica needs what is left."""
        self._resting = max(self._resting, self._now() + seconds)
        self._grant = None

    def settle(self, book: Book) -> bool:
        """Put down what was given, in place of the advance, in a book that is to be swapped in.

        Returns:
            Whether it must be: the advance is recalled.
        """
        ours = [advance for advance in book.advances if advance.is_of(self._holder)]
        if ours:
            book.advances = tuple(each for each in book.advances if each not in ours)
        recalled = any(advance.recalled for advance in ours)
        if recalled or (self.has_grant and not ours):
            self.rest()
        for reservation in self.given.values():
            if not book.holds(reservation):
                book.join(reservation)
        return recalled

    def fill(self, book: Book, taken: Iterable[Case]) -> None:
        """Put an advance into a book, if what came lately says that more will come and there is plenty left.

        Args:
            book: With all that is to be swapped in besides.
            taken: The requests of this batch that were allowed.
        """
        cases = [case for case in taken if _is_plain(case)]
        limits = cases[-1].limits.aggregate if cases else self._grant.limits if self._grant else None
        alike = [*(case.reservation for case in cases), *self.given.values()]
        new = None
        if limits is not None and alike and self._open and self._now() > self._resting:
            new = self._next(book, limits, alike, len(cases))
        if new is not None:
            name = f"{self._holder}.{next(self._numbers)}"
            book.advances = (*book.advances, Advance(id=name, amounts=new.amounts))
            self.has_line = True
        self._sent = dict(self.given), len(cases), new
        if new is None or not advances.covers(new.amounts, self._left):
            self._left = {}  # see the module

    def stored(self, book: Book) -> None:
        """The swap was stored: what it put down is no longer ours to remember, and the advance is."""
        down, cases, new = self._sent
        for uid in down:
            del self.given[uid]
        self._names = Counter((each.namespace, each.name) for each in self.given.values())
        self._came.extend([self._now()] * cases)
        self.has_line = new is not None
        self._grant = None if self._now() <= self._resting else new
        self._left = {}
        if new is not None:
            new.book, new.total, self._left = book, book.total, new.amounts
            for each in self.given.values():
                self._left = rise(each.after, self._left)

    def _next(
        self, book: Book, limits: Mapping[str, Limit], alike: list[Reservation], cases: int
    ) -> _Grant | None:
        """The advance to ask for: twice as much as came lately."""
        now = self._now()
        came = cases + sum(now - at <= BURST_SECONDS for at in self._came)
        if came < _BURST:
            return None
        pods = min(max(2 * came, advances.FEWEST), advances.MOST, _room(book, max(map(len, alike))))
        each = largest(*(one.after for one in alike))
        amounts = advances.size(pods, each, book.total, capped(limits))
        return _Grant(amounts, now + advances.VALID_SECONDS, limits, book, {}) if amounts else None


def _room(book: Book, line: int) -> int:
    """How many pods, of so many bytes each, a ledger can take with room for as many more: see `reasons.of_book`."""
    return min(ledger.MOST_RESERVATIONS - len(book), (ledger.MOST_BYTES - book.size) // line) // 2


def _is_plain(case: Case) -> bool:
    """A new pod that counts and that nothing is said against: what an advance may be given for."""
    return (
        case.is_counted
        and case.reservation.creates
        and not case.new_groups
        and not case.refusals
        and not case.over_per_pod
        and not case.request.dry_run
        and not case.is_mirror
    )
