"""Ends a watch that has gone silent, or that somebody wants to begin anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from labquota.clock import Clock
from labquota.kube.errors import Unreachable

SILENCE_SECONDS = 70.0
"""A watch that is silent for longer is dead: the API server sends a bookmark every minute."""


class Silent(Unreachable):
    """The connection is open and nothing comes.

    Attributes:
        times: how many streams in a row ended so, without a sign of life in between.
    """

    def __init__(self, seconds: float, times: int) -> None:
        super().__init__(f"silent for {seconds:g} s")
        self.times = times


class Watchdog:
    """Guards one stream at a time.

    Args:
        clock: the clock of `alive`.
        silence: seconds without a sign of life after which a stream is dead.

    Attributes:
        hurried: the current stream is one in a hurry.
        interrupted: the last stream was ended by `interrupt`.
    """

    def __init__(self, clock: Clock, silence: float) -> None:
        self.hurried = False
        self.interrupted = False
        self._clock = clock
        self._silence = silence
        self._armed_at = 0.0
        self._silences = 0
        self._timeout: asyncio.Timeout | None = None

    @asynccontextmanager
    async def watching(self, *, hurried: bool = False) -> AsyncIterator[None]:
        """Guard the stream that is read inside.

        Raises:
            Silent: no `alive` for as long as `silence`.
        """
        self.hurried = hurried
        self.interrupted = False
        self._armed_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._silence) as self._timeout:
                yield
        except TimeoutError:
            if not self.interrupted:
                self._silences += 1
                raise Silent(self._silence, self._silences) from None
        finally:
            self._timeout = None
            self.hurried = False

    def alive(self, now: float) -> None:
        """Note a sign of life. The timer is moved only now and then: a line must cost next to nothing."""
        self._silences = 0
        if self._timeout is None or now - self._armed_at < self._silence / 50:
            return
        if not self.interrupted and not self._timeout.expired():
            self._armed_at = now
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._silence)

    def interrupt(self) -> None:
        """End the current stream, if there is one."""
        if self._timeout is not None and not self._timeout.expired():
            self.interrupted = True
            self._timeout.reschedule(asyncio.get_running_loop().time())
