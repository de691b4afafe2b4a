"""The event loop of one process on the timeline: it never waits, it is told when its turn has come.

Just enough of asyncio's interface for tasks, futures, timers and time-outs. Frozen, it runs nothing, as under SIGSTOP;
killed, all its tasks are cancelled while nobody hears them.
"""

import asyncio
import contextvars
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from simulation.timeline import Timeline

_copy = contextvars.copy_context
_set_running = events._set_running_loop  # noqa: SLF001  how asyncio's own loops say who runs


class Turn:
    """A callback that waits for its turn: what `call_soon` and `call_later` return."""

    __slots__ = ("_when", "args", "call", "context", "dead")

    def __init__(self, when: float, call: Callable[..., Any], args: Any, context: Any) -> None:
        self._when, self.call, self.args = when, call, args
        self.context = context
        self.dead = False

    def cancel(self) -> None:
        """It is not to run any more."""
        self.dead = True

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.dead

    def when(self) -> float:
        """The loop's time at which it is due."""
        return self._when


class _Task(asyncio.Task[Any]):
    """A task with a place of its own in sets: groups of tasks are kept in them, and are cancelled in their order."""

    def __init__(self, coro: Coroutine[Any, Any, Any], *, loop: "Loop", name: str, context: Any) -> None:
        self._number = loop.next_number()
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._number


class Loop(asyncio.AbstractEventLoop):
    """See the module.

    Args:
        timeline: when it has its turn.
        died: called with what a callback or a task raised that nobody took.

    Attributes:
        alive: False once it was killed.
    """

    def __init__(self, timeline: Timeline, died: Callable[[str, BaseException | None], None]) -> None:
        self.alive = True
        self._timeline, self._died = timeline, died
        self._ready: deque[Turn] = deque()
        self._woken = self._frozen = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def time(self) -> float:
        return self._timeline.now

    @property
    def frozen(self) -> bool:
        """Whether nothing runs for now."""
        return self._frozen

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        self._frozen = frozen
        if self._ready and not frozen:
            self._wake()

    def run(self) -> None:
        """Run everything that is ready, in order."""
        ready = self._ready
        self._woken = True  # what is added meanwhile runs, too
        if not self._frozen:
            before = events._get_running_loop()  # noqa: SLF001  as above
            _set_running(self)
            try:
                while ready:
                    turn = ready.popleft()
                    if not turn.dead:
                        turn.context.run(turn.call, *turn.args)
            finally:
                _set_running(before)
        self._woken = False

    def kill(self) -> None:
        """End all tasks where they stand; what they do on their way out reaches nobody."""
        self.alive, self._frozen = False, False
        self._died = _nobody
        for _ in range(20):
            living = [task for task in self._tasks if not task.done()]
            if not living:
                break
            for task in living:
                task.cancel()
            self.run()
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.exception()  # taken, so that it is not told again
        self._tasks.clear()

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Turn:  # type: ignore[override]  # lighter than a Handle
        turn = Turn(0.0, callback, args, _copy() if context is None else context)
        self._ready.append(turn)
        if not self._woken:
            self._wake()
        return turn

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Turn:  # type: ignore[override]  # as call_soon
        return self.call_at(self._timeline.now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Turn:  # type: ignore[override]  # as call_soon
        turn = Turn(when, callback, args, _copy() if context is None else context)
        self._timeline.at(when, self._due, turn)
        return turn

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]  # coroutines only
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[Any]:
        task = _Task(coro, loop=self, name=name or "task", context=context)
        self._tasks.add(task)
        return task

    def next_number(self) -> int:
        """A number for a task that no other has."""
        self._timeline.count += 1
        return self._timeline.count

    def start(self, coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin a task from outside."""
        before = events._get_running_loop()  # noqa: SLF001  as above
        _set_running(self)
        try:
            return self.create_task(coro)
        finally:
            _set_running(before)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self._died(str(context.get("message")), context.get("exception"))

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return not self.alive

    def _due(self, turn: Turn) -> None:
        if not turn.dead and self.alive:
            self._ready.append(turn)
            if not self._woken:
                self._wake()

    def _wake(self) -> None:
        self._woken = True
        self._timeline.woken.append(self)


def _nobody(_text: str, _error: BaseException | None) -> None:
    """Nobody hears what a dead process has to say."""
