"""Whose turn it is in the audit: every owner and every namespace once a round, in pieces of about one page of pods."""

from collections.abc import Collection, Mapping
from typing import Final

from labquota.controllers.recounting import PAGE
from labquota.quota.owners import Owner

_OWNERS: Final = 50
"""The most owners of one turn, each a read of one ledger."""
_NAMESPACES: Final = 20
"""The most namespaces of one turn, each a list."""

Turn = tuple[list[Owner], list[str]]
"""Owners and namespaces."""


def of(owners: Collection[Owner], namespaces: Mapping[str, int]) -> list[Turn]:
    """The turns of one round.

    Args:
        owners: Everybody, each of whom has one turn.
        namespaces: All of them, with the number of pods in each. One that is larger than a page has a turn alone.
    """
    parts: list[list[str]] = [[]]
    size = 0
    for namespace, pods in sorted(namespaces.items()):
        size += pods
        if parts[-1] and (size > PAGE or len(parts[-1]) == _NAMESPACES):
            parts.append([])
            size = pods
        parts[-1].append(namespace)
    count = max(len(parts), -(-len(owners) // _OWNERS))
    parts += [[] for _ in range(count - len(parts))]
    everybody = sorted(owners)
    cuts = [len(everybody) * number // count for number in range(count + 1)]
    return [(everybody[cuts[number] : cuts[number + 1]], part) for number, part in enumerate(parts)]
