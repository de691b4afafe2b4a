"""Memory after a large piece of work is over."""

import ctypes
import gc
from typing import Final

_TRIM: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""glibc's; other C libraries give back what is freed by themselves."""


def settle() -> None:
    """Give what was freed back to the system, and have the collector leave alone what has come to stay.

    A whole set of pods passes through tables as large as the view, whose memory glibc would keep for later.
    The collector would go through all that is imported and watched again and again, and find it in use.
    """
    gc.collect()
    gc.freeze()
    if _TRIM is not None:
        _TRIM(0)
