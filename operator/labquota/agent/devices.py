"""One GPU: what it is, how it is cut, how it is, and what runs on it. One that does not answer hides no other.

Healthy or not is what the GPU says now: off the bus, waiting for a reset, out of spare memory rows. XIDs are not looked
at; most of them (13, 31, 43, 45, 68, 109) are mistakes of applications and say nothing of the device, and what the
others do to it is seen here.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from labquota.agent import questions, slices
from labquota.agent.failures import FUNCTION_NOT_FOUND, GPU_IS_LOST, NOT_SUPPORTED, RESET_REQUIRED, Refused
from labquota.agent.questions import Handle
from labquota.agent.slices import Slices
from labquota.api import GPU
from labquota.api.words import MigMode

_Answer = TypeVar("_Answer")

_ABSENT: Final = (NOT_SUPPORTED, FUNCTION_NOT_FOUND)
"""This GPU has no such thing, or this library is older than it."""
_UNCUT: Final = Slices((), ())


class GpuProcess(NamedTuple):
    """A process on a GPU, or on one of its MIG devices.

    Attributes:
        gpu: The GPU's UUID.
        gpu_instance: -1: the whole GPU, or not known.
        compute_instance: -1: the whole GPU, or not known.
        pid: In the numbering of the node.
        memory: MiB; -1: not known.
    """

    gpu: str
    gpu_instance: int
    compute_instance: int
    pid: int
    memory: int


class Device(NamedTuple):
    """What one GPU came to.

    Attributes:
        gpu: As it is reported; with an empty UUID where not even that is known.
        processes: All that NVML lists on it.
        unlisted: Why processes are missing; empty if none is.
    """

    gpu: GPU
    processes: tuple[GpuProcess, ...]
    unlisted: str


def read(index: int) -> Device:
    """Read the GPU of an index, as far as it answers.

    Raises:
        Unavailable: the driver went away meanwhile.
        DriverChanged: it is another one now.
    """
    known: dict[str, Any] = {"index": index, "uuid": ""}
    notes: list[str] = []
    try:
        handle = questions.gpu(index)
        known["uuid"] = questions.uuid(handle)
        known |= _identity(handle, notes)
        now, pending = _modes(handle)
        known |= {"mig_mode": now, "pending_mig_mode": pending}
        cut = slices.read(handle, known["memory"]) if now == "Enabled" else _UNCUT
        known["mig_devices"] = tuple(device for device, _ in cut.devices)
        known |= _health(handle, cut)
        notes += cut.refused
        found, unlisted = _processes(known["uuid"], handle, cut)
    except Refused as refused:
        return Device(GPU(**{**known, **_ill(refused)}), (), str(refused))
    return Device(GPU(**{"message": "; ".join(notes), **known}), found, unlisted)


def _ill(refused: Refused) -> dict[str, str]:
    health = {GPU_IS_LOST: "Lost", RESET_REQUIRED: "Unhealthy"}.get(refused.code, "Unreadable")
    return {"health": health, "message": str(refused)}


def _identity(handle: Handle, notes: list[str]) -> dict[str, Any]:
    """What it is; a part that is refused is noted, and nothing else suffers."""

    def tried(question: Callable[[], _Answer], otherwise: _Answer) -> _Answer:
        try:
            return question()
        except Refused as refused:
            if refused.code in (GPU_IS_LOST, RESET_REQUIRED):
                raise
            if refused.code not in _ABSENT:
                notes.append(str(refused))
            return otherwise

    address, device = tried(lambda: questions.pci(handle), ("", ""))
    return {
        "model": tried(lambda: questions.name(handle), ""),
        "memory": tried(lambda: questions.memory(handle), 0),
        "minor": tried(lambda: questions.minor(handle), -1),
        "pci_address": address,
        "device_id": device,
    }


def _modes(handle: Handle) -> tuple[MigMode, MigMode]:
    """The MIG mode now and after the next reset; refused: nobody knows whether this is one device or seven."""
    try:
        now, pending = questions.mig_modes(handle)
    except Refused as refused:
        if refused.code not in _ABSENT:
            raise
        return "Unsupported", "Unsupported"
    return "Enabled" if now else "Disabled", "Enabled" if pending else "Disabled"


def _health(handle: Handle, cut: Slices) -> dict[str, str]:
    if cut.refused and not cut.devices:
        return {"health": "Unreadable", "message": cut.refused[0]}
    try:
        failed = questions.rows_failed(handle)
    except Refused as refused:
        return _ill(refused) if refused.code in (GPU_IS_LOST, RESET_REQUIRED) else {}
    if failed:
        return {"health": "Unhealthy", "message": "a bad memory row could not be replaced by a spare one"}
    return {}


def _processes(uuid: str, gpu: Handle, cut: Slices) -> tuple[tuple[GpuProcess, ...], str]:
    """Of each MIG device by its own handle, as any user may; what the GPU's own handle knows more of is added."""
    found: dict[tuple[int, int, int], GpuProcess] = {}
    unlisted = ""
    for device, handle in cut.devices:
        place = (device.gpu_instance, device.compute_instance)
        try:
            for used in questions.processes(handle):
                found[used.pid, *place] = GpuProcess(uuid, *place, used.pid, used.memory)
        except Refused as refused:
            unlisted = str(refused)
    pids = {pid for pid, *_ in found}
    try:
        for used in questions.processes(gpu):
            key = (used.pid, used.gpu_instance, used.compute_instance)
            if key not in found and (used.gpu_instance >= 0 or used.pid not in pids):
                found[key] = GpuProcess(uuid, *key[1:], used.pid, used.memory)
    except Refused as refused:
        unlisted = unlisted or ("" if cut.devices else str(refused))
    return tuple(found[key] for key in sorted(found)), unlisted
