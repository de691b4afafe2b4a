"""Whether a rolling update can come to its end within a budget.

A Deployment replaces its pods a few at a time: first some new ones beside the old, then as many old ones fewer. At its
owner's limit there is no room beside, and where none of the old may be missing, nothing ever moves.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from labquota.quota import fitting
from labquota.quota.amounts import Amounts
from labquota.quota.workloads import Rolling

_MOST_STEPS: Final = 1000
"""After so many it moves: what stands in the way shows in the first few."""


class Rollout(msgspec.Struct, frozen=True):
    """Old pods that are to become new ones. Amounts are of one pod."""

    replicas: int
    running: int
    """Old pods that there are."""
    old: Amounts
    new: Amounts
    left: Mapping[str, int]
    """What the owner may hold of each limited resource, besides what is not this Deployment's."""


def can_end(rollout: Rollout, rolling: Rolling) -> bool:
    """Whether the last old pod goes, whatever becomes of the new ones."""
    surge, missing = _bounds(rolling, rollout.replicas)
    old, new = rollout.running, 0
    for _ in range(_MOST_STEPS):
        if not old:
            return True
        held = {key: amount * old for key, amount in rollout.old.items()}
        for key, amount in rollout.new.items():
            held[key] = held.get(key, 0) + amount * new
        fits = fitting.room(rollout.left, held, rollout.new)
        more = max(0, min(rollout.replicas - new, rollout.replicas + surge - old - new, fits))
        fewer = max(0, min(old, old + new + more - (rollout.replicas - missing)))
        if not more and not fewer:
            return False
        old, new = old - fewer, new + more
    return True


def _bounds(rolling: Rolling, replicas: int) -> tuple[int, int]:
    """How many pods may be too many, and missing, as Kubernetes rounds them: up and down, and never both to none."""
    surge = _share(rolling.max_surge, replicas, up=True)
    missing = _share(rolling.max_unavailable, replicas, up=False)
    return surge, missing if surge or missing else 1


def _share(amount: int | str, replicas: int, *, up: bool) -> int:
    if isinstance(amount, int):
        return amount
    digits = amount.removesuffix("%")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 8):
        return 0
    hundredths = int(digits) * replicas
    return -(-hundredths // 100) if up else hundredths // 100
