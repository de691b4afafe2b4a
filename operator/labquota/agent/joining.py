"""Puts together what three parties say of a node's devices: NVML, the kubelet, the API server. Pure.

The kubelet names pods without their UIDs, keeps finished ones for a while, and may give a device that one of them had
to the next pod of the same name. So a grant counts for the pod of that name only

* while that pod has not ended, and had been taken by the kubelet before the kubelet was asked,
* if one of its containers asks for the resource, and for as many devices as it asks for: those that its own status
  names first, then those that it had before, then those that no other pod of the name had.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from labquota.agent.podresources import Grant, Offer
from labquota.agent.pods import Asked, Pod, Pods
from labquota.agent.procfs import Running
from labquota.api import DeviceHolder, DeviceProcess, NodeResource
from labquota.quota.deviceids import WHOLE, DeviceKey, Devices, base, is_uuid
from labquota.quota.gpusettings import GPUSettings

MOST_PROCESSES: Final = 256
"""Of those that nobody accounts for: the object must stay small, whatever runs on a node."""


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


def resources(offers: Iterable[Offer], settings: GPUSettings) -> tuple[NodeResource, ...]:
    """What the node's device plugins offer that is a GPU: by its name, or by ids that nothing else has."""
    ids: dict[str, set[str]] = defaultdict(set)
    for offer in offers:
        ids[offer.resource].add(offer.device)
    return tuple(
        _resource(name, given)
        for name, given in sorted(ids.items())
        if settings.is_gpu_like(name) or all(map(is_uuid, given))
    )


def _resource(name: str, ids: set[str]) -> NodeResource:
    devices = sorted({base(each) for each in ids})
    shared = -(-len(ids) // len(devices))
    return NodeResource(name=name, count=len(ids), replicas=shared, devices=tuple(devices))


class Joiner:
    """Joins grants to pods, and remembers to whom it has joined them.

    Args:
        pods: The node's pods.
        settings: Which resources are GPUs, and whose processes are nobody's concern.
    """

    def __init__(self, pods: Pods, settings: GPUSettings) -> None:
        self._pods, self._settings = pods, settings
        self._had: dict[Grant, str] = {}

    def holders(
        self, grants: Iterable[Grant], devices: Devices, started: frozenset[str]
    ) -> tuple[DeviceHolder, ...]:
        """Who holds what.

        Args:
            grants: What the kubelet has said.
            devices: The inventory.
            started: The UIDs of pods that the kubelet had taken before it was asked.
        """
        joined: dict[Grant, str] = {}
        groups: dict[tuple[str, str, Asked], set[Grant]] = defaultdict(set)
        for each in grants:
            if self._settings.is_gpu_like(each.resource) or is_uuid(each.device):
                groups[each.namespace, each.pod, Asked(each.container, each.resource)].add(each)
        for (namespace, name, asked), group in groups.items():
            pod = self._pods.named(namespace, name)
            if pod is None:
                joined.update(dict.fromkeys(group, ""))
            elif pod.uid in started and not pod.ended:
                joined.update(dict.fromkeys(self._own(pod, asked, group), pod.uid))
        listed = (each for group in groups.values() for each in group)
        had = ((each, joined.get(each) or self._had.get(each, "")) for each in listed)
        self._had = {each: uid for each, uid in had if uid}
        return tuple(_holder(grant, uid, devices) for grant, uid in sorted(joined.items()))

    def _own(self, pod: Pod, asked: Asked, group: set[Grant]) -> Sequence[Grant]:
        """Those of a group that are this pod's, where a former pod of its name may still be listed."""
        most = pod.asked.get(asked, 0)
        if len(group) <= most:
            return list(group)
        told = pod.told.get(asked, frozenset())

        def likeliness(grant: Grant) -> tuple[bool, bool, bool, Grant]:
            had = self._had.get(grant, pod.uid)
            return grant.device not in told, self._had.get(grant) != pod.uid, had != pod.uid, grant

        return sorted(group, key=likeliness)[:most]

    def unaccounted(
        self,
        processes: Iterable[Found],
        holders: Iterable[DeviceHolder],
        known: Iterable[DeviceProcess] = (),
        *,
        complete: bool = True,
    ) -> tuple[DeviceProcess, ...]:
        """Processes on devices that were not given to the pod they run in.

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
        return tuple(found[:MOST_PROCESSES])

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


def _holder(grant: Grant, uid: str, devices: Devices) -> DeviceHolder:
    device = devices.find(grant.device)
    key = DeviceKey("") if device is None else device.key
    return DeviceHolder(
        resource=grant.resource,
        device=grant.device,
        gpu=key.gpu,
        gpu_instance=key.gpu_instance,
        compute_instance=key.compute_instance,
        namespace=grant.namespace,
        pod=grant.pod,
        container=grant.container,
        pod_uid=uid,
    )


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
