"""Whose turn it is: those first who wait for their devices, and nobody twice at once."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from labquota.kube import errors

log = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 2.0
_LATER_SECONDS: Final = 30.0
_BREATH: Final = 20
"""Turns without a write after which others may go on."""
_NOT_YET: Final = errors.NotFound | errors.AlreadyExists | errors.Conflict
"""The watch has yet to show what is there."""


class Agenda:
    """Keys that something has happened to."""

    def __init__(self) -> None:
        self._urgent: OrderedDict[str, None] = OrderedDict()
        self._others: OrderedDict[str, None] = OrderedDict()
        self._taken: set[str] = set()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    def put(self, key: str, *, urgent: bool = False) -> None:
        """Give a key a turn."""
        if urgent:
            self._others.pop(key, None)
            self._urgent[key] = None
        elif key not in self._urgent:
            self._others[key] = None
        self._wake.set()

    async def take(self) -> str:
        """Wait for a turn; the key is nobody else's until `done`."""
        while True:
            for queue in (self._urgent, self._others):
                key = next((each for each in queue if each not in self._taken), None)
                if key is not None:
                    del queue[key]
                    self._taken.add(key)
                    return key
            self._wake.clear()
            await self._wake.wait()

    def clear(self) -> None:
        """Forget everything, turns that were taken and never ended among it."""
        self._urgent.clear()
        self._others.clear()
        self._taken.clear()

    def done(self, key: str) -> None:
        """A turn is over."""
        self._taken.discard(key)
        if key in self._urgent or key in self._others:
            self._wake.set()

    async def work(self, turn: Callable[[str], Awaitable[bool]], again: Callable[[str], None]) -> None:
        """Take one turn after the other, until cancelled.

        Args:
            turn: What is done for a key; whether anything was written.
            again: Called with a key for which that failed, a while later.
        """
        idle = 0
        while True:
            key = await self.take()
            wrote = True
            try:
                wrote = await turn(key)
            except (errors.KubeError, msgspec.DecodeError) as error:
                passing = isinstance(error, errors.KubeError) and errors.passing(error)
                if not isinstance(error, _NOT_YET):
                    log.warning("an allocation cannot be written", extra={"uid": key, "error": str(error)})
                seconds = _AGAIN_SECONDS if passing or isinstance(error, _NOT_YET) else _LATER_SECONDS
                asyncio.get_running_loop().call_later(seconds, again, key)
            except Exception:  # one pod must not keep the operator from leading
                log.exception("an allocation cannot be kept", extra={"uid": key})
            finally:
                self.done(key)
            idle = 0 if wrote else idle + 1
            if idle >= _BREATH:
                idle = 0
                await asyncio.sleep(0)
