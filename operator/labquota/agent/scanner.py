"""When NVML is asked, and what is known while it gives no answer.

Nobody may have NVML open while NVIDIA's tools change MIG or replace the driver: they say so by the node's label
`nvidia.com/gpu.deploy.client`. "true", and no such label (before GPU operator 26.7), let its clients run; anything else
("false", "paused-for-mig-change", "paused-for-driver-upgrade") keeps them away. NVML is open only during a scan, in a
thread of its own: where a GPU has fallen off the bus a call may never return.
"""

import asyncio
import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from labquota.agent.accounting import OnGpu
from labquota.agent.conditions import NVML, STALE, Statement
from labquota.agent.failures import DriverChanged, NVMLFailure
from labquota.api import GPU, GPUNodeStatus
from labquota.clock import Clock

log = logging.getLogger(__name__)

LABEL: Final = "nvidia.com/gpu.deploy.client"
_PATIENCE: Final = 20.0
"""Seconds for one scan; after them the rest goes on without it."""


class Scan(Protocol):
    """What one scan has found."""

    @property
    def driver_version(self) -> str:
        """The driver's."""
        ...

    @property
    def nvml_version(self) -> str:
        """The library's."""
        ...

    @property
    def gpus(self) -> Sequence[GPU]:
        """The node's GPUs."""
        ...

    @property
    def processes(self) -> Sequence[OnGpu]:
        """On those GPUs."""
        ...

    @property
    def unlisted(self) -> Mapping[str, str]:
        """Why processes of a GPU are missing, by its UUID."""
        ...


class Scanner:
    """The inventory, and how current it is.

    Args:
        scan: Asks NVML, given the GPUs as they were known last; blocks.
        clock: Tells when the next scan is due.
        seconds: From one scan to the next.
        last: What an earlier process has stored.

    Attributes:
        gpus, driver, nvml: The last inventory that could be read.
        processes: On its GPUs.
        statements: How current all of that is.
    """

    def __init__(
        self, scan: Callable[[Iterable[GPU]], Scan], clock: Clock, seconds: float, last: GPUNodeStatus
    ) -> None:
        self.gpus: Sequence[GPU] = last.gpus
        self.driver, self.nvml = last.driver_version, last.nvml_version
        self.processes: Sequence[OnGpu] = ()
        self.statements = _trouble("NotScanned", "no scan has ended yet")
        self._scan, self._clock, self._seconds = scan, clock, seconds
        self._due = clock.monotonic()
        self._running: asyncio.Future[Scan] | None = None
        self._began = ""

    def hurry(self) -> None:
        """Let the next scan be due now."""
        self._due = self._clock.monotonic()

    async def look(self, label: str | None) -> None:
        """Scan if it is due and the node's label allows it.

        Args:
            label: The value of `LABEL` on the node; None: it has none.

        Raises:
            DriverChanged: The driver was replaced; only a new process can talk to it.
        """
        if label not in {None, "true"}:
            self._pause(f"node label {LABEL}={label}: NVML is left alone")
            return
        if self._clock.monotonic() < self._due:
            return
        self._due = self._clock.monotonic() + self._seconds
        if self._running is None:
            self._began = self._clock.now().strftime("%H:%M:%S UTC")
            self._running = in_thread(functools.partial(self._scan, self.gpus))
        done, _ = await asyncio.wait({self._running}, timeout=_PATIENCE)
        if not done:
            self._fail("TimedOut", f"NVML was asked at {self._began} and has not answered yet")
            return
        running, self._running = self._running, None
        self._take(running)

    def _take(self, scan: asyncio.Future[Scan]) -> None:
        try:
            found = scan.result()
        except DriverChanged as error:
            self._fail(error.reason, str(error))
            raise
        except NVMLFailure as error:
            self._fail(error.reason, str(error))
            return
        except Exception as error:
            log.exception("a scan failed")
            self._fail("Unexpected", f"{type(error).__name__}: {error}")
            return
        self.gpus, self.driver, self.nvml = found.gpus, found.driver_version, found.nvml_version
        self.processes = found.processes
        said = "NVML answers"
        if found.unlisted:
            said += f", but tells no processes of {len(found.unlisted)} GPUs: {min(found.unlisted.values())}"
        self.statements = (
            Statement(NVML, "True", "Scanned", said),
            Statement(STALE, "False", "Scanned", "the inventory is that of the latest scan"),
        )

    def _pause(self, message: str) -> None:
        self.hurry()  # the first thing to do when it is over
        self._replace(
            (Statement(NVML, "Unknown", "Paused", message), Statement(STALE, "True", "Paused", message))
        )

    def _fail(self, reason: str, message: str) -> None:
        self._replace(_trouble(reason, message))

    def _replace(self, statements: tuple[Statement, ...]) -> None:
        if self.statements != statements:
            log.warning("NVML: %s", statements[0].message, extra={"reason": statements[0].reason})
        self.statements = statements
        self.processes = ()


def in_thread(work: Callable[[], Scan]) -> asyncio.Future[Scan]:
    """Run something that may never return, in a thread that does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Scan] = loop.create_future()

    def tell(answer: Callable[[], None]) -> None:
        if not future.done():
            answer()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  whatever it is, somebody waits for it
            failure = error
            answer = lambda: future.set_exception(failure)  # noqa: E731  said here, done in the loop
        else:
            answer = lambda: future.set_result(result)  # noqa: E731  as above
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, answer)

    threading.Thread(target=run, name="nvml", daemon=True).start()
    return future


def _trouble(reason: str, message: str) -> tuple[Statement, ...]:
    return Statement(NVML, "False", reason, message), Statement(STALE, "True", reason, message)
