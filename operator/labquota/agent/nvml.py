"""NVML for the length of a scan, and its failures by their meaning.

pynvml's exceptions do not leave this module: they cannot be hashed or compared, and one of them is none of the others'
kind.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import pynvml

from labquota.agent import failures
from labquota.agent.failures import ARGUMENT_VERSION_MISMATCH, FUNCTION_NOT_FOUND, DriverChanged, Refused

_Answer = TypeVar("_Answer")
_OLDER: Final = (FUNCTION_NOT_FOUND, ARGUMENT_VERSION_MISMATCH)


@contextmanager
def opened() -> Iterator[None]:
    """NVML, open for what is done meanwhile and not longer: an open one blocks MIG reconfiguration.

    Raises:
        Unavailable: it cannot be opened; no driver, no library, no permission, or something newer.
        DriverChanged: this process has another driver's library loaded.
    """
    ask(pynvml.nvmlInit, opening=True)
    try:
        yield
    finally:
        with suppress(failures.NVMLFailure):
            ask(pynvml.nvmlShutdown)


def ask(call: Callable[..., Any], *arguments: Any, opening: bool = False, **named: Any) -> Any:
    """Call a function of pynvml, with our exceptions instead of its own.

    Raises:
        Refused: this was not answered.
        Unavailable: nothing will be.
        DriverChanged: nothing will ever be, in this process.
    """
    try:
        return call(*arguments, **named)
    except pynvml.NVMLError as error:
        message = f"{call.__name__}: {error} (code {error.value})"
        raise failures.of(error.value, message, opening=opening) from None
    except pynvml.NVMLLibraryMismatchError as error:
        raise DriverChanged(f"{call.__name__}: {error}") from None


def either(newer: Callable[[], _Answer], older: Callable[[], _Answer]) -> _Answer:
    """Ask in the older way where the library does not know the newer one."""
    try:
        return newer()
    except Refused as refused:
        if refused.code not in _OLDER:
            raise
    return older()
