"""What one device costs: points and memory from its model and its profile, the administrator's word first.

GPU       56 of compute, 56 of memory
slice     by the model's table; a model that is not in it, by slices, slots and share of memory
1c.3g     its own compute slices, and the whole instance's memory: nobody else can have that
replica   as much as the device, or its part of it, rounded up
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from labquota.quota import models
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.models import QUARTERS, SEVENTHS, Model, Shape
from labquota.quota.points import WHOLE, Price
from labquota.quota.profiles import Profile

_MEBI: Final = 2**20
_MOST_NAMED: Final = 3


def of_gpu(settings: GPUSettings, model: str, mebibytes: int) -> Price:
    """A whole GPU.

    Args:
        settings: The administrator's prices.
        model: Its name, as the node has it; may be empty.
        mebibytes: Its memory; 0 where it is not known.
    """
    known = models.by_product(model, mebibytes)
    if not mebibytes:
        mebibytes = max((each.gigabytes for each in known or models.MODELS), default=0) * 1024
    source = f"a whole {model}" if model else "a whole GPU of a model that is not known"
    price = Price(WHOLE, WHOLE, mebibytes * _MEBI, source, whole=True)
    return _set(settings, model, known, ("whole",), price)


def of_slice(
    settings: GPUSettings, model: str, known: Iterable[Model], profile: Profile, mebibytes: int = 0
) -> Price | None:
    """A slice of a GPU whose model is in the table.

    Args:
        settings: The administrator's prices.
        model: The model's name, as the node has it.
        known: What it can be in the table; of several the worst case.
        profile: The slice's profile.
        mebibytes: The slice's memory; 0 where it is not known.

    Returns:
        None where no such model can be cut so.
    """
    those = tuple(known)
    those = tuple(each for each in those if each.resembles(profile)) or those
    found = [(each, *pair) for each in those if (pair := each.find(profile)) is not None]
    if not found:
        return None
    prices = [
        Price(_compute(shape, profile), shape.memory, (mebibytes or each.mebibytes(own)) * _MEBI)
        for each, own, shape in found
    ]
    price = msgspec.structs.replace(worst(prices), source=f"{profile} of {model or models.names(those)}")
    return _set(settings, model, those, _written(profile, *(own for _, own, _ in found)), price)


def of_stranger(
    settings: GPUSettings, model: str, profile: Profile, share: float, slots: int = 0, mebibytes: int = 0
) -> Price | None:
    """A slice of a GPU whose model is not in the table: by what is known of the slice itself.

    Args:
        settings: The administrator's prices.
        model: The model's name, as the node has it.
        profile: The slice's profile.
        share: Its memory, as a part of the GPU's; 0 where it is not known.
        slots: The memory slots that it lies on; 0 where they are not known.
        mebibytes: Its memory.

    Returns:
        None where not even that tells what part of a GPU it is.
    """
    alike = [shape for shape in (*SEVENTHS, *QUARTERS) if shape.slices == profile.gpu]
    alike = [shape for shape in alike if shape.slots == slots] or alike
    if not alike or not 1 <= profile.compute <= profile.gpu:
        return _set_or_none(settings, model, profile)
    if share:
        near = min(abs(shape.memory / WHOLE - share) for shape in alike)
        alike = [shape for shape in alike if abs(shape.memory / WHOLE - share) <= near + 0.01]
    prices = [Price(_compute(shape, profile), shape.memory, mebibytes * _MEBI) for shape in alike]
    price = msgspec.structs.replace(worst(prices), source=f"{profile} of {model or 'a GPU'}, by its size")
    return _set(settings, model, (), _written(profile), price)


def of_table(settings: GPUSettings, profile: Profile | None) -> Price | None:
    """What it costs where no node says more: the worst case of the table; without a profile a whole GPU.

    Returns:
        None where no GPU of the table offers such a profile.
    """
    if profile is None:
        price = of_gpu(settings, "", 0)
        return msgspec.structs.replace(price, source=f"no node offers it: {price.source}")
    offering = models.offering(profile)
    if (found := of_slice(settings, "", offering, profile)) is None:
        return _set_or_none(settings, "", profile)
    return msgspec.structs.replace(found, source=f"no node offers it: {found.source} in the table")


def of_replica(settings: GPUSettings, price: Price, replicas: int) -> Price:
    """A replica of a device that so many share."""
    if replicas <= 1:
        return price
    if settings.shared_replicas == "Whole":
        return msgspec.structs.replace(
            price, source=f"{price.source}, shared by {replicas}, each as the whole"
        )
    return msgspec.structs.replace(
        price,
        compute=-(-price.compute // replicas),
        memory=-(-price.memory // replicas),
        bytes=-(-price.bytes // replicas),
        source=f"{price.source}, divided by {replicas}",
    )


def worst(prices: Iterable[Price]) -> Price:
    """The worst case of several prices, in each part; there is at least one."""
    those = list(prices)
    if all(each == those[0] for each in those):
        return those[0]
    sources = list(dict.fromkeys(each.source for each in those))
    more = f" and {len(sources) - _MOST_NAMED} more" if len(sources) > _MOST_NAMED else ""
    return Price(
        compute=max(each.compute for each in those),
        memory=max(each.memory for each in those),
        bytes=max(each.bytes for each in those),
        source=f"the worst case of {'; '.join(sources[:_MOST_NAMED])}{more}" if sources[1:] else sources[0],
        whole=any(each.whole for each in those),
        is_gpu=any(each.is_gpu for each in those),
    )


def _compute(shape: Shape, profile: Profile) -> int:
    """The points of a compute instance, which may be smaller than its GPU instance."""
    return shape.compute * profile.compute // shape.slices


def _written(profile: Profile, *others: Profile) -> list[str]:
    """How the administrator may have called it: attributes cost nothing, and other drivers name it otherwise."""
    if profile.compute != profile.gpu:
        return [str(profile)]
    return [str(profile), profile.plain, *(each.plain for each in others)]


def _set(
    settings: GPUSettings, model: str, known: Iterable[Model], profiles: Iterable[str], price: Price
) -> Price:
    """The administrator's price, if there is one; the memory is what it is."""
    for profile in profiles:
        for name in (model, *(each.name for each in known)):
            if (found := settings.price(name, profile)) is not None:
                return msgspec.structs.replace(
                    price,
                    compute=found.compute,
                    memory=found.memory,
                    source=f"{price.source}, at {found.source}",
                )
    return price


def _set_or_none(settings: GPUSettings, model: str, profile: Profile) -> Price | None:
    """A price for what nobody but the administrator knows."""
    price = Price(-1, -1, profile.gigabytes * 2**30, f"{profile} of {model or 'a GPU'}")
    found = _set(settings, model, (), _written(profile), price)
    return None if found.compute < 0 else found
