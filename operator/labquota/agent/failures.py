"""What can go wrong with NVML, by what it means for the inventory.

    NVMLFailure
    ├── Unavailable     nothing can be said of any GPU now: the last inventory stays, marked stale
    ├── DriverChanged   this process has another driver's library loaded, for good: it must be started again
    └── Refused         one question about one device was not answered: the others are

No code of NVML means "this node has no GPUs"; only a count of 0 does.
"""

from typing import Final

INVALID_ARGUMENT: Final = 2
NOT_SUPPORTED: Final = 3
NO_PERMISSION: Final = 4
NOT_FOUND: Final = 6
FUNCTION_NOT_FOUND: Final = 13
GPU_IS_LOST: Final = 15
RESET_REQUIRED: Final = 16
LIBRARY_MISMATCH: Final = 18
ARGUMENT_VERSION_MISMATCH: Final = 25

_REASONS: Final = {
    1: "NotInitialized",
    NO_PERMISSION: "NoPermission",
    9: "DriverNotLoaded",
    12: "LibraryNotFound",
    GPU_IS_LOST: "GPULost",
    28: "GPUNotFound",
}
"""Why nothing can be said, in one word for the condition; a code that is not here is `NVMLError`."""
_OF_THE_NODE: Final = frozenset({1, 9, 12})
"""Codes that are about the driver, whatever was asked."""


class NVMLFailure(Exception):  # noqa: N818 - names what is wrong
    """NVML does not answer.

    Attributes:
        reason: One word, for a condition.
    """

    reason = "NVMLError"


class Unavailable(NVMLFailure):
    """Nothing can be said of any GPU; what was known last is still the best that is known."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class DriverChanged(NVMLFailure):
    """The driver is another one than the library that this process has loaded and cannot let go."""

    reason = "DriverChanged"


class Refused(NVMLFailure):
    """One question was not answered.

    Attributes:
        code: NVML's.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def of(code: int, message: str, *, opening: bool = False) -> NVMLFailure:
    """What a code means.

    Args:
        code: NVML's; new drivers have new ones.
        message: which function, and NVML's own words.
        opening: nothing has been learned yet, so that any code is about all GPUs.
    """
    if code == LIBRARY_MISMATCH:
        return DriverChanged(message)
    if opening or code in _OF_THE_NODE:
        return Unavailable(_REASONS.get(code, "NVMLError"), message)
    return Refused(code, message)
