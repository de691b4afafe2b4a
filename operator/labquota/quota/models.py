"""The GPU models that are known without looking: their PCI ids, their memory, and what they can be cut into.

A profile's name does not say what it costs: `1g.10gb` fits four times on an A100 of 40 GB and seven times on one of 80.
Ids of profiles say no more (14 is `2g.10gb` on one GPU and `1g.24gb` on another), so nothing is ever found by them.
What a node itself reports goes before what stands here.
"""

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from labquota.quota.gpusettings import normal
from labquota.quota.profiles import Profile, parse


class Shape(msgspec.Struct, frozen=True):
    """One way to cut a GPU: compute slices and memory slots of an instance, and its points.

    Attributes:
        slices: Compute slices, the G of the profile.
        slots: Memory slots.
        compute: Points of compute.
        memory: Points of memory.
        most: How many of them one GPU holds.
    """

    slices: int
    slots: int
    compute: int
    memory: int
    most: int


SEVENTHS: Final = (
    Shape(1, 1, 8, 7, 7),
    Shape(1, 2, 8, 14, 4),
    Shape(2, 2, 16, 14, 3),
    Shape(3, 4, 24, 28, 2),
    Shape(4, 4, 32, 28, 1),
    Shape(7, 8, 56, 56, 1),
)
"""Of a GPU of seven compute slices and eight memory slots; the second is 1g with double memory."""
QUARTERS: Final = (Shape(1, 1, 14, 14, 4), Shape(2, 2, 28, 28, 2), Shape(4, 4, 56, 56, 1))
"""Of a GPU of four and four."""

_ONCE: Final = {1: ("+me",)}
_TWICE: Final = {1: ("+me",), 2: ("+me",)}
_GRAPHICS: Final = {
    1: ("+me", "+me.all", "+gfx", "-me"),
    2: ("+gfx", "+me.all", "-me"),
    4: ("+gfx",),
}


class Model(msgspec.Struct, frozen=True):
    """A GPU model, or several that are cut alike.

    Attributes:
        name: As this table calls it.
        gigabytes: Its memory, as its maker says.
        profiles: What it can be cut into.
        ids: PCI device ids.
        attributes: By compute slices, the attributes that a profile may have.
        usable: By profile, the MiB that drivers report, where they are known.
    """

    name: str
    gigabytes: int
    profiles: tuple[tuple[Profile, Shape], ...]
    ids: frozenset[str]
    attributes: Mapping[int, tuple[str, ...]]
    usable: Mapping[str, int]

    def find(self, profile: Profile) -> tuple[Profile, Shape] | None:
        """The profile of this model that a name means: of as many slices, and of the nearest memory."""
        alike = [each for each in self.profiles if each[0].gpu == profile.gpu]
        if not alike or not 1 <= profile.compute <= profile.gpu:
            return None
        return min(alike, key=lambda each: abs(each[0].gigabytes - profile.gigabytes))

    def offers(self, profile: Profile) -> bool:
        """Whether it can be cut so, by the very name."""
        found = self.find(profile)
        known = self.attributes.get(profile.gpu, ())
        return (
            found is not None
            and found[0].gigabytes == profile.gigabytes
            and all(each in known for each in profile.attributes)
        )

    def resembles(self, profile: Profile) -> bool:
        """Whether it can be cut so by a name that another driver may have for it."""
        found = self.find(profile)
        known = self.attributes.get(profile.gpu, ())
        return (
            found is not None
            and abs(found[0].gigabytes - profile.gigabytes) <= max(1, found[0].gigabytes // 16)
            and all(each in known for each in profile.attributes)
        )

    def mebibytes(self, profile: Profile) -> int:
        """The memory of one of its own profiles: as drivers report it, else as its name has it."""
        return self.usable.get(profile.plain, profile.gigabytes * 1024)


def _model(
    name: str,
    gigabytes: int,
    names: str,
    ids: str,
    attributes: Mapping[int, tuple[str, ...]] = _ONCE,
    usable: Mapping[str, int] = {},
) -> Model:
    shapes = SEVENTHS if len(names.split()) == len(SEVENTHS) else QUARTERS
    profiles = [each for each in map(parse, names.split()) if each is not None]
    pairs = tuple(zip(profiles, shapes, strict=True))
    return Model(name, gigabytes, pairs, frozenset(ids.split()), attributes, usable)


# fmt: off
MODELS: Final = (
    _model("A30", 24, "1g.6gb 2g.12gb 4g.24gb", "20B7", _TWICE,
           {"1g.6gb": 5836, "2g.12gb": 11672, "4g.24gb": 23344}),
    _model("A100-40", 40, "1g.5gb 1g.10gb 2g.10gb 3g.20gb 4g.20gb 7g.40gb", "20B0 20B1 20F1 20F6", _ONCE,
           {"1g.5gb": 4864, "1g.10gb": 9856, "2g.10gb": 9856, "3g.20gb": 19968, "4g.20gb": 19968, "7g.40gb": 40192}),
    _model("A100-80", 80, "1g.10gb 1g.20gb 2g.20gb 3g.40gb 4g.40gb 7g.80gb", "20B2 20B5 20F3 20F5", _ONCE,
           {"1g.10gb": 9856, "1g.20gb": 19968, "2g.20gb": 19968, "3g.40gb": 40192, "4g.40gb": 40192, "7g.80gb": 80384}),
    _model("H100-80", 80, "1g.10gb 1g.20gb 2g.20gb 3g.40gb 4g.40gb 7g.80gb", "2330 2331 2322 2324"),
    _model("H100-NVL", 94, "1g.12gb 1g.24gb 2g.24gb 3g.47gb 4g.47gb 7g.94gb", "2321 233A"),
    _model("H100-96", 96, "1g.12gb 1g.24gb 2g.24gb 3g.48gb 4g.48gb 7g.96gb", "2342 2329 20B6 233D"),
    _model("GH200-144", 144, "1g.18gb 1g.36gb 2g.36gb 3g.72gb 4g.72gb 7g.144gb", "2348"),
    _model("H200-141", 141, "1g.18gb 1g.35gb 2g.35gb 3g.71gb 4g.71gb 7g.141gb", "2335 233B"),
    _model("B200-180", 180, "1g.23gb 1g.45gb 2g.45gb 3g.90gb 4g.90gb 7g.180gb", "2901"),
    _model("GB200-186", 186, "1g.23gb 1g.47gb 2g.47gb 3g.93gb 4g.93gb 7g.186gb", "2941"),
    _model("B300-269", 269, "1g.34gb 1g.67gb 2g.67gb 3g.135gb 4g.135gb 7g.269gb", "3182"),
    _model("GB300-278", 278, "1g.35gb 1g.70gb 2g.70gb 3g.139gb 4g.139gb 7g.278gb", "31C2"),
    _model("RTX-PRO-6000", 96, "1g.24gb 2g.48gb 4g.96gb", "2BB5", _GRAPHICS),
    _model("RTX-PRO-5000", 48, "1g.12gb 2g.24gb 4g.48gb", "", _GRAPHICS),
)
# fmt: on
_BY_NAME: Final = {model.name: model for model in MODELS}
_FAMILIES: Final = tuple(
    (re.compile(rf"(?:^|-)(?:{words})(?:-|$)"), tuple(_BY_NAME[each] for each in names.split()))
    for words, names in (
        ("a30", "A30"),
        ("a100|a800", "A100-40 A100-80"),
        ("gh200", "H100-96 GH200-144"),
        ("h100-nvl", "H100-NVL"),
        ("h100|h800", "H100-80 H100-NVL H100-96"),
        ("h20", "H100-96"),
        ("h200", "H200-141"),
        ("gb200", "GB200-186"),
        ("b200", "B200-180"),
        ("gb300", "GB300-278"),
        ("b300", "B300-269"),
        ("rtx-pro-6000", "RTX-PRO-6000"),
        ("rtx-pro-5000", "RTX-PRO-5000"),
    )
)
_NUMBER: Final = re.compile(r"(?:^|-)([0-9]{2,3})gb?(?:-|$)")
_NEAR: Final = 6
"""Gigabytes by which the memory that a driver reports may differ from the maker's number."""


def by_id(device_id: str) -> Model | None:
    """The model of a PCI device id, with the vendor's behind it or not."""
    short = device_id.removeprefix("0x").upper()[:4]
    return next((model for model in MODELS if short in model.ids), None)


@functools.lru_cache(maxsize=1024)
def by_product(product: str, mebibytes: int = 0) -> tuple[Model, ...]:
    """The models that a product's name can mean; mostly one, none where the table has none of that name and size.

    Args:
        product: As NVML or a node's label has it.
        mebibytes: The GPU's memory; 0 where it is not known.
    """
    name = normal(product)
    family = next((models for words, models in _FAMILIES if words.search(name)), ())
    size = mebibytes / 1024
    if not size and len(family) > 1 and (number := _NUMBER.search(name)) is not None:
        size = int(number[1])
    near = [model for model in family if abs(model.gigabytes - size) <= _NEAR]
    if near:
        return (min(near, key=lambda model: abs(model.gigabytes - size)),)
    return () if mebibytes else family


def offering(profile: Profile) -> tuple[Model, ...]:
    """The models of the table that offer a profile: by its very name, else by one that another driver may have."""
    exact = tuple(model for model in MODELS if model.offers(profile))
    return exact or tuple(model for model in MODELS if model.resembles(profile))


def largest() -> Model:
    """The model with the most memory."""
    return max(MODELS, key=lambda model: model.gigabytes)


def names(models: Iterable[Model]) -> str:
    """Models in words."""
    return ", ".join(model.name for model in models)
