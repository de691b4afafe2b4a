"""GPUs, the slices that they are cut into and who holds them, put together from what agents and operator publish.

GPUNode        what exists, and who was given what by the kubelet
GPUAllocation  whose pod that is, holds without a pod, and what does not match
"""

from collections.abc import Iterable, Iterator
from typing import Final

from labquota.api import GPU, DeviceHolder, DeviceProcess, GPUNode, MigDevice
from labquota.cli.devices import SLOTS, Allocation, Card, Holder, Node
from labquota.quota.deviceids import Device, DeviceKey, Devices, base

_ENDED: Final = ("Released", "Expired")


def nodes(
    published: Iterable[GPUNode], allocations: Iterable[Allocation], names: Iterable[str] = ()
) -> list[Node]:
    """The nodes with their devices, by name.

    Args:
        published: What the agents say.
        allocations: What the operator and people say.
        names: Only these nodes; empty: all.
    """
    wanted, known = set(names), list(allocations)
    found = [each for each in published if not wanted or each.metadata.name in wanted]
    return [_node(each, known) for each in sorted(found, key=lambda each: each.metadata.name)]


def _node(published: GPUNode, allocations: Iterable[Allocation]) -> Node:
    name, status = published.metadata.name, published.status
    found = _Found(Devices(status.gpus))
    for each in allocations:
        if each.status.phase not in _ENDED:
            found.allocated(each, name)
    for given in status.holders:
        found.given(given)
    for process in status.unaccounted:
        found.running(process)
    return Node(
        name=name,
        driver=status.driver_version,
        nvml=status.nvml_version,
        scanned=status.last_scan_time.isoformat() if status.last_scan_time else None,
        problems=(*_of_node(published), *found.loose),
        cards=tuple(card for each in found.devices.all for card in _cards(published, each, found)),
    )


class _Found:
    """Who holds each device of a node, and what is wrong with it."""

    def __init__(self, devices: Devices) -> None:
        self.devices = devices
        self.held: dict[DeviceKey, list[Holder]] = {}
        self.wrong: dict[DeviceKey, list[str]] = {}
        self.loose: list[str] = []
        """Of what is no device of the node."""

    def allocated(self, allocation: Allocation, node: str) -> None:
        """What an allocation says, of this node."""
        for device in allocation.status.devices:
            if device.node != node:
                continue
            key = DeviceKey(device.gpu, device.gpu_instance, device.compute_instance)
            holder = _holder(allocation, device.container)
            if self.devices.at(key) is None:
                what = f"{device.profile or 'GPU'} {device.id or device.gpu}"
                self.loose.append(f"{holder.text} holds {what}, which is not there")
            elif holder not in self.held.setdefault(key, []):
                self.held[key].append(holder)
                wrong = [each.type for each in allocation.status.conditions if each.status == "True"]
                self.wrong.setdefault(key, []).extend(wrong)

    def given(self, given: DeviceHolder) -> None:
        """What the kubelet says; of pods that have an allocation nothing new."""
        holders = self.held.setdefault(DeviceKey(given.gpu, given.gpu_instance, given.compute_instance), [])
        if (given.namespace, given.pod) not in {(each.namespace, each.name) for each in holders}:
            holders.append(Holder(given.namespace, given.pod, container=given.container))

    def running(self, process: DeviceProcess) -> None:
        """A process that nobody was given the device for."""
        key = DeviceKey(process.gpu, process.gpu_instance, process.compute_instance)
        text = f"Unaccounted: process {process.pid} {process.command}".rstrip()
        if process.pod:
            text += f" of {process.namespace}/{process.pod}"
        if process.owner:
            text += f" ({process.owner})"
        self.wrong.setdefault(key, []).append(text)


def _cards(published: GPUNode, device: Device, found: _Found) -> Iterator[Card]:
    """A device as it is shown: a GPU that is cut into slices is not, unless there is something to say of it."""
    gpu, mig = device
    problems = list(dict.fromkeys(found.wrong.get(device.key, ())))
    if mig is None:
        problems = [*_of_gpu(gpu), *problems]
        if gpu.mig_mode == "Enabled" and gpu.mig_devices and not problems and not found.held.get(device.key):
            return
        if gpu.mig_mode == "Enabled" and not gpu.mig_devices:
            problems.append("in MIG mode, and cut into nothing")
    resource, replicas = _offer(published, gpu.uuid if mig is None else mig.uuid)
    scale = 1 if mig is None else _scale(gpu, mig)
    yield Card(
        gpu=gpu.uuid,
        gpu_instance=device.key.gpu_instance,
        compute_instance=device.key.compute_instance,
        index=gpu.index,
        model=gpu.model,
        profile="" if mig is None else mig.profile,
        uuid=gpu.uuid if mig is None else mig.uuid,
        memory=gpu.memory if mig is None else mig.memory,
        start=0 if mig is None else mig.start * scale if mig.start >= 0 else -1,
        size=SLOTS if mig is None else mig.size * scale,
        health=gpu.health,
        resource=resource,
        replicas=replicas,
        holders=tuple(found.held.get(device.key, ())),
        problems=tuple(problems),
        is_device=mig is not None or gpu.mig_mode != "Enabled",
    )


def _scale(gpu: GPU, mig: MigDevice) -> int:
    """How many slots are drawn for one of this GPU's: one, or two where it has only four."""
    slots = round(gpu.memory * mig.size / mig.memory) if mig.memory else SLOTS
    return 1 if slots > SLOTS * 3 // 4 else 2


def _offer(published: GPUNode, uuid: str) -> tuple[str, int]:
    """Under which resource name a device is offered, and in how many replicas."""
    for each in published.status.resources:
        if any(base(device) == uuid for device in each.devices):
            return each.name, each.replicas
    return "", 1


def _holder(allocation: Allocation, container: str) -> Holder:
    meta, pod = allocation.metadata, allocation.spec.pod
    name = meta.name if pod is None else pod.name
    return Holder(meta.namespace, name, allocation.spec.owner, is_pod=pod is not None, container=container)


def _of_gpu(gpu: GPU) -> list[str]:
    found = []
    if gpu.health != "Healthy":
        found.append(f"{gpu.health}: {gpu.message}".removesuffix(": "))
    if gpu.pending_mig_mode != gpu.mig_mode:
        word = "on" if gpu.pending_mig_mode == "Enabled" else "off"
        found.append(f"MIG mode is {word} after the next reset")
    return found


def _of_node(published: GPUNode) -> list[str]:
    """What the agent says of its own looking."""
    wrong = {"NVMLAvailable": "False", "PodResourcesAvailable": "False", "Stale": "True"}
    conditions = published.status.conditions
    return [
        f"{each.type}={each.status}: {each.message}"
        for each in conditions
        if wrong.get(each.type) == each.status
    ]
