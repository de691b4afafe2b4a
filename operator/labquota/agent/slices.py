"""The MIG devices of one GPU: handles with holes between them, broken ones among good ones, and their names."""

import math
import re
from typing import Final, NamedTuple

from labquota.agent import questions
from labquota.agent.failures import INVALID_ARGUMENT, NOT_FOUND, NOT_SUPPORTED, Refused
from labquota.agent.questions import Handle, Placement, Profile, Shape
from labquota.api import MigDevice

_HOLE: Final = (NOT_FOUND, INVALID_ARGUMENT)
"""No device is at this index: there never was one, or it has just been destroyed."""
_NAMED: Final = re.compile(r" MIG (?:[0-9]+c\.)?([0-9]+g\.[0-9]+gb\S*)$")
_EIGHTHS: Final = 8


class Slices(NamedTuple):
    """What a GPU is cut into.

    Attributes:
        devices: In the order of their handles; with the handle of each, for as long as NVML is open.
        refused: What of it could not be read, in NVML's words.
    """

    devices: tuple[tuple[MigDevice, Handle], ...]
    refused: tuple[str, ...]


def read(gpu: Handle, memory: int) -> Slices:
    """The MIG devices of a GPU in MIG mode; there may be none, which is a capacity of 0.

    Args:
        gpu: Its handle.
        memory: All of its memory in MiB.

    Raises:
        Refused: not even how many there could be is known.
    """
    try:
        most = questions.most_slices(gpu)
    except Refused as refused:
        if refused.code != NOT_SUPPORTED:
            raise
        most = 0
    found: list[tuple[MigDevice, Handle]] = []
    broken: list[str] = []
    offered: dict[int, Profile] = {}
    for index in range(most):
        try:
            handle = questions.slice_at(gpu, index)
            offered = offered or questions.profiles(gpu)
            found.append((_device(gpu, index, handle, memory, offered), handle))
        except Refused as refused:
            if refused.code not in _HOLE:
                broken.append(f"MIG device {index}: {refused}")
    return Slices(tuple(found), tuple(broken))


def _device(gpu: Handle, index: int, handle: Handle, memory: int, offered: dict[int, Profile]) -> MigDevice:
    shape = questions.shape(handle)
    try:
        where = questions.placement(gpu, shape.gpu_instance)
    except Refused:
        where = Placement(-1, -1, 0)
    return MigDevice(
        uuid=questions.uuid(handle),
        gpu_instance=shape.gpu_instance,
        compute_instance=shape.compute_instance,
        profile=_name(handle, shape, offered.get(where.profile), memory),
        memory=shape.memory,
        gpu_slices=shape.gpu_slices,
        compute_slices=shape.compute_slices,
        index=index,
        start=where.start,
        size=where.size,
    )


def _name(handle: Handle, shape: Shape, profile: Profile | None, memory: int) -> str:
    """As NVML names it: by its profile, else in the device's own name, else by slices and memory."""
    whole = profile.name if profile else ""
    if not whole:
        whole = _named(handle) or _reckoned(shape, memory) + (profile.attributes if profile else "")
    return whole if shape.compute_slices == shape.gpu_slices else f"{shape.compute_slices}c.{whole}"


def _named(handle: Handle) -> str:
    try:
        found = _NAMED.search(questions.name(handle))
    except Refused:
        return ""
    return found[1] if found else ""


def _reckoned(shape: Shape, memory: int) -> str:
    """Slices, and as many eighths of the card's GB as its memory begins."""
    gigabytes = math.ceil(memory / 1024)
    eighths = math.ceil(shape.memory * _EIGHTHS / memory) if memory else 0
    return f"{shape.gpu_slices}g.{(eighths * gigabytes + _EIGHTHS // 2) // _EIGHTHS}gb"
