"""Amounts of several resources at once: how they are added, compared and merged.

A key that is absent is zero, so none of these has to be told which resources there are.
"""

from collections.abc import Mapping

from labquota.quota.quantities import MAX

Amounts = dict[str, int]
"""Canonical resource key to amount in base units (see `resources`). A key that is absent is zero."""


def add(a: Amounts, b: Amounts) -> Amounts:
    """Both together, as new amounts, each saturating at `MAX`."""
    total = dict(a)
    for key, amount in b.items():
        total[key] = min(total.get(key, 0) + amount, MAX)
    return total


def rise(low: Mapping[str, int], high: Mapping[str, int]) -> Amounts:
    """By how much `high` lies above `low`, per resource; resources that do not rise are left out."""
    if not low:  # as for every new pod
        return {key: amount for key, amount in high.items() if amount > 0}
    return {key: amount - low.get(key, 0) for key, amount in high.items() if amount > low.get(key, 0)}


def largest(*several: Mapping[str, int]) -> Amounts:
    """Per resource the most that any of them names; a zero that is written out stays written out."""
    merged: Amounts = {}
    for one in several:
        for key, amount in one.items():
            merged[key] = max(amount, merged.get(key, 0))
    return merged
