"""Points: what a GPU costs, exactly. One GPU is 56 of compute and 56 of memory, kept in two ledgers.

    gpu-equivalents: N   ──►   gpu-compute ≤ 56·N   and   gpu-slots ≤ 56·N

56 divides by seven compute slices and by eight memory slots, so every part of a GPU is a whole number. The two names
are labquota's own: people write and read `gpu-equivalents`, the larger of the two.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

WHOLE: Final = 56
"""Points of one GPU in each of the two ledgers."""
EQUIVALENTS: Final = "gpu-equivalents"
"""What people write and read."""
COMPUTE: Final = "gpu-compute"
SLOTS: Final = "gpu-slots"
MEMORY: Final = "gpu-memory"
"""Bytes of GPU memory."""
LEDGERS: Final = (COMPUTE, SLOTS)
PRICED: Final = frozenset({COMPUTE, SLOTS, MEMORY})
"""The keys that prices add to a pod's amounts."""


def together(amounts: Mapping[str, int]) -> Mapping[str, int]:
    """Amounts as people read them: the two ledgers in one, at the larger."""
    if COMPUTE not in amounts and SLOTS not in amounts:
        return amounts
    found = {key: amount for key, amount in amounts.items() if key not in LEDGERS}
    found[EQUIVALENTS] = max(amounts.get(key, 0) for key in LEDGERS)
    return found


class Price(msgspec.Struct, frozen=True):
    """What one device of a resource costs.

    Attributes:
        compute: Points of compute.
        memory: Points of memory.
        bytes: GPU memory.
        source: Where the price comes from, in words.
        whole: Whether it is a GPU that is not cut into slices.
        is_gpu: Whether it counts as a unit of `gpu`; the administrator can say that a name is no GPU.
    """

    compute: int
    memory: int
    bytes: int = 0
    source: str = ""
    whole: bool = False
    is_gpu: bool = True
