"""What one owner holds: the folded total, plus the reservations that the operator has not confirmed yet.

    total = folded, less the holds among it that have ended by the clock
          + Σ over new pods: per namespace/name the largest   (only one pod of a name can exist)
          + Σ over resized pods: max(after) - min(before) of their open reservations, per resource
          + Σ over advances that replicas hold

A reservation is written before its pod can be stored; or in the same write that takes out the advance from which its
pod was let through. It leaves only through the operator, so the total never falls below what is stored. The ledger's
size follows the number of reservations, never the number of pods.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from labquota.quota import advances
from labquota.quota.advances import Advance
from labquota.quota.amounts import Amounts, add, largest, rise

NOTHING: Final[Amounts] = {}
MOST_FOR_ONE_NAME: Final = 8
"""Open reservations for one namespace/name: a storm of creates that end in AlreadyExists stays this small."""
MOST_RESERVATIONS: Final = 1000
"""Open reservations of one owner, so that one person cannot fill etcd."""
MOST_BYTES: Final = 64 * 1024
"""Length of one owner's encoded ledger."""
_HEAD_BYTES: Final = 85
"""What stands beside the amounts, groups aside: version, epoch, view and holds of 20 digits, and separators."""


class Reservation(msgspec.Struct, frozen=True, gc=False):
    """A charge whose write has not been seen: a pod to be created, or one to be resized."""

    uid: str
    namespace: str
    name: str
    version: str
    """The resourceVersion that a resize replaces; empty for a create."""
    before: Amounts
    after: Amounts
    review: str = ""
    """The AdmissionReview of a resize; empty for a create, whose every try has a uid of its own.

    A resize may be asked for again at the same version. Only the very same review is a replay: a second try must not
    end with the clock of the first.
    """

    def __len__(self) -> int:
        """An upper bound of the bytes it takes in an encoded ledger."""
        words = sum(map(len, (self.uid, self.namespace, self.name, self.version, self.review))) + 11
        return words + _bytes(tuple(self.before.items())) + _bytes(tuple(self.after.items()))

    @property
    def creates(self) -> bool:
        """Whether this is a new pod rather than a resized one."""
        return not self.version

    @property
    def is_hold(self) -> bool:
        """Whether it is for a hold, which is named by its kind too: a pod of the same name is another thing."""
        return "/" in self.name


class Ending(msgspec.Struct, frozen=True, gc=False):
    """A part of `folded` that is free at some moment, whether the operator has seen to it by then or not."""

    until: int
    """POSIX seconds."""
    amounts: Amounts

    def __len__(self) -> int:
        """An upper bound of the bytes it takes in an encoded ledger."""
        return 22 + _bytes(tuple(self.amounts.items()))


class Ledger(msgspec.Struct, frozen=True, gc=False):
    """One owner's ledger as it is stored."""

    folded: Amounts = {}
    view: str = "0"
    """The pods resourceVersion up to which `folded` counts."""
    epoch: int = 0
    """The holder of the Lease that folded it (its transition count)."""
    groups: tuple[str, ...] = ()
    """The user's groups at their newest direct request, as far as a limit names them."""
    reservations: tuple[Reservation, ...] = ()
    advances: tuple[Advance, ...] = ()
    holds: str = "0"
    """The resourceVersion of holds up to which `folded` counts; 0 where it counts none."""
    endings: tuple[Ending, ...] = ()
    """The holds in `folded` that end by themselves."""


EMPTY: Final = Ledger()


class Book:
    """A working copy of a ledger: reservations join one after the other and the total follows.

    Args:
        ledger: As it is stored.
        now: The moment, in POSIX seconds, that decides which holds have ended.
    """

    def __init__(self, ledger: Ledger, now: float = 0.0) -> None:
        self.ledger = ledger
        self.groups = ledger.groups
        self._creates: dict[tuple[str, str], Amounts] = {}
        self._resizes: dict[str, tuple[Amounts, Amounts]] = {}
        self._open: dict[tuple[str, str], list[Reservation]] = {}
        self._count_by_name: dict[tuple[str, str], int] = {}
        self._held: Amounts = dict(ledger.folded)
        self.ended: Amounts = {}
        """What of `folded` is free by now; not to be changed."""
        self._endings = list(ledger.endings)
        self._advances: dict[str, Advance] = {}
        self.total: Amounts = self._held
        """All that the owner holds; not to be changed."""
        self._size = _HEAD_BYTES + sum(len(key) + 21 for key in ledger.folded) + sum(map(len, ledger.endings))
        for reservation in ledger.reservations:
            self.join(reservation)
        if ledger.advances:
            self.advances = ledger.advances
        self.pass_to(now)

    def pass_to(self, now: float) -> None:
        """Let holds end whose time is over by now (POSIX seconds)."""
        if not self._endings:
            return
        over = [each for each in self._endings if each.until <= now]
        for each in over:
            self._endings.remove(each)
            self.ended = add(self.ended, each.amounts)
            self._held = rise(each.amounts, self._held)
        if over:
            self.advances = self.advances  # which adds up the total

    @property
    def size(self) -> int:
        """An upper bound of the bytes that the encoded ledger takes."""
        groups = sum(3 * len(group.encode("utf-8", "surrogatepass")) + 1 for group in self.groups)
        return self._size + groups + sum(map(len, self._advances.values()))

    @property
    def advances(self) -> tuple[Advance, ...]:
        """What replicas hold in advance."""
        return tuple(self._advances.values())

    @advances.setter
    def advances(self, held: Iterable[Advance]) -> None:
        self._advances = {advance.id: advance for advance in held}
        self.total = add(self._held, advances.together(self._advances.values()))

    @property
    def reservations(self) -> tuple[Reservation, ...]:
        """All open reservations, oldest first within a pod."""
        return tuple(reservation for those in self._open.values() for reservation in those)

    def __len__(self) -> int:
        return sum(map(len, self._open.values()))

    def count_for(self, namespace: str, name: str) -> int:
        """How many reservations are open for one namespace/name."""
        return self._count_by_name.get((namespace, name), 0)

    def holds(self, reservation: Reservation) -> bool:
        """Whether the very same reservation is open: the request is a replay."""
        return reservation in self._open.get((reservation.uid, reservation.version), ())

    def growth(self, reservation: Reservation) -> Amounts:
        """What the total would grow by if this reservation joined, per resource; not to be changed."""
        if reservation.creates:
            known_create = self._creates.get((reservation.namespace, reservation.name))
            return reservation.after if known_create is None else rise(known_create, reservation.after)
        known = self._resizes.get(reservation.uid)
        old = NOTHING if known is None else rise(*known)
        low, high = _span(known, reservation)
        return rise(old, rise(low, high))

    def join(self, reservation: Reservation) -> None:
        """Take a reservation in."""
        growth = self.growth(reservation)
        self._held = add(self._held, growth)
        self.total = add(self.total, growth) if self._advances else self._held
        self._size += len(reservation)
        name = reservation.namespace, reservation.name
        if reservation.creates:
            known = self._creates.get(name)
            after = reservation.after
            self._creates[name] = after if known is None else largest(known, after)
        else:
            self._resizes[reservation.uid] = _span(self._resizes.get(reservation.uid), reservation)
        self._open.setdefault((reservation.uid, reservation.version), []).append(reservation)
        self._count_by_name[name] = self._count_by_name.get(name, 0) + 1

    def close(self) -> Ledger:
        """The ledger to be written."""
        return msgspec.structs.replace(
            self.ledger, groups=self.groups, reservations=self.reservations, advances=self.advances
        )


@lru_cache(maxsize=4096)
def _bytes(amounts: tuple[tuple[str, int], ...]) -> int:
    """Pods of one owner are often alike, and every reservation of a ledger joins a book with every admission."""
    return sum(len(key) + len(str(amount)) + 2 for key, amount in amounts)


def in_flight(ledger: Ledger) -> Amounts:
    """The part of the total that reservations and advances make up."""
    return rise(ledger.folded, Book(ledger).total)


def settled(book: Book) -> Amounts:
    """The part of the total that is folded and has not ended."""
    return rise(book.ended, book.ledger.folded) if book.ended else book.ledger.folded


def fold(
    ledger: Ledger,
    folded: Amounts,
    view: str,
    epoch: int,
    settled: Iterable[Reservation],
    lapsed: Iterable[Advance] = (),
    holds: str = "0",
    endings: Iterable[Ending] = (),
) -> Ledger:
    """The ledger after the operator has counted the pods and holds in its view.

    Args:
        ledger: The ledger as it is stored now.
        folded: Amounts of every charged pod and hold of this owner in the view.
        view: The pods resourceVersion of that view.
        epoch: The transition count of the operator's Lease.
        settled: Reservations that the view answers, or that can never be stored.
        lapsed: Advances out of which their holders can give nothing any more; what they gave, the view shows.
        holds: The resourceVersion of holds in that view; 0 where this owner has none there.
        endings: Those of them that end by themselves.
    """
    gone = {*map(id, settled), *map(id, lapsed)}
    return Ledger(
        folded=folded,
        view=view,
        epoch=epoch,
        groups=ledger.groups,
        reservations=tuple(each for each in ledger.reservations if id(each) not in gone),
        advances=tuple(each for each in ledger.advances if id(each) not in gone),
        holds=holds,
        endings=tuple(endings),
    )


def _span(known: tuple[Amounts, Amounts] | None, reservation: Reservation) -> tuple[Amounts, Amounts]:
    """The lowest amounts before and the highest after, over one pod's open resizes."""
    if known is None:
        return reservation.before, reservation.after
    low, high = known
    lowest = {key: min(amount, reservation.before.get(key, 0)) for key, amount in low.items()}
    return lowest, largest(high, reservation.after)
