"""The table of models beside NVIDIA's: ids, names, and how many of each profile really fit on one GPU."""

import math

import pytest

from labquota.quota import models as priced
from labquota.quota import profiles
from nvml import MODELS, Model
from nvml.placing import place
from nvml.shapes import Profile

DEVICES = """
20B7 20B0 20B1 20F1 20F6 20B2 20B5 20F3 20F5 2330 2331 2322 2324 2321 233A 2342 2329 20B6 233D 2348 2335 233B 2901
2941 3182 31C2 2BB5
"""
"""Every PCI device id of the facts' table."""
BY_ID_ALONE = ("NVIDIA H800L", "NVIDIA PG506-232")
"""Names that say nothing of what they are."""
CUT = [(model, profile) for model in MODELS.values() for profile in model.family.profiles]


def test_every_device_of_the_facts_is_a_model() -> None:
    assert sorted(DEVICES.split()) == sorted(
        f"{each.device:04X}" for each in MODELS.values() if each.family.profiles and each.device != 0x2BB3
    )


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("A30", "1g.6gb 1g.6gb+me 2g.12gb 2g.12gb+me 4g.24gb"),
        ("A100-SXM4-40GB", "1g.5gb 1g.5gb+me 1g.10gb 2g.10gb 3g.20gb 4g.20gb 7g.40gb"),
        ("A100 80GB PCIe", "1g.10gb 1g.10gb+me 1g.20gb 2g.20gb 3g.40gb 4g.40gb 7g.80gb"),
        ("H100 NVL", "1g.12gb 1g.12gb+me 1g.24gb 2g.24gb 3g.47gb 4g.47gb 7g.94gb"),
        ("H20", "1g.12gb 1g.12gb+me 1g.24gb 2g.24gb 3g.48gb 4g.48gb 7g.96gb"),
        ("GH200 144G HBM3e", "1g.18gb 1g.18gb+me 1g.36gb 2g.36gb 3g.72gb 4g.72gb 7g.144gb"),
        ("H200", "1g.18gb 1g.18gb+me 1g.35gb 2g.35gb 3g.71gb 4g.71gb 7g.141gb"),
        ("B200", "1g.23gb 1g.23gb+me 1g.45gb 2g.45gb 3g.90gb 4g.90gb 7g.180gb"),
        ("GB200", "1g.23gb 1g.23gb+me 1g.47gb 2g.47gb 3g.93gb 4g.93gb 7g.186gb"),
        ("B300 SXM6 AC", "1g.34gb 1g.34gb+me 1g.67gb 2g.67gb 3g.135gb 4g.135gb 7g.269gb"),
        ("GB300", "1g.35gb 1g.35gb+me 1g.70gb 2g.70gb 3g.139gb 4g.139gb 7g.278gb"),
        (
            "RTX PRO 6000 Blackwell Server Edition",
            (
                "1g.24gb 1g.24gb+me 1g.24gb+gfx 1g.24gb+me.all 1g.24gb-me "
                "2g.48gb 2g.48gb+gfx 2g.48gb+me.all 2g.48gb-me 4g.96gb 4g.96gb+gfx"
            ),
        ),
        ("T4", ""),
    ],
)
def test_a_model_offers_what_the_facts_say(model: str, names: str) -> None:
    assert [each.name for each in MODELS[model].family.profiles] == names.split()


@pytest.mark.parametrize(("model", "profile"), CUT, ids=lambda each: each.name)
def test_the_name_is_the_one_that_nvidias_own_tools_reckon_from_the_memory(
    model: Model, profile: Profile
) -> None:
    """NVIDIA's device plugin names a profile by the eighths of the card's GB that its memory begins."""
    gigabytes = math.ceil(model.family.memory / 1024)
    eighths = math.ceil(profile.memory * 8 / model.family.memory)
    assert profile.name.startswith(f"{profile.slices}g.{math.floor(eighths * gigabytes / 8 + 0.5)}gb")


@pytest.mark.parametrize(("model", "profile"), CUT, ids=lambda each: each.name)
def test_as_many_of_a_profile_fit_as_nvidia_says_and_not_one_more(model: Model, profile: Profile) -> None:
    assert len(place(model.family, [profile.name] * profile.most)) == profile.most
    with pytest.raises(ValueError, match="at most"):
        place(model.family, [profile.name] * (profile.most + 1))


# Fact: usable memory as drivers report it (MiB).
@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ("A100-SXM4-40GB", "1g.5gb 4864, 1g.10gb 9856, 2g.10gb 9856, 3g.20gb 19968, 7g.40gb 40192"),
        ("A100-SXM4-80GB", "1g.10gb 9856, 1g.20gb 19968, 3g.40gb 40192, 7g.80gb 80384"),
        ("A30", "1g.6gb 5836, 2g.12gb 11672, 4g.24gb 23344"),
    ],
)
def test_a_profile_has_the_memory_that_drivers_report(model: str, sizes: str) -> None:
    family = MODELS[model].family
    for name, _, memory in (each.partition(" ") for each in sizes.split(", ")):
        assert family.profile(name).memory == int(memory)


# Fact: legal placements (start: size in memory slots).
@pytest.mark.parametrize(
    ("model", "places"),
    [
        ("H200", {(1, 1): "0123456", (1, 2): "0246", (2, 2): "024", (3, 4): "04", (4, 4): "0", (7, 8): "0"}),
        ("A30", {(1, 1): "0123", (2, 2): "02", (4, 4): "0"}),
    ],
)
def test_a_profile_lies_where_nvidia_lets_it(model: str, places: dict[tuple[int, int], str]) -> None:
    for each in MODELS[model].family.profiles:
        assert "".join(map(str, each.starts)) == places[each.slices, each.size]


@pytest.mark.parametrize(("model", "profile"), CUT, ids=lambda each: each.name)
def test_the_table_of_prices_knows_it_by_device_and_by_name_and_prices_it_by_its_slots(
    model: Model, profile: Profile
) -> None:
    """Two tables that were written apart, from the same facts."""
    family, name = model.family, profiles.parse(profile.name)
    assert name is not None
    products = priced.by_product(model.name, family.memory)
    known = priced.by_id(f"{model.device:04X}") or products[0]
    assert products == (known,) or model.name in BY_ID_ALONE
    assert known.offers(name)
    shape = next(
        shape for each, shape in known.profiles if (each.gpu, each.gigabytes) == (name.gpu, name.gigabytes)
    )
    assert (shape.slices, shape.slots) == (profile.slices, profile.size)
    assert shape.compute == 56 * profile.slices // family.slices
    assert shape.memory == 56 * profile.size // family.slots
    assert profile.most in {shape.most, 1}


def test_profiles_of_a_model_differ_in_id_constant_and_name() -> None:
    for model in MODELS.values():
        for name in ("id", "ordinal", "name"):
            values = [getattr(each, name) for each in model.family.profiles]
            assert len(set(values)) == len(values), (model.name, name)


# Fact: GPU-instance profile ids are not portable: 14 is 2g.10gb on A100 and 1g.24gb on RTX PRO 6000.
def test_one_id_is_different_profiles_on_different_models() -> None:
    fourteen = {
        key: [each.name for each in MODELS[key].family.profiles if each.id == 14]
        for key in ("A100-SXM4-40GB", "RTX PRO 6000 Blackwell Server Edition")
    }
    assert fourteen == {
        "A100-SXM4-40GB": ["2g.10gb"],
        "RTX PRO 6000 Blackwell Server Edition": ["1g.24gb"],
    }
