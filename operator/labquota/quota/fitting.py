"""How many pods alike fit, one after the other, into what their owner may still hold.

The answer is reckoned, not counted: a workload may ask for two thousand million replicas.
"""

from collections.abc import Mapping

import msgspec

from labquota.quota import admission
from labquota.quota.amounts import Amounts, add
from labquota.quota.cases import Case, Verdict
from labquota.quota.ledger import Book, Ledger
from labquota.quota.limits import capped
from labquota.quota.quantities import MAX


class Fit(msgspec.Struct, frozen=True):
    """What becomes of a number of pods alike."""

    admitted: int
    """How many of them pass."""
    verdict: Verdict
    """On the first that does not pass; where all do, on the last."""
    ledger: Ledger
    """What their owner holds afterwards."""


def fit(case: Case, ledger: Ledger, count: int) -> Fit:
    """Judge so many pods, each after the one before it has been stored.

    Args:
        case: One of them.
        ledger: What their owner holds before.
        count: How many they are.
    """
    if count <= 0:
        return Fit(0, admission.ALLOWED, ledger)
    book = Book(ledger)
    first = admission.decide(case, book)
    if not first.allowed:
        return Fit(0, first, ledger)
    if first.reservation is None:
        return Fit(count, first, ledger)
    growth = book.growth(first.reservation)
    admitted = count
    if case.limits.enforcement == "Enforce":
        admitted = min(count, _room(case, book.total, growth))
    asked = min(admitted, count - 1)
    verdict = admission.decide(case, Book(_with(ledger, growth, asked)))
    return Fit(admitted, verdict, _with(ledger, growth, admitted))


def room(caps: Mapping[str, int], total: Mapping[str, int], each: Mapping[str, int]) -> int:
    """How many times an amount fits under caps that some of it is used of already."""
    rooms = (
        max(0, caps[key] - total.get(key, 0)) // amount
        for key, amount in each.items()
        if amount and key in caps
    )
    return min(rooms, default=MAX)


def _room(case: Case, total: Mapping[str, int], growth: Amounts) -> int:
    counted = {key: amount for key, amount in growth.items() if key in case.grows}
    return room(capped(case.limits.aggregate), total, counted)


def _with(ledger: Ledger, growth: Amounts, times: int) -> Ledger:
    grown = {key: min(amount * times, MAX) for key, amount in growth.items()} if times else {}
    return msgspec.structs.replace(ledger, folded=add(ledger.folded, grown))
