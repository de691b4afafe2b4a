"""MIG profile names, in all the ways in which they are written.

    [<C>c.]<G>g.<GB>gb[+attribute{,attribute} | -attribute{,attribute}]

| by                               | `+me.all`                        | `-me`                        |
|----------------------------------|----------------------------------|------------------------------|
| NVML, nvidia-smi                 | `1g.24gb+me.all`                 | `1g.24gb-me`                 |
| resource names of device plugins | `nvidia.com/mig-1g.24gb.me.all`  | `nvidia.com/mig-1g.24gb-me`  |
| the label `nvidia.com/gpu.product` | `…-MIG-1g.24gb.me.all`         | `…-MIG-1g.24gb-me`           |

Reading a name takes two steps. Here it is told whether it is well formed, as `0g.0gb` is; whether any GPU offers it is
for `models` to say. The number of gigabytes is a marketing number that moves with the driver.
"""

import functools
import re
from typing import Final

import msgspec

_ATTRIBUTE: Final = r"[a-zA-Z](?:[a-zA-Z0-9.]*[a-zA-Z0-9])?"
_FORM: Final = re.compile(
    r"(?:(?P<compute>[0-9]{1,2})c\.)?(?P<gpu>[0-9]{1,2})g\.(?P<gigabytes>[0-9]{1,5})gb"
    rf"(?:(?P<sign>[+.-])(?P<attributes>{_ATTRIBUTE}(?:,{_ATTRIBUTE})*))?",
)
_SHARED: Final = ".shared"
_MIG: Final = "mig-"
_IN_PRODUCT: Final = re.compile(r"(?P<product>.*?)-MIG-(?P<profile>.*)", re.IGNORECASE)
_REPLICATED: Final = "-SHARED"


class Profile(msgspec.Struct, frozen=True):
    """A MIG profile.

    Attributes:
        gpu: Slices of the GPU instance.
        gigabytes: Memory, as the name has it.
        compute: Slices of the compute instance, which may be fewer.
        attributes: `+me`, `+me.all`, `+gfx`, `-me`, sorted.
    """

    gpu: int
    gigabytes: int
    compute: int
    attributes: tuple[str, ...] = ()

    def __str__(self) -> str:
        part = f"{self.compute}c." if self.compute != self.gpu else ""
        sign = self.attributes[0][0] if self.attributes else ""
        return f"{part}{self.plain}{sign}{','.join(each[1:] for each in self.attributes)}"

    @property
    def plain(self) -> str:
        """The name of the GPU instance without its attributes, which cost nothing."""
        return f"{self.gpu}g.{self.gigabytes}gb"


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Profile | None:
    """The profile that a name means, written in any of the ways; None for what is not well formed."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    words = (found["attributes"] or "").split(",") if found["attributes"] else []
    if len(set(words)) != len(words):
        return None
    sign = "-" if found["sign"] == "-" else "+"
    gpu = int(found["gpu"])
    compute = int(found["compute"]) if found["compute"] else gpu
    return Profile(gpu, int(found["gigabytes"]), compute, tuple(sorted(sign + word for word in words)))


@functools.lru_cache(maxsize=1024)
def of_resource(resource: str) -> Profile | None:
    """The profile of a resource such as `nvidia.com/mig-1g.5gb`, shared or not; None for other resources."""
    name = unshared(resource).partition("/")[2]
    return parse(name.removeprefix(_MIG)) if name.startswith(_MIG) else None


def unshared(resource: str) -> str:
    """The resource without the mark of a time-sliced replica, which is there only where renaming is asked for."""
    return resource.removesuffix(_SHARED)


def is_whole(resource: str) -> bool:
    """Whether a resource is called as a whole GPU is; the single strategy calls a slice so, too."""
    return unshared(resource).partition("/")[2] == "gpu"


def of_product(label: str) -> tuple[str, Profile | None]:
    """The model that the label `nvidia.com/gpu.product` names, and the profile, if each GPU there is a slice."""
    label = label.removesuffix(_REPLICATED)
    if (found := _IN_PRODUCT.fullmatch(label)) is None:
        return label, None
    return found["product"], parse(found["profile"])
