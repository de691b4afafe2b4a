"""Carries out a schedule of faults on processes and links, and puts everything right again."""

import asyncio
import time
from collections.abc import Callable, Sequence

from controlplane import ControlPlane, Process
from storm.faults import KILL, PAUSE, Fault
from storm.links import Mode
from storm.wiring import Wiring

__all__ = ["Injector"]

_READY_SECONDS = 60


class Injector:
    """Breaks things.

    Args:
        plane: whose processes; labquota's are among them.
        wiring: whose links.
        note: told of each thing done, with the seconds since the start.
    """

    def __init__(self, plane: ControlPlane, wiring: Wiring, note: Callable[[float, str], None]) -> None:
        self._plane, self._wiring, self._note = plane, wiring, note
        self._busy: dict[str, asyncio.Lock] = {}
        self._began = 0.0

    async def run(self, faults: Sequence[Fault], seconds: float) -> None:
        """Strike as scheduled; returns after so many seconds, when all is whole again."""
        self._began = time.monotonic()
        try:
            async with asyncio.TaskGroup() as tasks:
                for fault in faults:
                    tasks.create_task(self._strike(fault))
                await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(self._heal, {name for fault in faults for name in fault.struck})

    async def _strike(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        locks = [self._busy.setdefault(name, asyncio.Lock()) for name in sorted(fault.struck)]
        for lock in locks:  # a process that is still starting is not struck again
            await lock.acquire()
        try:
            self._say(str(fault))
            if fault.kind in (KILL, PAUSE):
                await self._process(fault)
            else:
                await self._link(fault)
            self._say(f"over: {fault.kind} {' '.join(fault.targets)}")
        finally:
            for lock in locks:
                lock.release()

    async def _process(self, fault: Fault) -> None:
        processes = [self._plane.processes[name] for name in fault.targets]
        for process in processes:
            process.kill() if fault.kind == KILL else process.pause()
        await asyncio.sleep(fault.seconds)
        for process in processes:
            process.start() if fault.kind == KILL else process.resume()
        if fault.kind == KILL:
            for process in processes:
                await asyncio.to_thread(process.wait_ready, _READY_SECONDS)

    async def _link(self, fault: Fault) -> None:
        for link in fault.targets:
            self._wiring.turn(link, Mode(fault.kind), fault.latency, fault.rate)
        await asyncio.sleep(fault.seconds)
        for link in fault.targets:
            self._wiring.turn(link, Mode.PASS)

    def _heal(self, struck: set[str]) -> None:
        self._wiring.heal()
        for name in sorted(struck):
            process: Process = self._plane.processes[name]
            process.resume()
            if not process.alive:
                process.start()
        for name in sorted(struck):
            self._plane.processes[name].wait_ready(_READY_SECONDS)

    def _say(self, text: str) -> None:
        self._note(time.monotonic() - self._began, text)
