"""One clock for everything that happens, and the order in which it does.

What one process does at one instant is done at once: processes meet only through messages, each of which takes time.
So the order of messages is all the order there is. What happens at the very same time happens in the order in which it
was planned.
"""

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulation.loop import Loop


class Timeline:
    """All that is yet to happen.

    Attributes:
        now: seconds since the beginning.
        count: of all that was ever planned or begun.
        woken: processes that have something to do at this instant.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.woken: list[Loop] = []
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self.count = 0

    def at(self, when: float, happen: Callable[..., object], *args: Any) -> None:
        """Let something happen at a time."""
        self.count += 1
        heapq.heappush(self._heap, (when, self.count, happen, args))

    def after(self, seconds: float, happen: Callable[..., object], *args: Any) -> None:
        """Let something happen in some seconds."""
        self.count += 1
        heapq.heappush(self._heap, (self.now + seconds, self.count, happen, args))

    def run(self, until: float, done: Callable[[], object]) -> None:
        """Let time pass until then, or until something is done; it is asked after each step."""
        heap, woken, pop = self._heap, self.woken, heapq.heappop
        while True:
            while woken:
                woken.pop(0).run()
            if done():
                return
            if not heap or heap[0][0] > until:
                self.now = max(self.now, until)
                return
            when, _, happen, args = pop(heap)
            self.now = max(self.now, when)
            happen(*args)
