"""One owner's pods in the view, and the sums of what they hold.

The pods are a chain through the charges themselves: two pointers a pod, where a set would take five times as much.
"""

from collections.abc import Iterator

import msgspec

from labquota.controllers.charges import Charge
from labquota.quota.amounts import Amounts


class Account(msgspec.Struct, gc=False, eq=False):
    """What one owner has.

    Attributes:
        sums: What the pods that cost something hold. They may pass the saturation of a single amount: a later
            subtraction must undo them exactly.
        count: Pods, finished ones included.
    """

    sums: Amounts
    count: int = 0
    first: Charge | None = None

    def link(self, charge: Charge) -> None:
        """Take a pod in."""
        charge.before, charge.after = None, self.first
        if self.first is not None:
            self.first.before = charge
        self.first = charge
        self.count += 1

    def unlink(self, charge: Charge) -> None:
        """Let a pod go."""
        before, after = charge.before, charge.after
        if before is None:
            self.first = after
        else:
            before.after = after
        if after is not None:
            after.before = before
        charge.before = charge.after = None
        self.count -= 1

    def add(self, amounts: Amounts, times: int) -> None:
        """Add to the sums so many times, or take off."""
        sums = self.sums
        for key, amount in amounts.items():
            left = sums.get(key, 0) + times * amount
            if left:
                sums[key] = left
            else:
                sums.pop(key, None)

    def __iter__(self) -> Iterator[Charge]:
        charge = self.first
        while charge is not None:
            yield charge
            charge = charge.after
