"""Which devices a pod has: by its own status where the kubelet writes that, else by its node's report.

What names a pod without its UID is no evidence: the report's holders count only by the UID that the agent has joined,
and not where they name more devices than the pod asks for, as while a finished pod of the same name is still listed.
"""

from collections.abc import Iterable, Mapping

import msgspec

from labquota.api import AllocationDevice, BoundDevice
from labquota.api.words import AllocationSource
from labquota.controllers.allocations.grants import Grant
from labquota.controllers.allocations.hardware import Hardware
from labquota.quota.deviceids import Device, DeviceKey


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """Devices, and who says so."""

    source: AllocationSource = ""
    devices: tuple[BoundDevice, ...] = ()


def of_pod(
    uid: str, node: str, asks: Mapping[str, int], grants: Iterable[Grant], hardware: Hardware | None
) -> Evidence:
    """What is known of a pod's devices.

    Args:
        uid: The pod's.
        node: Where it is.
        asks: GPU resources that it asks for.
        grants: What its status says.
        hardware: Its node's report, if there is one.
    """
    given = {each.device: each for each in grants if each.resource in asks}
    if given:
        return Evidence("PodStatus", _bound(node, given.values(), hardware))
    if hardware is None:
        return Evidence()
    held = {
        each.device: Grant(each.container, each.resource, each.device)
        for each in hardware.holders
        if each.pod_uid == uid and each.resource in asks
    }
    counts: dict[str, int] = {}
    for each in held.values():
        counts[each.resource] = counts.get(each.resource, 0) + 1
    if not held or any(count > asks[resource] for resource, count in counts.items()):
        return Evidence()
    return Evidence("Agent", _bound(node, held.values(), hardware))


def of_hold(devices: Iterable[AllocationDevice], reports: Mapping[str, Hardware]) -> Evidence:
    """The devices of a hold, which names them itself."""
    places = {(each.node, DeviceKey(each.gpu, each.gpu_instance, each.compute_instance)) for each in devices}
    return Evidence("Hold", tuple(_held(*place, reports) for place in sorted(places)))


def key_of(device: BoundDevice) -> DeviceKey:
    """Where a device is on its node."""
    return DeviceKey(device.gpu, device.gpu_instance, device.compute_instance)


def _bound(node: str, grants: Iterable[Grant], hardware: Hardware | None) -> tuple[BoundDevice, ...]:
    bound = []
    for each in sorted(grants, key=lambda grant: (grant.resource, grant.device)):
        device = BoundDevice(node=node, id=each.device, resource=each.resource, container=each.container)
        found = hardware.named(each.device) if hardware is not None else None
        bound.append(device if found is None else _placed(device, found))
    return tuple(bound)


def _held(node: str, key: DeviceKey, reports: Mapping[str, Hardware]) -> BoundDevice:
    device = BoundDevice(
        node=node, gpu=key.gpu, gpu_instance=key.gpu_instance, compute_instance=key.compute_instance
    )
    found = reports[node].at(key) if node in reports else None
    return device if found is None else _placed(device, found)


def _placed(device: BoundDevice, found: Device) -> BoundDevice:
    key = found.key
    return msgspec.structs.replace(
        device,
        gpu=key.gpu,
        gpu_instance=key.gpu_instance,
        compute_instance=key.compute_instance,
        uuid=found.gpu.uuid if found.mig is None else found.mig.uuid,
        model=found.gpu.model,
        profile="" if found.mig is None else found.mig.profile,
    )
