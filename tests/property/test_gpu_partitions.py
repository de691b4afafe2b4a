"""Every way in which NVIDIA's placement rules let one GPU be cut costs at most one GPU; eight slices never do."""

from collections.abc import Iterator
from itertools import combinations_with_replacement

import pytest

from labquota.quota import models, prices
from labquota.quota.gpusettings import DEFAULT
from labquota.quota.models import QUARTERS, SEVENTHS, Model
from labquota.quota.points import Price

STARTS = {
    SEVENTHS: {
        (1, 1): range(7),
        (1, 2): (0, 2, 4, 6),
        (2, 2): (0, 2, 4),
        (3, 4): (0, 4),
        (4, 4): (0,),
        (7, 8): (0,),
    },
    QUARTERS: {(1, 1): range(4), (2, 2): (0, 2), (4, 4): (0,)},
}
"""Slices and memory slots of a shape to where it may start."""
Placed = tuple[int, int, int]
"""Slices, slots, start."""


def cut(model: Model) -> Iterator[list[Placed]]:
    """All sets of placements that do not overlap: every way to cut the GPU, to the end or not."""
    rules = STARTS[SEVENTHS if len(model.profiles) == len(SEVENTHS) else QUARTERS]
    places = [(slices, slots, start) for (slices, slots), starts in rules.items() for start in starts]
    places.sort(key=lambda place: place[2])

    def extend(used: list[Placed], free: int, first: int) -> Iterator[list[Placed]]:
        yield used
        for number in range(first, len(places)):
            _, slots, start = places[number]
            if start >= free:
                yield from extend([*used, places[number]], start + slots, number + 1)

    return extend([], 0, 0)


def priced(model: Model) -> dict[tuple[int, int], Price]:
    found = {}
    for profile, shape in model.profiles:
        price = prices.of_slice(DEFAULT, "", (model,), profile)
        assert price is not None
        found[shape.slices, shape.slots] = price
    return found


@pytest.mark.parametrize("model", models.MODELS, ids=lambda model: model.name)
def test_every_legal_partition_of_a_gpu_fits_one_equivalent(model: Model) -> None:
    price = priced(model)
    seen, fullest = 0, (0, 0)
    most: dict[tuple[int, int], int] = {}
    for partition in cut(model):
        devices = [(slices, slots) for slices, slots, _ in partition]
        compute = sum(price[each].compute for each in devices)
        memory = sum(price[each].memory for each in devices)
        assert compute <= 56, partition
        assert memory <= 56, partition
        fullest = max(fullest, (compute, memory))
        seen += 1
        for each in set(devices):
            most[each] = max(most.get(each, 0), devices.count(each))
    assert seen > 20, "the rules give more than a handful"
    assert fullest == (56, 56), "and some use all of it"
    assert most == {(shape.slices, shape.slots): shape.most for _, shape in model.profiles}


@pytest.mark.parametrize("model", models.MODELS, ids=lambda model: model.name)
def test_more_slices_than_a_card_has_never_fit_one_equivalent(model: Model) -> None:
    price = priced(model)
    count = 8 if len(model.profiles) == len(SEVENTHS) else 5
    for devices in combinations_with_replacement(price, count):
        compute = sum(price[each].compute for each in devices)
        memory = sum(price[each].memory for each in devices)
        assert max(compute, memory) > 56, devices


def test_the_media_engines_profile_exists_once_and_costs_no_more() -> None:
    for model in models.MODELS:
        plain = model.profiles[0][0]
        with_engines = type(plain)(plain.gpu, plain.gigabytes, plain.compute, ("+me",))
        one = prices.of_slice(DEFAULT, "", (model,), plain)
        other = prices.of_slice(DEFAULT, "", (model,), with_engines)
        assert one is not None
        assert other is not None
        assert (one.compute, one.memory) == (other.compute, other.memory)


def test_compute_alone_would_sell_all_memory_for_four_sevenths() -> None:
    a100 = next(model for model in models.MODELS if model.name == "A100-40")
    double = priced(a100)[1, 2]
    assert (4 * double.compute, 4 * double.memory) == (32, 56)
