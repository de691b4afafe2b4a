"""Budget handed to a replica in advance, so that it may let pods through without a write of their own.

An advance stands in the ledger as if it were spent. Its holder gives it out pod by pod and writes down what it gave,
as reservations, with its next write. Nobody else may use it, so it is handed out only where there is plenty, ends soon,
and is given back when another replica recalls it.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from labquota.quota.amounts import Amounts
from labquota.quota.quantities import MAX

VALID_SECONDS: Final = 8.0
"""How long its holder may give out of an advance, by the holder's clock, from before it sent the write."""
LAPSED_SECONDS: Final = VALID_SECONDS + 1.0
"""How long the operator counts it as valid, by its own clock, from when it first saw it: clocks may run unevenly."""
FEWEST: Final = 4
MOST: Final = 256
_SHARE: Final = 4
"""An advance is at most this part of what is left of each limit, so that the others find room."""


class Advance(msgspec.Struct, frozen=True, gc=False):
    """One replica's line in an owner's ledger."""

    id: str
    """`HOLDER.NUMBER`: each write of its holder makes a new one, whose time begins anew."""
    amounts: Amounts
    recalled: bool = False
    """Another replica needs it: its holder gives it back at once."""

    def is_of(self, holder: str) -> bool:
        """Whether a replica holds it."""
        return self.id.partition(".")[0] == holder

    def __len__(self) -> int:
        """An upper bound of the bytes it takes in an encoded ledger."""
        return len(self.id) + 4 + sum(len(key) + 21 for key in self.amounts)


def recall(advance: Advance) -> Advance:
    """The same, to be given back."""
    return msgspec.structs.replace(advance, recalled=True)


def size(pods: int, each: Amounts, total: Mapping[str, int], caps: Mapping[str, int]) -> Amounts:
    """What may be handed out: enough for so many pods, or for fewer where less is left, or nothing.

    Args:
        pods: How many pods are expected.
        each: What one of them takes at most, per resource.
        total: What the owner holds, all reservations and advances included.
        caps: The owner's limits, of those resources that have one.
    """
    for key, amount in each.items():
        if amount and key in caps:
            pods = min(pods, (caps[key] - total.get(key, 0)) // (_SHARE * amount))
    if pods < FEWEST:  # so few can as well be written down one by one
        return {}
    return {key: min(pods * amount, MAX) for key, amount in each.items()}


def covers(amounts: Mapping[str, int], needed: Mapping[str, int]) -> bool:
    """Whether an advance is enough for all of this."""
    return all(amounts.get(key, 0) >= amount for key, amount in needed.items())


def together(advances: Iterable[Advance]) -> Amounts:
    """What several advances come to."""
    total: Amounts = {}
    for advance in advances:
        for key, amount in advance.amounts.items():
            total[key] = min(total.get(key, 0) + amount, MAX)
    return total
