"""The resources that can be limited: their names, units, and how people write amounts of them.

Base units, in which every amount in labquota counts: milli-cores for `*.cpu`; bytes for memory,
ephemeral storage, huge pages and `gpu-memory`; points for `gpu-equivalents` (56 are one GPU); whole ones
for everything else. Amounts saturate at `MAX`.
"""

import functools
import re
from fractions import Fraction
from typing import Final

from labquota.quota import points, quantities
from labquota.quota.quantities import MAX, MILLI, NANO, QuantityError

__all__ = [
    "BUILT_IN",
    "MAX",
    "POINTS",
    "UNLIMITED",
    "QuantityError",
    "UnknownResource",
    "canonical",
    "family",
    "parse_limit",
    "show",
    "step",
    "unit",
]

UNLIMITED: Final = "unlimited"
POINTS: Final = points.WHOLE
"""Points of one GPU in `gpu-equivalents`: divisible by seven compute slices and by eight memory slots."""

_ALIASED: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
_HUGEPAGES: Final = "hugepages-"
BUILT_IN: Final = frozenset(
    {
        *(f"{side}.{name}" for side in ("requests", "limits") for name in _ALIASED),
        *("pods", "gpu", "gpu-equivalents", "gpu-memory"),
    },
)
"""Canonical keys that need no device and no name of somebody's choice."""
_HUGEPAGES_KEY: Final = re.compile(r"requests\.hugepages-[0-9]+[KMGTPE]i")
_EXTENDED_KEY: Final = re.compile(
    r"(?!requests\.|limits\.)[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?",
)
_FRACTION: Final = re.compile(r"[0-9]{1,18}/[0-9]{1,18}")
_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL: Final = ("", "k", "M", "G", "T", "P", "E")
_UNITS: Final = {"gpu": "GPU units", "gpu-equivalents": "GPUs", "gpu-memory": "", "pods": "pods"}
_FAMILIES: Final = {"cpu": "CPU", "memory": "MEMORY", "pods": "PODS"}


class UnknownResource(ValueError):  # noqa: N818 - names what is wrong
    """A key that is no resource which can be limited."""


@functools.lru_cache(maxsize=1024)
def canonical(key: str) -> str:
    """The one name of a resource that may be written in several ways.

    Args:
        key: As in a limit; ResourceQuota's forms are understood ("cpu" is "requests.cpu",
            "requests.nvidia.com/gpu" is "nvidia.com/gpu", "hugepages-2Mi" is "requests.hugepages-2Mi").

    Returns:
        The canonical key.

    Raises:
        UnknownResource: Nothing that can be limited has this name.
    """
    if key in _ALIASED or key.startswith(_HUGEPAGES):
        key = f"requests.{key}"
    elif "/" in key:
        key = key.removeprefix("requests.")
    if key in BUILT_IN or _HUGEPAGES_KEY.fullmatch(key) or _EXTENDED_KEY.fullmatch(key):
        return key
    raise UnknownResource(
        f"resource {quantities.quoted(key)} cannot be limited: use gpu, gpu-equivalents, gpu-memory, pods, "
        "requests.cpu, requests.memory, requests.ephemeral-storage, limits.cpu, limits.memory, "
        "limits.ephemeral-storage, requests.hugepages-<size> or the full name of an extended resource, "
        "as in nvidia.com/mig-3g.20gb",
    )


def parse_limit(key: str, value: str | int) -> int | None:
    """Read how much of a resource a limit grants.

    Args:
        key: A canonical key.
        value: A Kubernetes quantity, "unlimited", or for `gpu-equivalents` also a fraction ("4/7").

    Returns:
        Base units, rounded up as Kubernetes does (`gpu-equivalents`: to the nearest point); None for
        "unlimited".

    Raises:
        QuantityError: The value is not a quantity, is negative, or is a fraction of what comes whole.
    """
    if value == UNLIMITED:
        return None
    if isinstance(value, bool):
        raise QuantityError(f"quantity {str(value).lower()} is not a number: write one, or {UNLIMITED}")
    if key == "gpu-equivalents" and isinstance(value, str) and _FRACTION.fullmatch(value):
        above, below = (int(part) for part in value.split("/"))
        if not below:
            raise QuantityError(f'quantity "{value}" divides by zero')
        return min((2 * POINTS * above + below) // (2 * below), MAX)
    nano = quantities.unsigned(value)
    if key == "gpu-equivalents":
        return min((2 * POINTS * nano + NANO) // (2 * NANO), MAX)
    if nano % NANO and not _divisible(key):
        raise QuantityError(f"quantity {quantities.quoted(value)} is not whole: {key} comes in whole units")
    return quantities.round_up(nano, step(key))


def show(key: str, amount: int) -> str:
    """Write an amount for people, exactly: `parse_limit` reads it back to the same number.

    Args:
        key: A canonical key.
        amount: Base units.

    Returns:
        "96" or "500m" for cpu, "80Gi" or "1536Mi" for bytes, "0.571" for gpu-equivalents, else "3".
    """
    if amount < 0:
        return f"-{show(key, -amount)}"
    if step(key) == MILLI:
        return f"{amount}m" if amount % 1000 else str(amount // 1000)
    if key == "gpu-equivalents":
        thousandths = round(Fraction(amount * 1000, POINTS))
        return f"{thousandths // 1000}.{thousandths % 1000:03}".rstrip("0").rstrip(".")
    if _divisible(key):
        return min(_shortened(amount, 1024, _BINARY), _shortened(amount, 1000, _DECIMAL), key=len)
    return str(amount)


def family(key: str) -> str:
    """The word of the code AGGREGATE_<family>_QUOTA_EXCEEDED that a resource belongs to."""
    if key.startswith(("gpu", "nvidia.com/")):
        return "GPU"
    return _FAMILIES.get(key.removeprefix("requests.").removeprefix("limits."), "RESOURCE")


def unit(key: str) -> str:
    """What an amount of a resource is called behind its number, if it has a name."""
    if key in _UNITS:
        return _UNITS[key]
    return _UNITS["gpu"] if family(key) == "GPU" else "cores" if family(key) == "CPU" else ""


def step(key: str) -> int:
    """Nano-units in one base unit of `key`."""
    return MILLI if key in {"requests.cpu", "limits.cpu"} else NANO


def _divisible(key: str) -> bool:
    """Whether a fraction of `key` has a meaning: cores and bytes are rounded, pods and devices are not."""
    if "/" in key:
        return False
    return key.startswith(("requests.", "limits.")) or key == "gpu-memory"


def _shortened(amount: int, base: int, suffixes: tuple[str, ...]) -> str:
    power = 0
    while amount and amount % base == 0 and power + 1 < len(suffixes):
        amount //= base
        power += 1
    return f"{amount}{suffixes[power]}"
