"""Processes and API servers as the network knows them: alive or dead, frozen, cut off, slow."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from labquota.kube.errors import Unreachable
from simulation.apiserver import ApiServer
from simulation.faults import Fault
from simulation.loop import Loop
from simulation.timeline import Timeline

if TYPE_CHECKING:
    from simulation.connection import Connection

START: Final = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)


class Machine:
    """One process; killed, it may be started anew.

    Args:
        timeline: where it runs.
        name: what it is called in tables and on what it writes.
        began: its monotonic clock at the beginning, in seconds: no two agree.
        died: called with what ended it against its will.

    Attributes:
        cut: no message passes to or from it.
        slowness: how much longer than usual its messages take.
        shift: how far its wall clock is off, in seconds.
        faults: what is to become of its next calls.
    """

    def __init__(self, timeline: Timeline, name: str, began: float, died: Callable[[str, str], None]) -> None:
        self.timeline, self.name, self._began, self._died = timeline, name, began, died
        self.cut, self.slowness, self.shift = False, 1.0, 0.0
        self.faults: list[Fault] = []
        self.connections: list[Connection] = []
        self.seen: dict[str, int] = {}
        """Up to which version it has been told of some collections."""
        self.root: asyncio.Task[Any] | None = None
        self.loop = self._new_loop()

    @property
    def alive(self) -> bool:
        """Whether it runs, frozen or not."""
        return self.root is not None and self.loop.alive

    def boot(self) -> None:
        """Start it, if it does not run."""
        if self.alive:
            return
        self.loop = self._new_loop()
        self.root = self.loop.start(self.main())
        self.root.add_done_callback(self._over)

    async def main(self) -> None:
        """What it does; the subclass says."""
        raise NotImplementedError

    def die(self) -> None:
        """Kill it, as by SIGKILL: nobody is told, and its connections break."""
        if self.alive:
            self.root = None
            self.loop.kill()
            for connection in list(self.connections):
                connection.close()
            self.faults.clear()

    def freeze(self) -> None:
        """Stop it, as by SIGSTOP."""
        self.loop.frozen = True

    def thaw(self) -> None:
        """Let it go on."""
        self.loop.frozen = False

    def monotonic(self) -> float:
        """As `labquota.clock.Clock`."""
        return self._began + self.timeline.now

    def now(self) -> dt.datetime:
        """As `labquota.clock.Clock`."""
        return START + dt.timedelta(seconds=self.timeline.now + self.shift)

    def _new_loop(self) -> Loop:
        return Loop(self.timeline, self._failed)  # type: ignore[abstract]  # what is left out nobody here calls

    def _over(self, task: "asyncio.Task[Any]") -> None:
        if self.loop.alive and self.root is task:
            error = None if task.cancelled() else task.exception()
            self._failed("the process has ended", error)

    def _failed(self, text: str, error: BaseException | None) -> None:
        self._died(self.name, f"{text}: {error!r}")


class Server(Machine):
    """One API server: its own loop carries the creates and updates that it is working on."""

    def __init__(
        self,
        timeline: Timeline,
        name: str,
        api: Callable[[], ApiServer],
        died: Callable[[str, str], None],
    ) -> None:
        super().__init__(timeline, name, 0.0, died)
        self._make = api
        self.api = api()
        self.held = False
        """Its cache sees nothing new for now."""

    async def main(self) -> None:
        """Nothing of its own: what it does is asked of it."""
        await asyncio.sleep(1e12)

    def boot(self) -> None:
        """Start with a cache of the present, which knows nothing of the past."""
        if not self.alive:
            self.api = self._make()
            self.held = False
            super().boot()

    def die(self) -> None:
        """Kill it: who was listening to it is cut off."""
        if self.alive:
            for connection in list(self.connections):
                connection.fail(Unreachable("the API server was killed"))
            super().die()

    def see(self, version: int) -> None:
        """The cache learns of everything up to a version."""
        if self.alive and not self.held:
            self.api.cache.advance(min(version, self.api.store.version))
