"""Which resource names are GPUs, and how many GPU units one of each is.

The names are those that NVIDIA's device plugin advertises: `nvidia.com/gpu` (a whole GPU),
`nvidia.com/mig-<profile>` (a MIG slice, "+" of the profile written as "."), and either with `.shared`
for a time-sliced replica. Each counts as one unit. A name here is judged by its form alone; whether any
GPU offers the profile, and what share of a GPU it is, is for the inventory to say.
"""

import functools
import re
from collections.abc import Iterable
from typing import Final

from labquota.quota import quantities

_VENDOR: Final = "nvidia.com/"
_SHARED: Final = ".shared"
_WHOLE: Final = frozenset({"nvidia.com/gpu", "nvidia.com/gpu.shared"})
_ATTRIBUTE: Final = r"[a-zA-Z][a-zA-Z0-9]*"
# The two ways to write attributes never mix.
_MIG: Final = re.compile(
    rf"mig-(?:[0-9]+c\.)?[0-9]+g\.[0-9]+gb(?:(?:\.{_ATTRIBUTE})+|(?:-{_ATTRIBUTE}(?:\.{_ATTRIBUTE})*)+)?",
)


class UnknownGpu(ValueError):  # noqa: N818 - names what is wrong, as the reason code does
    """A resource name of a GPU vendor that is no GPU, MIG slice or shared replica we know how to count.

    Attributes:
        resource: The name, as the pod wrote it.
    """

    def __init__(self, resource: str) -> None:
        super().__init__(
            f"resource {quantities.quoted(resource)} looks like a GPU but is none that labquota can count: "
            "ask for nvidia.com/gpu or nvidia.com/mig-<profile>, for example nvidia.com/mig-1g.10gb",
        )
        self.resource = resource


@functools.lru_cache(maxsize=1024)
def units(resource: str) -> int:
    """How many GPU units one of `resource` is.

    Args:
        resource: An extended resource name, as a container asks for it.

    Returns:
        1 for a whole GPU, a MIG slice or a shared replica of either; 0 for what is not a GPU.

    Raises:
        UnknownGpu: For any other name of the vendor; it must be refused, never counted as nothing.
    """
    if not resource.startswith(_VENDOR):
        return 0
    if _countable(resource):
        return 1
    raise UnknownGpu(resource)


def unknown(resources: Iterable[str]) -> list[str]:
    """The names among `resources` that look like GPUs and cannot be counted, sorted."""
    return sorted(name for name in resources if name.startswith(_VENDOR) and not _countable(name))


def is_gpu_like(resource: str) -> bool:
    """Whether a name is of a GPU vendor, countable or not."""
    return resource.startswith(_VENDOR)


def whole(resource: str) -> bool:
    """Whether one of `resource` is a GPU that is not cut into MIG slices, shared in time or not."""
    return resource in _WHOLE


def _countable(resource: str) -> bool:
    """Whether a name of the vendor is a device that counts."""
    return (
        resource in _WHOLE or _MIG.fullmatch(resource.removeprefix(_VENDOR).removesuffix(_SHARED)) is not None
    )
