"""One turn after the other: ask NVML if it is due, ask the kubelet, join, write if something has changed.

A turn begins every `poll_seconds`, and at once (but a second after the last) when a pod with devices has started or
ended or the node's labels have changed. Processes are judged by what the kubelet said after they were seen: a pod has
its devices before its processes start.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from labquota.agent import node, offering, pods, summing
from labquota.agent.accounting import Accounts, Found
from labquota.agent.conditions import Statement, settle
from labquota.agent.failures import DriverChanged
from labquota.agent.holding import Joiner
from labquota.agent.kubelet import Kubelet
from labquota.agent.node import OwnNode
from labquota.agent.pods import Pods
from labquota.agent.procfs import Processes
from labquota.agent.scanner import LABEL, Scan, Scanner
from labquota.agent.writing import Writer
from labquota.api import GPU, DeviceHolder, GPUNodeStatus, NodeResource
from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.api import Api
from labquota.kube.backoff import Backoff
from labquota.kube.informer import Informer
from labquota.quota.deviceids import Devices
from labquota.quota.gpusettings import GPUSettings
from labquota.settings import Settings

log = logging.getLogger(__name__)

_LEAST_SECONDS: Final = 1.0
"""From one turn to the next, however much happens: the kubelet answers only so many calls, and each turn may write."""
_BLIND_TURNS: Final = 3
"""In a row in which no process of NVML's exists: one may have ended meanwhile, all of them have not."""


class Agent:
    """The parts of one agent, and what it knows.

    Args:
        api: The API server.
        settings: What the administrator has set, the node's name among it.
        gpus: Which resources are GPUs, and whose processes are nobody's concern.
        clock: All intervals and times.
        rng: Jitter.
        scan: Asks NVML; blocks.

    Attributes:
        status: What was found, as it is written.
    """

    def __init__(
        self,
        api: Api,
        settings: Settings,
        gpus: GPUSettings,
        clock: Clock,
        rng: random.Random,
        scan: Callable[[Iterable[GPU]], Scan],
    ) -> None:
        self.status = GPUNodeStatus()
        self._settings, self._gpus, self._clock, self._rng, self._scan = settings, gpus, clock, rng, scan
        self._wake = asyncio.Event()
        self._pods, self._node = Pods(self._wake.set), OwnNode(self._wake.set)
        self._joiner, self._accounts = Joiner(self._pods, gpus), Accounts(self._pods, gpus)
        self._kubelet = Kubelet(settings.pod_resources)
        self._processes = Processes(settings.proc)
        self._writer = Writer(api, settings.node_name, clock)
        own = {"fieldSelector": f"spec.nodeName={settings.node_name}"}
        name = {"fieldSelector": f"metadata.name={settings.node_name}"}
        self._informers: list[Informer[Any]] = [
            Informer(api, "/api/v1/pods", pods.decode, self._pods, clock=clock, rng=rng, params=own),
            Informer(api, node.PATH, node.decode, self._node, clock=clock, rng=rng, params=name),
        ]
        self._written = False
        self._blind = 0

    @property
    def writes(self) -> int:
        """Writes of the status so far."""
        return self._writer.writes

    def owner_of(self, holder: DeviceHolder) -> str:
        """Who pays for a holder's pod."""
        pod = self._pods.find(holder.pod_uid)
        return pod.owner if pod is not None else ""

    def ready(self) -> bool:
        """Whether the node's GPUNode says what this process has found."""
        return self._written

    async def run(self) -> None:
        """Look and write, until cancelled.

        Raises:
            DriverChanged: The driver was replaced; what could be told of it is written.
        """
        async with asyncio.TaskGroup() as tasks:
            watching = [tasks.create_task(each.run()) for each in self._informers]
            try:
                for each in self._informers:
                    await each.synced.wait()
                await self._look_for_ever()
            finally:
                for task in watching:
                    task.cancel()
                self._kubelet.close()

    async def _look_for_ever(self) -> None:
        await self._load()
        scanner = Scanner(self._scan, self._clock, self._settings.scan_seconds, self.status)
        unknown: frozenset[str] = frozenset()
        while True:
            began = self._clock.monotonic()
            self._wake.clear()
            try:
                await scanner.look(self._node.labels.get(LABEL))
            except DriverChanged:
                await self._tell(scanner, ())
                raise
            processes = self._running(scanner)  # as they are before the kubelet is asked
            await self._kubelet.ask(self._pods.started)
            if unknown != (unknown := self._unknown(Devices(scanner.gpus))):
                scanner.hurry()  # devices were made or lost since the last scan
            await self._tell(scanner, processes)
            await self._pause(began)

    async def _load(self) -> None:
        backoff = Backoff(self._rng)
        while True:
            try:
                await self._writer.load()
            except errors.KubeError as error:
                wait = backoff.after(error)
                log.warning("the GPUNode cannot be read, again in %.1f s: %s", wait, error)
                await asyncio.sleep(wait)
            else:
                self.status = self._writer.stored
                return

    def _running(self, scanner: Scanner) -> list[Found]:
        there = ((each, self._processes.find(each.pid)) for each in scanner.processes)
        found = [Found(each, running) for each, running in there if running is not None]
        self._blind = 0 if found or not scanner.processes else self._blind + 1
        if self._blind == _BLIND_TURNS:
            log.warning("processes that NVML tells of are not in %s: is it the host's?", self._settings.proc)
        return found

    def _unknown(self, devices: Devices) -> frozenset[str]:
        ids = {each.device for each in self._kubelet.offered if self._gpus.is_gpu_like(each.resource)}
        return frozenset(each for each in ids if devices.find(each) is None)

    async def _tell(self, scanner: Scanner, processes: Sequence[Found]) -> None:
        """Write what is known now; what cannot be written stays to be written."""
        devices = Devices(scanner.gpus)
        offered, holders = self._resources(), self._holders(devices)
        statements = *scanner.statements, self._kubelet.said
        unaccounted = self._accounts.unaccounted(
            processes, holders, self.status.unaccounted, complete=self._kubelet.answers
        )
        now = self._clock.now()
        self.status = GPUNodeStatus(
            driver_version=scanner.driver,
            nvml_version=scanner.nvml,
            gpus=tuple(scanner.gpus),
            resources=offered,
            holders=holders,
            unaccounted=unaccounted,
            summary=summing.summary(scanner.gpus, holders, unaccounted, _troubles(statements)),
            last_scan_time=now.replace(microsecond=0),
            conditions=settle(self._writer.stored.conditions, statements, now),
        )
        if not self._node.uid:
            return  # what is written for a Node that is gone would stay for ever
        try:
            await self._writer.write(self.status, self._node.uid)
        except errors.KubeError as error:
            log.warning("the GPUNode is not written, again in the next turn: %s", error)
        else:
            self._written = True

    def _resources(self) -> tuple[NodeResource, ...]:
        if not self._kubelet.answers:
            return self.status.resources
        return offering.resources(self._kubelet.offered, self._gpus)

    def _holders(self, devices: Devices) -> tuple[DeviceHolder, ...]:
        """Who holds what; while the kubelet says nothing, those of the last time whose pods still live."""
        if self._kubelet.answers:
            return self._joiner.holders(self._kubelet.granted, devices, self._kubelet.started)
        return tuple(each for each in self.status.holders if self._lives(each))

    def _lives(self, holder: DeviceHolder) -> bool:
        pod = self._pods.find(holder.pod_uid)
        return pod is not None and not pod.ended

    async def _pause(self, began: float) -> None:
        await asyncio.sleep(_LEAST_SECONDS)
        rest = self._settings.poll_seconds - (self._clock.monotonic() - began)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, rest)):
                await self._wake.wait()


def _troubles(statements: Sequence[Statement]) -> list[str]:
    words = {"NVMLAvailable": "no NVML", "PodResourcesAvailable": "no PodResources"}
    return [words[each.type] for each in statements if each.type in words and each.status != "True"]
