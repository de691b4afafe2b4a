"""One look at the node's GPUs: NVML is opened, asked, and closed again.

Nothing is changed on any GPU, and nothing of NVML stays open: an open one would keep others from reconfiguring MIG.
Only the library stays loaded, which is why another driver's (`DriverChanged`) needs another process.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from labquota.agent import devices, nvml, questions
from labquota.agent.devices import GpuProcess
from labquota.api import GPU

__all__ = ["GpuProcess", "Scan", "scan"]


class Scan(NamedTuple):
    """What NVML says of a node.

    Attributes:
        driver_version: The driver's.
        nvml_version: The library's.
        gpus: By index; none only where NVML counts none.
        processes: On these GPUs.
        unlisted: Why processes of a GPU are missing, by its UUID; empty if none are.
    """

    driver_version: str
    nvml_version: str
    gpus: tuple[GPU, ...]
    processes: tuple[GpuProcess, ...]
    unlisted: Mapping[str, str]


def scan(before: Iterable[GPU] = ()) -> Scan:
    """Look once.

    Args:
        before: The GPUs as they were known last; one that does not answer any more keeps what is known of it.

    Raises:
        Unavailable: nothing can be said; what was known stays, and is stale.
        DriverChanged: this process must end and be started again.
    """
    with nvml.opened():
        driver, library = questions.versions()
        found = [devices.read(index) for index in range(questions.count())]
    return Scan(
        driver_version=driver,
        nvml_version=library,
        gpus=remember([each.gpu for each in found], before),
        processes=tuple(process for each in found for process in each.processes),
        unlisted={each.gpu.uuid: each.unlisted for each in found if each.gpu.uuid and each.unlisted},
    )


def remember(now: Iterable[GPU], before: Iterable[GPU]) -> tuple[GPU, ...]:
    """Fill in what a GPU that is lost or cannot be read does not tell, from when it did.

    A GPU that does not even tell its UUID is the one that had its index, unless that one is there elsewhere.
    """
    gpus = tuple(now)
    there = {each.uuid for each in gpus if each.uuid}
    by_uuid = {each.uuid: each for each in before if each.uuid}
    by_index = {each.index: each for each in by_uuid.values() if each.uuid not in there}
    known = [by_uuid.get(each.uuid) if each.uuid else by_index.get(each.index) for each in gpus]
    return tuple(_filled(each, old) for each, old in zip(gpus, known, strict=True))


def _filled(gpu: GPU, before: GPU | None) -> GPU:
    if before is None or gpu.health not in ("Lost", "Unreadable"):
        return gpu
    told = {
        name: value for name, value in msgspec.structs.asdict(gpu).items() if value not in ("", 0, -1, ())
    }
    if gpu.mig_mode == "Unsupported":  # or not reached
        del told["mig_mode"], told["pending_mig_mode"]
    return msgspec.structs.replace(before, **{**told, "index": gpu.index})
