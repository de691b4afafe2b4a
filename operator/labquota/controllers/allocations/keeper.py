"""Keeps one GPUAllocation for each pod with GPUs, and the status of each hold, true to pods and hardware.

    a pod, a report, an allocation has changed ──► agenda ──► a worker: what is known, what follows ──► a write, or none

Everything is looked at as it is now, never as an event said: what came twice, late or never makes no difference.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from labquota.api import GPUAllocationStatus
from labquota.clock import Clock
from labquota.controllers.allocations import problems, standing
from labquota.controllers.allocations.agenda import Agenda
from labquota.controllers.allocations.departed import Departed
from labquota.controllers.allocations.grants import GpuPods
from labquota.controllers.allocations.hardware import Reports
from labquota.controllers.allocations.intruders import Intruders
from labquota.controllers.allocations.judging import Judge
from labquota.controllers.allocations.stored import Allocations, Stored
from labquota.controllers.allocations.writing import Pod, Writer
from labquota.controllers.charges import Charge
from labquota.controllers.pods import Pods
from labquota.quota.amounts import Amounts

_WORKERS: Final = 8
PENDING_SECONDS: Final = 2.0
"""After which it is written that a pod's devices are not known: until then they may come, and save a write."""


class Keeper:
    """Reconciles allocations while this operator leads.

    Args:
        view: All pods, and holds.
        writer: Where writes go.
        clock: The time of conditions, and of the ends of holds.
        is_gpu: Whether a resource name is that of a GPU.
    """

    def __init__(self, view: Pods, writer: Writer, clock: Clock, is_gpu: Callable[[str], bool]) -> None:
        self._view, self._writer, self._is_gpu = view, writer, is_gpu
        self.pods = GpuPods(view, self._pod_seen)
        self.stored = Allocations(self._allocation_seen)
        self._reports = Reports()
        self._judge = Judge(self._reports, clock, self.touch)
        self._departed = Departed(self._reports, clock)
        self._intruders = Intruders()
        self._agenda = Agenda()
        self._leads = False
        self._pending: dict[str, float] = {}
        """Since when allocations without a status are waited for, by the loop's time."""
        self._holds_on: dict[str, set[str]] = {}

    def see_node(self, body: Mapping[str, Any], *, gone: bool) -> None:
        """Take a node's report.

        Raises:
            msgspec.ValidationError: It is none.
        """
        node, news = self._reports.put(body, gone=gone)
        if self._leads:
            for key in self._intruders.note(node, self._reports.get(node)):
                self._agenda.put(key)
        for uid in {*self.pods.on(node), *self._holds_on.get(node, ()), *self._departed.on(node)}:
            if news or self._judge.is_open(uid):
                self.touch(uid)

    def touch(self, uid: str) -> None:
        """Something about a pod or a hold has changed."""
        if self._leads:
            stored, charge = self.stored.get(uid), self._view.find(uid)
            bound = stored is not None and stored.status is not None and stored.status.phase == "Bound"
            self._agenda.put(uid, urgent=charge is not None and charge.charged and not bound)

    def touch_all(self) -> None:
        """Something about all of them may have changed, as prices have."""
        for uid in {*self.pods.all(), *(each.key for each in self.stored.all())} if self._leads else ():
            self.touch(uid)

    async def run(self) -> None:
        """Keep everything true while this operator leads, until cancelled."""
        self._agenda.clear()
        self._departed.clear()
        self._pending.clear()
        self._judge.clear()
        self._intruders.clear()
        for item in self.stored.all():
            charge = self._view.find(item.key)
            if charge is not None and charge.charged:
                self._judge.recall(item, charge)
        self._leads = True
        try:
            self.touch_all()
            async with asyncio.TaskGroup() as workers:
                for _ in range(_WORKERS):
                    workers.create_task(self._agenda.work(self._turn, self._again))
        finally:
            self._leads = False

    def _pod_seen(self, charge: Charge, *, gone: bool) -> None:
        uid = charge.uid
        if gone and self._leads:
            self._departed.note(_pod(charge), self._asks(charge), charge.node, self.stored.get(uid))
        self.touch(uid)

    def _allocation_seen(self, item: Stored, gone: bool) -> None:  # noqa: FBT001  the sink's callback
        for node in {each.node for each in item.hold.devices} if item.hold is not None else ():
            there = self._holds_on.setdefault(node, set())
            if gone:
                there.discard(item.uid)
            else:
                there.add(item.uid)
            if not there:
                del self._holds_on[node]
        self.touch(item.key)

    def _again(self, uid: str) -> None:
        """After a write that failed."""
        if self._intruders.get(uid) is not None:
            self._agenda.put(uid)
        else:
            self.touch(uid)

    async def _turn(self, uid: str) -> bool:
        """Look at one pod or hold, or tell one intruder; whether anything was written."""
        if (intruder := self._intruders.get(uid)) is not None:
            await self._writer.accuse(*intruder)
            return True
        stored = self.stored.get(uid)
        charge = self._view.find(uid)
        if stored is not None and stored.hold is not None:
            return await self._write(stored, self._judge.of_hold(stored, charge))
        if charge is None or not self.pods.has(uid):
            return await self._of_departed(uid, stored)
        lives = charge.charged  # also on a lost node, where nobody has let go of anything
        made = stored is None
        if stored is None:
            # nothing is given to a pod that waits for a node, and many may wait
            if not lives or not charge.node:
                self._forget(uid)
                return False
            stored = await self._writer.create(_pod(charge), self._asks(charge), owned=True)
            self.stored.keep(stored)
        elif stored.owner != charge.owner:  # which nobody can change in an allocation
            await self._writer.delete(stored)
            return True
        grants, asks = self.pods.grants(uid), self._asks(charge)
        status = self._judge.of_pod(stored, charge, asks, grants, lives=lives)
        return await self._write(stored, status) or made

    async def _of_departed(self, uid: str, stored: Stored | None) -> bool:
        """A pod is gone: its allocation goes with it, unless the kubelet still gives it a device."""
        self._forget(uid)
        gone = self._departed.get(uid, stored)
        if gone is None:
            return False
        finding = self._departed.find(gone)
        if finding is None:
            self._departed.forget(uid)
            if stored is not None and not stored.is_owned:
                await self._writer.delete(stored)
                return True
            return False
        if finding == problems.UNKNOWN or (stored is not None and stored.is_owned):
            return False  # the collector takes it away; then it is our turn again
        if stored is None:
            stored = await self._writer.create(gone.pod, gone.resources, owned=False)
            self.stored.keep(stored)
        return await self._write(stored, self._departed.status(stored, gone, finding))

    async def _write(self, stored: Stored, status: GPUAllocationStatus) -> bool:
        known = stored.status or standing.NOTHING
        if stored.status is None and self._may_wait(stored.key, status):
            return False
        if stored.status is not None and status == known:
            return False
        self._pending.pop(stored.key, None)
        self.stored.keep(await self._writer.status(stored, status))
        for condition in standing.turned(known, status):
            await self._writer.tell(stored, condition)
        return True

    def _may_wait(self, uid: str, status: GPUAllocationStatus) -> bool:
        """Whether there is nothing to be said of a new allocation but that it is pending, and that only just now."""
        if status.phase != "Pending" or status.conditions:
            return False
        loop = asyncio.get_running_loop()
        if uid not in self._pending:
            self._pending[uid] = loop.time()
            loop.call_later(PENDING_SECONDS, self.touch, uid)
        return loop.time() - self._pending[uid] < PENDING_SECONDS

    def _forget(self, uid: str) -> None:
        self._pending.pop(uid, None)
        self._judge.forget(uid)

    def _asks(self, charge: Charge) -> Amounts:
        """The GPU resources that a pod asks for."""
        return {name: count for name, count in charge.amounts.items() if "/" in name and self._is_gpu(name)}


def _pod(charge: Charge) -> Pod:
    return Pod(charge.namespace, charge.name, charge.uid, charge.owner)
