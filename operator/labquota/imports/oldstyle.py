"""An owner's limits in the words of the older system, for scripts that still ask in them."""

from collections.abc import Mapping
from typing import Final

_POINTS_OF_A_GPU: Final = 56
_SUFFIXES: Final = ("", "K", "M", "G", "T", "P", "E")

AggregateSection = dict[str, str | int | float | None]


def aggregate_section(limits: Mapping[str, int | None]) -> AggregateSection | None:
    """The `aggregate` section as the older system would have it.

    Args:
        limits: Aggregate limits in base units (milli-cores, bytes, pieces, points) by canonical key;
            None is unlimited.

    Returns:
        `cpu_quota` ("9600%" is 96 CPUs) and `memory_max` ("96G", binary) where they are limited, and always
        `gpu_limit`, None where GPUs are not limited. None altogether where none of the three is limited.
    """
    section: AggregateSection = {}
    cpu, memory = limits.get("requests.cpu"), limits.get("requests.memory")
    if cpu is not None:
        section["cpu_quota"] = f"{cpu // 10}%" if cpu % 10 == 0 else f"{cpu / 10:.1f}%"
    if memory is not None:
        section["memory_max"] = _memory(memory)
    section["gpu_limit"] = _gpu(limits)
    return section if len(section) > 1 or section["gpu_limit"] is not None else None


def aggregate_gpu_limit(limits: Mapping[str, int | None]) -> str:
    """The number of GPUs alone, or "unlimited". Arguments as for `aggregate_section`."""
    limit = _gpu(limits)
    return "unlimited" if limit is None else str(limit)


def _gpu(limits: Mapping[str, int | None]) -> int | float | None:
    """Slots where they are limited, else GPU equivalents."""
    slots, points = limits.get("gpu"), limits.get("gpu-equivalents")
    if slots is not None:
        return slots
    return None if points is None else round(points / _POINTS_OF_A_GPU, 3)


def _memory(amount: int) -> str:
    power = 0
    while amount and amount % 1024 == 0 and power + 1 < len(_SUFFIXES):
        amount //= 1024
        power += 1
    return f"{amount}{_SUFFIXES[power]}"
