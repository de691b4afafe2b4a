"""Keeps long work in the loop's own thread from keeping everybody else waiting."""

import asyncio

from labquota.clock import Clock


class Breather:
    """Says when work in the loop's own thread has gone on long enough for others to want their turn.

    Args:
        clock: measures the work. Where it stands still, as in a simulation, the count decides.
        seconds: the longest piece of work.
        items: the most items in one piece.
    """

    def __init__(self, clock: Clock, *, seconds: float = 0.002, items: int = 64) -> None:
        self._clock = clock
        self._seconds = seconds
        self._items = items
        self._count = 0
        self._since = clock.monotonic()

    def begin(self) -> None:
        """Start measuring: the loop has just had its turn."""
        self._count = 0
        self._since = self._clock.monotonic()

    def due(self) -> bool:
        """Count one item, and tell whether the loop should have a turn."""
        self._count += 1
        return self._count >= self._items or self._clock.monotonic() - self._since >= self._seconds

    async def breathe(self) -> None:
        """Give the loop a turn."""
        await asyncio.sleep(0)
        self.begin()
