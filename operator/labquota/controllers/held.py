"""The holds of a view: devices that are kept for somebody without a pod, charged as pods are."""

import math
from collections.abc import Callable, Iterator

from labquota.controllers.charges import Charge, Key
from labquota.quota.amounts import Amounts, add
from labquota.quota.ledger import Ending
from labquota.quota.owners import Owner


class Held:
    """All holds, by uid and by owner."""

    def __init__(self) -> None:
        self._holds: dict[Key, Charge] = {}
        self._of: dict[Owner, dict[Key, Charge]] = {}

    def get(self, key: Key) -> Charge | None:
        """One of them."""
        return self._holds.get(key)

    def put(self, charge: Charge) -> None:
        """Take one in."""
        self._holds[charge.key] = charge
        self._of.setdefault(charge.owner, {})[charge.key] = charge

    def pop(self, key: Key) -> Charge | None:
        """Let one go."""
        charge = self._holds.pop(key, None)
        if charge is not None:
            of_owner = self._of[charge.owner]
            del of_owner[key]
            if not of_owner:
                del self._of[charge.owner]
        return charge

    def lasts(self, owner: Owner) -> bool:
        """Whether some hold of an owner costs them anything."""
        return any(each.charged for each in self._of.get(owner, {}).values())

    def endings(self, owner: Owner, keeps: Callable[[str], bool]) -> tuple[Ending, ...]:
        """Which part of what an owner holds ends by itself, and when; only of what ledgers keep."""
        found: dict[int, Amounts] = {}
        for charge in self._of.get(owner, {}).values():
            if charge.charged and charge.deadline is not None:
                until = math.ceil(charge.deadline)
                kept = {key: amount for key, amount in charge.amounts.items() if keeps(key)}
                found[until] = add(found.get(until, {}), kept)
        return tuple(Ending(until, amounts) for until, amounts in sorted(found.items()))

    def __iter__(self) -> Iterator[Charge]:
        return iter(list(self._holds.values()))
