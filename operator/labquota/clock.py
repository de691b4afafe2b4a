"""The one place that asks for the time.

Everything that waits or measures takes a `Clock`, so that the same code runs on a simulated cluster whose time is
the test's. Intervals are measured with `monotonic`; `now` is for what people and the API server read. Sleeping is
`asyncio.sleep` on the running loop, never a method of the clock.
"""

import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    """What time it is, in the two senses that matter."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never steps back, not even when an admin sets the clock."""
        ...

    def now(self) -> dt.datetime:
        """The wall clock's time, aware and in UTC."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """Seconds of the system's monotonic clock."""
        return time.monotonic()

    def now(self) -> dt.datetime:
        """The system's wall clock in UTC."""
        return dt.datetime.now(dt.UTC)
