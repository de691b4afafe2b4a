"""Processes on GPUs that were not given to the pod they run in, or that run in none. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from labquota.agent.pods import Pod, Pods
from labquota.agent.procfs import Running
from labquota.api import DeviceHolder, DeviceProcess
from labquota.quota.deviceids import WHOLE, DeviceKey
from labquota.quota.gpusettings import GPUSettings

MOST: Final = 256
"""The object must stay small, whatever runs on a node."""


class OnGpu(Protocol):
    """A process as NVML sees it."""

    @property
    def gpu(self) -> str:
        """The GPU's UUID."""
        ...

    @property
    def gpu_instance(self) -> int:
        """Its GPU instance; -1: the whole GPU, or not known."""
        ...

    @property
    def compute_instance(self) -> int:
        """Its compute instance; -1: the whole GPU, or not known."""
        ...

    @property
    def pid(self) -> int:
        """Its id, as the node knows it."""
        ...

    @property
    def memory(self) -> int:
        """MiB; -1: not known."""
        ...


class Found(NamedTuple):
    """A process on a GPU, and what it is to the node."""

    on: OnGpu
    running: Running


class Accounts:
    """Asks whose a process is.

    Args:
        pods: The node's pods.
        settings: Which resources are GPUs, and whose processes are nobody's concern.
    """

    def __init__(self, pods: Pods, settings: GPUSettings) -> None:
        self._pods, self._settings = pods, settings

    def unaccounted(
        self,
        processes: Iterable[Found],
        holders: Iterable[DeviceHolder],
        known: Iterable[DeviceProcess] = (),
        *,
        complete: bool = True,
    ) -> tuple[DeviceProcess, ...]:
        """Those that nobody accounts for.

        Args:
            processes: All on the node's GPUs.
            holders: Who holds what.
            known: Those of the last time, so that small changes of their memory are no changes.
            complete: Whether `holders` are those of now; else who asks for GPUs has the benefit of the doubt.
        """
        held: dict[str, set[DeviceKey]] = defaultdict(set)
        for each in holders:
            held[each.pod_uid].add(DeviceKey(each.gpu, each.gpu_instance, each.compute_instance))
        before = {(each.pid, _key(each)): each.memory for each in known}
        found = []
        for process in processes:
            pod = self._pod_of(process.running)
            if pod is None or not self._may(pod, _key(process.on), held, complete=complete):
                memory = before.get((process.on.pid, _key(process.on)))
                found.append(_unaccounted(process, pod, memory))
        found.sort(key=lambda each: (*_key(each), each.pid))
        return tuple(found[:MOST])

    def _pod_of(self, running: Running) -> Pod | None:
        there = (self._pods.find(run.pod) for run in running.place.runs)
        return next((pod for pod in there if pod is not None), None)

    def _may(self, pod: Pod, key: DeviceKey, held: Mapping[str, set[DeviceKey]], *, complete: bool) -> bool:
        if pod.namespace in self._settings.trusted_namespaces:
            return True
        if any(_covers(each, key) or not each.gpu for each in held[pod.uid]):
            return True  # a device that is not in the inventory may be this one
        if pod.ended or not any(self._settings.is_gpu_like(each.resource) for each in pod.asked):
            return False
        # the kubelet never lists what init containers were given, though nobody else gets it meanwhile
        others = (each for uid, keys in held.items() if uid != pod.uid for each in keys)
        return not complete or (pod.preparing and not any(_covers(each, key) for each in others))


def _covers(held: DeviceKey, used: DeviceKey) -> bool:
    """Whether a process there uses what is held; NVML may not say which instance a process uses."""
    return (
        bool(held.gpu)
        and held.gpu == used.gpu
        and all(WHOLE in pair or pair[0] == pair[1] for pair in zip(held[1:], used[1:], strict=True))
    )


def _key(on: OnGpu | DeviceProcess) -> DeviceKey:
    return DeviceKey(on.gpu, on.gpu_instance, on.compute_instance)


def _unaccounted(process: Found, pod: Pod | None, before: int | None) -> DeviceProcess:
    on, running = process
    runs, memory = running.place.runs, on.memory
    if before is not None and abs(before - memory) * 4 < before:
        memory = before  # a process's memory is never still, and each difference would be a write
    return DeviceProcess(
        gpu=on.gpu,
        gpu_instance=on.gpu_instance,
        compute_instance=on.compute_instance,
        pid=on.pid,
        command=running.command,
        memory=memory,
        cgroup=running.place.path,
        namespace=pod.namespace if pod else "",
        pod=pod.name if pod else "",
        pod_uid=pod.uid if pod else (runs[0].pod if runs else ""),
        owner=pod.owner if pod else "",
    )
