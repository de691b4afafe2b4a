"""What a scan asks NVML; beside `nvml` the only module that knows pynvml.

Functions that come in versions are asked by their versions, newest first: those without one do not ask an older library
differently, they refuse it. Handles of MIG devices refuse much of what is asked of GPUs.
"""

from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeAlias

import pynvml

from labquota.agent.failures import Refused
from labquota.agent.nvml import ask, either

Handle: TypeAlias = Any
"""An opaque pointer of NVML's: to a GPU or a MIG device. Not valid after the scan."""

MEBIBYTE: Final = 1024 * 1024
NONE: Final = 0xFFFFFFFF
"""NVML's number of no instance."""
_PROFILES: Final = pynvml.NVML_GPU_INSTANCE_PROFILE_COUNT
_ATTRIBUTES: Final = {
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV1: "+me",
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_REV1: "+me",
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_GFX: "+gfx",
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_GFX: "+gfx",
    pynvml.NVML_GPU_INSTANCE_PROFILE_4_SLICE_GFX: "+gfx",
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_NO_ME: "-me",
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_NO_ME: "-me",
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_ALL_ME: "+me.all",
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_ALL_ME: "+me.all",
}
"""What a constant says of the profile's name where the library is too old to give the name itself."""


class Profile(NamedTuple):
    """One GPU instance profile that a GPU offers.

    Attributes:
        name: Such as 1g.5gb+me; empty where the library is too old to say.
        attributes: Such as +me, as far as the constant tells.
    """

    name: str
    attributes: str


class Shape(NamedTuple):
    """A MIG device: its instances' ids, its compute slices and those of its GPU instance, its memory in MiB."""

    gpu_instance: int
    compute_instance: int
    gpu_slices: int
    compute_slices: int
    memory: int


class Placement(NamedTuple):
    """Where a GPU instance lies, and by which of its GPU's profiles it was made."""

    profile: int
    start: int
    size: int


class Used(NamedTuple):
    """A process on a GPU; instances are -1 where NVML says none, memory is in MiB or -1."""

    pid: int
    gpu_instance: int
    compute_instance: int
    memory: int


def count() -> int:
    """How many GPUs there are; a failure means that nobody knows."""
    return int(ask(pynvml.nvmlDeviceGetCount, opening=True))


def versions() -> tuple[str, str]:
    """The driver's version and the library's."""
    driver = ask(pynvml.nvmlSystemGetDriverVersion, opening=True)
    return str(driver), str(ask(pynvml.nvmlSystemGetNVMLVersion, opening=True))


def memory(handle: Handle) -> int:
    """All memory of a GPU or MIG device in MiB, with what the driver keeps for itself."""
    info = either(
        lambda: ask(pynvml.nvmlDeviceGetMemoryInfo, handle, version=pynvml.nvmlMemory_v2),
        lambda: ask(pynvml.nvmlDeviceGetMemoryInfo, handle),
    )
    return int(info.total) // MEBIBYTE


def gpu(index: int) -> Handle:
    """The GPU of an index."""
    return ask(pynvml.nvmlDeviceGetHandleByIndex, index)


def uuid(handle: Handle) -> str:
    """Of a GPU or a MIG device."""
    return str(ask(pynvml.nvmlDeviceGetUUID, handle))


def name(handle: Handle) -> str:
    """The product; of a MIG device with its profile behind it."""
    return str(ask(pynvml.nvmlDeviceGetName, handle))


def minor(gpu: Handle) -> int:
    """The number of its /dev/nvidia…."""
    return int(ask(pynvml.nvmlDeviceGetMinorNumber, gpu))


def pci(gpu: Handle) -> tuple[str, str]:
    """Its address, such as 00000000:3B:00.0, and its PCI device id in hexadecimal."""
    info = ask(pynvml.nvmlDeviceGetPciInfo_v3, gpu)
    return str(info.busId), f"{int(info.pciDeviceId) >> 16:04X}"


def rows_failed(gpu: Handle) -> bool:
    """Whether a bad row of its memory could not be replaced."""
    *_, failed = ask(pynvml.nvmlDeviceGetRemappedRows, gpu)
    return bool(failed)


def most_slices(gpu: Handle) -> int:
    """How many MIG devices it could have at most; their indices lie below, with holes."""
    return int(ask(pynvml.nvmlDeviceGetMaxMigDeviceCount, gpu))


def slice_at(gpu: Handle, index: int) -> Handle:
    """The MIG device of an index."""
    return ask(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, gpu, index)


def shape(mig: Handle) -> Shape:
    """What a MIG device is."""
    attributes = ask(pynvml.nvmlDeviceGetAttributes_v2, mig)
    return Shape(
        gpu_instance=int(ask(pynvml.nvmlDeviceGetGpuInstanceId, mig)),
        compute_instance=int(ask(pynvml.nvmlDeviceGetComputeInstanceId, mig)),
        gpu_slices=int(attributes.gpuInstanceSliceCount),
        compute_slices=int(attributes.computeInstanceSliceCount),
        memory=int(attributes.memorySizeMB),
    )


def mig_modes(gpu: Handle) -> tuple[bool, bool]:
    """Whether it is cut now, and whether it will be after the next reset."""
    current, pending = ask(pynvml.nvmlDeviceGetMigMode, gpu)
    return current == pynvml.NVML_DEVICE_MIG_ENABLE, pending == pynvml.NVML_DEVICE_MIG_ENABLE


def profiles(gpu: Handle) -> dict[int, Profile]:
    """What a GPU can be cut into, by NVIDIA's id, which means this on this model alone."""
    found = {}
    for number in range(_PROFILES):
        with suppress(Refused):  # not on this model, or newer than this library
            info = _profile(gpu, number)
            name = str(getattr(info, "name", "")).removeprefix("MIG ")
            found[int(info.id)] = Profile(name, _ATTRIBUTES.get(number, ""))
    return found


def _profile(gpu: Handle, number: int) -> Any:
    call = pynvml.nvmlDeviceGetGpuInstanceProfileInfo
    return either(lambda: ask(call, gpu, number, version=2), lambda: ask(call, gpu, number, version=1))


def placement(gpu: Handle, gpu_instance: int) -> Placement:
    """Where a GPU instance lies; drivers tell only processes with rights on MIG."""
    instance = ask(pynvml.nvmlDeviceGetGpuInstanceById, gpu, gpu_instance)
    info = ask(pynvml.nvmlGpuInstanceGetInfo, instance)
    return Placement(int(info.profileId), int(info.placement.start), int(info.placement.size))


def processes(handle: Handle) -> list[Used]:
    """Everything that runs on a GPU or MIG device: compute, graphics, clients of MPS."""
    found = _processes(handle, "Compute")
    for kind in ("Graphics", "MPSCompute"):
        with suppress(Refused):  # many drivers have none
            found += _processes(handle, kind)
    return found


def _processes(handle: Handle, kind: str) -> list[Used]:
    newer = getattr(pynvml, f"nvmlDeviceGet{kind}RunningProcesses_v3")
    older = getattr(pynvml, f"nvmlDeviceGet{kind}RunningProcesses_v2")
    return [_used(each) for each in either(lambda: ask(newer, handle), lambda: ask(older, handle))]


def _used(process: Any) -> Used:
    size = -1 if process.usedGpuMemory is None else int(process.usedGpuMemory) // MEBIBYTE
    gpu_instance, compute_instance = int(process.gpuInstanceId), int(process.computeInstanceId)
    return Used(
        int(process.pid),
        -1 if gpu_instance == NONE else gpu_instance,
        -1 if compute_instance == NONE else compute_instance,
        size,
    )
