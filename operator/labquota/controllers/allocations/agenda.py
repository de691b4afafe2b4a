"""Whose turn it is: those first who wait for their devices, and nobody twice at once."""

import asyncio
from collections import OrderedDict


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
