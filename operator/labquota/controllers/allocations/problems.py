"""What is wrong between books and hardware, each with its evidence. Nothing is gone because nobody has looked.

An answer is a `Problem`, None (nothing is wrong), or UNKNOWN: then what was said before stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from labquota.api import BoundDevice, DeviceHolder, DeviceProcess
from labquota.controllers.allocations.evidence import key_of
from labquota.controllers.allocations.hardware import Hardware
from labquota.controllers.allocations.holdings import Holding
from labquota.quota.deviceids import DeviceKey

MISSING: Final = "Missing"
"""A device is gone from the inventory, or another one has taken its place."""
CONFLICT: Final = "Conflict"
"""Two live pods have one unshared device; or a hold and somebody else."""
ORPHANED: Final = "Orphaned"
"""The kubelet still gives a device to a pod that is gone."""
UNACCOUNTED: Final = "Unaccounted"
"""A process uses a device that was not given to what it runs in."""
ALL: Final = (MISSING, CONFLICT, ORPHANED, UNACCOUNTED)

UNKNOWN: Final = "unknown"
_MOST_NAMED: Final = 3


class Problem(msgspec.Struct, frozen=True):
    """Something that is wrong."""

    reason: str
    message: str


Finding = Problem | None | Literal["unknown"]


def missing(devices: Iterable[BoundDevice], reports: Mapping[str, Hardware], learnt: int) -> Finding:
    """Whether a device is not there any more.

    Args:
        devices: What is held.
        reports: What the nodes' agents say.
        learnt: How many reports had come when these devices became known: an older report may not know them yet.
    """
    found = [_missing(each, reports.get(each.node), learnt) for each in devices]
    gone = [each for each in found if isinstance(each, Problem)]
    if gone:
        return Problem(gone[0].reason, _several([each.message for each in gone]))
    return UNKNOWN if UNKNOWN in found else None


def conflict(rivals: Sequence[tuple[BoundDevice, Holding]]) -> Finding:
    """Whether somebody else has the same device."""
    if not rivals:
        return None
    texts = [f"{name(device)} on node {device.node} is also held by {other.what}" for device, other in rivals]
    return Problem("HeldByTwo", _several(texts))


def orphaned(
    devices: Iterable[BoundDevice], uid: str, namespace: str, pod: str, hardware: Hardware | None
) -> Finding:
    """Whether the kubelet still gives a device to a pod that is gone; `devices` are those that it had."""
    if hardware is None or not hardware.knows_holders:
        return UNKNOWN
    had = {(each.resource, each.id) for each in devices}
    named = [
        each
        for each in hardware.holders
        if (each.namespace, each.pod) == (namespace, pod) and (each.resource, each.device) in had
    ]
    if any(each.pod_uid == uid for each in named):
        return UNKNOWN  # the agent does not know yet that the pod is gone
    still = [each for each in named if not each.pod_uid]
    return Problem("NoPod", _several([_of_holder(each, hardware.node) for each in still])) if still else None


def unaccounted(devices: Iterable[BoundDevice], reports: Mapping[str, Hardware]) -> Finding:
    """Whether a process uses a device that was not given to the pod which it runs in."""
    texts = []
    unknown = False
    for device in devices:
        hardware = reports.get(device.node)
        if hardware is None or hardware.is_stale:
            unknown = True
            continue
        key = key_of(device)
        texts += [
            f"{_of_process(each)} uses {name(device)} on node {device.node}"
            for each in hardware.unaccounted
            if each.gpu == key.gpu and (key.gpu_instance < 0 or key == _key(each))
        ]
    if texts:
        return Problem("ForeignProcess", _several(texts))
    return UNKNOWN if unknown else None


def name(device: BoundDevice) -> str:
    """A device as people read it."""
    uuid = device.uuid or device.id
    if device.gpu_instance < 0:
        return uuid or device.gpu
    place = f"{device.gpu} {device.gpu_instance}/{device.compute_instance}"
    return f"{uuid} ({place})" if uuid else place


def _missing(device: BoundDevice, hardware: Hardware | None, learnt: int) -> Finding:
    if hardware is None or hardware.is_stale:
        return UNKNOWN
    where = f"node {device.node}"
    if not device.gpu:
        text = f"{device.id} is not in the inventory of {where}"
        return UNKNOWN if hardware.arrived <= learnt else Problem("NotInInventory", text)
    gpu = hardware.gpus.get(device.gpu)
    if gpu is None:
        return Problem("DeviceGone", f"{name(device)} is gone: {where} has no GPU {device.gpu}")
    if gpu.health == "Lost":
        why = f": {gpu.message}" if gpu.message else ""
        return Problem("GPULost", f"{name(device)} is gone: {where} has lost GPU {device.gpu}{why}")
    if gpu.health == "Unreadable":
        return UNKNOWN
    return _replaced(device, hardware, where)


def _replaced(device: BoundDevice, hardware: Hardware, where: str) -> Problem | None:
    """Whether something else is in a device's place, on a GPU that can be seen."""
    if device.gpu_instance < 0:
        if hardware.gpus[device.gpu].mig_mode != "Enabled":
            return None
        return Problem("DeviceReplaced", f"GPU {device.gpu} of {where} is cut into MIG devices now")
    there = hardware.at(key_of(device))
    if there is None or there.mig is None:
        return Problem("DeviceGone", f"{name(device)} is gone from {where}")
    if device.uuid in ("", there.mig.uuid):
        return None
    return Problem(
        "DeviceReplaced", f"{name(device)} is gone from {where}: {there.mig.uuid} has taken its place"
    )


def _of_holder(holder: DeviceHolder, node: str) -> str:
    where = f"{holder.namespace}/{holder.pod}"
    return (
        f"the kubelet of node {node} still gives {holder.device} ({holder.resource}) to container "
        f"{holder.container} of pod {where}, which is gone"
    )


def _of_process(process: DeviceProcess) -> str:
    what = f"process {process.pid}" + (f" ({process.command})" if process.command else "")
    if not process.pod:
        where = f" (cgroup {process.cgroup})" if process.cgroup else ""
        return f"{what} of no pod{where}"
    owner = f" of {process.owner}" if process.owner else ""
    return f"{what} of pod {process.namespace}/{process.pod}{owner}, which was not given it,"


def _key(process: DeviceProcess) -> DeviceKey:
    return DeviceKey(process.gpu, process.gpu_instance, process.compute_instance)


def _several(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return "; ".join(texts[:_MOST_NAMED]) + more
