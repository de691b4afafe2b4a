"""The seed table: each GPU of it, each shape, and the names that mean different things on different GPUs."""

import pytest

from labquota.quota import models, prices
from labquota.quota.gpusettings import DEFAULT
from labquota.quota.points import Price
from labquota.quota.profiles import Profile, parse

SEVEN = ("8/7x7", "8/14x4", "16/14x3", "24/28x2", "32/28x1", "56/56x1")
FOUR = ("14/14x4", "28/28x2", "56/56x1")
TABLE = """
A30          24  20B7                1g.6gb  2g.12gb 4g.24gb
A100-40      40  20B0,20B1,20F1,20F6 1g.5gb  1g.10gb 2g.10gb 3g.20gb  4g.20gb  7g.40gb
A100-80      80  20B2,20B5,20F3,20F5 1g.10gb 1g.20gb 2g.20gb 3g.40gb  4g.40gb  7g.80gb
H100-80      80  2330,2331,2322,2324 1g.10gb 1g.20gb 2g.20gb 3g.40gb  4g.40gb  7g.80gb
H100-NVL     94  2321,233A           1g.12gb 1g.24gb 2g.24gb 3g.47gb  4g.47gb  7g.94gb
H100-96      96  2342,2329,20B6,233D 1g.12gb 1g.24gb 2g.24gb 3g.48gb  4g.48gb  7g.96gb
GH200-144    144 2348                1g.18gb 1g.36gb 2g.36gb 3g.72gb  4g.72gb  7g.144gb
H200-141     141 2335,233B           1g.18gb 1g.35gb 2g.35gb 3g.71gb  4g.71gb  7g.141gb
B200-180     180 2901                1g.23gb 1g.45gb 2g.45gb 3g.90gb  4g.90gb  7g.180gb
GB200-186    186 2941                1g.23gb 1g.47gb 2g.47gb 3g.93gb  4g.93gb  7g.186gb
B300-269     269 3182                1g.34gb 1g.67gb 2g.67gb 3g.135gb 4g.135gb 7g.269gb
GB300-278    278 31C2                1g.35gb 1g.70gb 2g.70gb 3g.139gb 4g.139gb 7g.278gb
RTX-PRO-6000 96  2BB5                1g.24gb 2g.48gb 4g.96gb
RTX-PRO-5000 48  -                   1g.12gb 2g.24gb 4g.48gb
"""
ROWS = [row.split() for row in TABLE.strip().splitlines()]
BY_NAME = {model.name: model for model in models.MODELS}


def of(name: str, profile: str) -> Price | None:
    found = parse(profile)
    assert found is not None
    return prices.of_slice(DEFAULT, name, (BY_NAME[name],), found)


def points(price: Price | None) -> tuple[int, int] | None:
    return None if price is None else (price.compute, price.memory)


def test_the_table_has_these_models_and_no_others() -> None:
    assert [row[0] for row in ROWS] == [model.name for model in models.MODELS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_model_has_its_memory_its_pci_ids_and_its_profiles_at_their_points(row: list[str]) -> None:
    name, gigabytes, ids, *profiles = row
    model = BY_NAME[name]
    assert model.gigabytes == int(gigabytes)
    for each in ids.split(",") if ids != "-" else ():
        assert models.by_id(each) is model
        assert models.by_id(f"0x{each}10DE") is model, "as NVML has it, with the vendor behind"
    assert [str(profile) for profile, _ in model.profiles] == profiles
    weights = [f"{shape.compute}/{shape.memory}x{shape.most}" for _, shape in model.profiles]
    assert tuple(weights) == (SEVEN if len(profiles) == 6 else FOUR)
    for profile, shape in model.profiles:
        assert points(of(name, str(profile))) == (shape.compute, shape.memory)
        assert shape.most * shape.compute <= 56
        assert shape.most * shape.memory <= 56


@pytest.mark.parametrize(
    ("profile", "one", "other"),
    [
        ("1g.10gb", ("A100-40", (8, 14)), ("A100-80", (8, 7))),
        ("1g.35gb", ("H200-141", (8, 14)), ("GB300-278", (8, 7))),
        ("4g.48gb", ("H100-96", (32, 28)), ("RTX-PRO-5000", (56, 56))),
        ("1g.24gb", ("H100-NVL", (8, 14)), ("RTX-PRO-6000", (14, 14))),
    ],
)
def test_one_name_costs_what_it_is_on_each_model(
    profile: str, one: tuple[str, tuple[int, int]], other: tuple[str, tuple[int, int]]
) -> None:
    for name, expected in (one, other):
        assert points(of(name, profile)) == expected


@pytest.mark.parametrize(
    ("name", "drivers", "table"),
    [
        ("A100-80", "3g.39gb", "3g.40gb"),
        ("A100-80", "7g.79gb", "7g.80gb"),
        ("A100-40", "3g.21gb", "3g.20gb"),
        ("GB200-186", "1g.24gb", "1g.23gb"),
        ("GB200-186", "1g.48gb", "1g.47gb"),
    ],
)
def test_a_driver_that_counts_gigabytes_otherwise_names_the_same_slice(
    name: str, drivers: str, table: str
) -> None:
    assert points(of(name, drivers)) == points(of(name, table))
    found = parse(drivers)
    assert found is not None
    assert BY_NAME[name].resembles(found)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [("1c.3g.20gb", (8, 28)), ("2c.3g.20gb", (16, 28)), ("1c.7g.40gb", (8, 56)), ("1c.2g.10gb", (8, 14))],
)
def test_a_smaller_compute_instance_costs_its_slices_and_the_memory_of_the_whole_instance(
    profile: str, expected: tuple[int, int]
) -> None:
    assert points(of("A100-40", profile)) == expected


@pytest.mark.parametrize("profile", ["1g.5gb+me", "1g.5gb"])
def test_media_engines_cost_nothing(profile: str) -> None:
    assert points(of("A100-40", profile)) == (8, 7)


@pytest.mark.parametrize(
    ("name", "profiles"),
    [
        ("A30", "1g.6gb+me 2g.12gb+me"),
        ("A100-40", "1g.5gb+me"),
        (
            "RTX-PRO-6000",
            "1g.24gb+me 1g.24gb+me.all 1g.24gb+gfx 1g.24gb-me 2g.48gb+gfx 2g.48gb+me.all 2g.48gb-me 4g.96gb+gfx",
        ),
        ("RTX-PRO-5000", "2g.24gb-me"),
    ],
)
def test_a_model_offers_the_attributes_that_it_has(name: str, profiles: str) -> None:
    for each in profiles.split():
        profile = parse(each)
        assert profile is not None
        assert BY_NAME[name].offers(profile), each


@pytest.mark.parametrize(
    "text", ["0g.0gb", "1g.5gb+me,you,them", "9g.99gb", "5g.40gb", "4c.3g.20gb", "1g.5gb.shared"]
)
def test_a_well_formed_name_that_no_gpu_offers_has_no_price(text: str) -> None:
    profile = parse(text)
    assert profile is not None
    assert prices.of_table(DEFAULT, profile) is None


@pytest.mark.parametrize(
    ("product", "mebibytes", "name"),
    [
        ("NVIDIA A100-SXM4-40GB", 40960, "A100-40"),
        ("NVIDIA-A100-SXM4-40GB", 0, "A100-40"),
        ("A100-PCIE-40GB", 40536, "A100-40"),
        ("NVIDIA-A100-SXM4-80GB", 81920, "A100-80"),
        ("NVIDIA A800-SXM4-80GB", 81251, "A100-80"),
        ("NVIDIA A30", 24576, "A30"),
        ("NVIDIA-H100-80GB-HBM3", 81559, "H100-80"),
        ("NVIDIA-H800", 81559, "H100-80"),
        ("NVIDIA H100 NVL", 95830, "H100-NVL"),
        ("NVIDIA H20", 97871, "H100-96"),
        ("NVIDIA-GH200-480GB", 97871, "H100-96"),
        ("NVIDIA-GH200-144G-HBM3e", 0, "GH200-144"),
        ("NVIDIA H200", 143771, "H200-141"),
        ("NVIDIA-H200-NVL", 0, "H200-141"),
        ("NVIDIA B200", 183359, "B200-180"),
        ("NVIDIA-GB200", 189471, "GB200-186"),
        ("NVIDIA B300 SXM6 AC", 275040, "B300-269"),
        ("NVIDIA GB300", 284208, "GB300-278"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887, "RTX-PRO-6000"),
        ("Tesla-T4", 15360, ""),
        ("NVIDIA-A100-PCIE", 0, "A100-40, A100-80"),
        ("NVIDIA H20-3e", 143771, ""),
    ],
)
def test_a_model_is_found_by_its_name_and_its_memory(product: str, mebibytes: int, name: str) -> None:
    assert models.names(models.by_product(product, mebibytes)) == name


@pytest.mark.parametrize(
    ("name", "profile", "mebibytes"),
    [
        ("A100-40", "1g.5gb", 4864),
        ("A100-40", "1g.10gb", 9856),
        ("A100-40", "2g.10gb", 9856),
        ("A100-40", "3g.20gb", 19968),
        ("A100-40", "7g.40gb", 40192),
        ("A100-80", "1g.10gb", 9856),
        ("A100-80", "1g.20gb", 19968),
        ("A100-80", "3g.40gb", 40192),
        ("A100-80", "7g.80gb", 80384),
        ("A30", "1g.6gb", 5836),
        ("A30", "2g.12gb", 11672),
        ("A30", "4g.24gb", 23344),
        ("H200-141", "1g.18gb", 18 * 1024),
    ],
)
def test_memory_is_what_drivers_report_else_what_the_name_says(
    name: str, profile: str, mebibytes: int
) -> None:
    price = of(name, profile)
    assert price is not None
    assert price.bytes == mebibytes * 2**20


@pytest.mark.parametrize(
    ("profile", "share", "slots", "expected"),
    [
        ("1g.8gb", 0.0, 1, (14, 14)),
        ("1g.8gb", 0.12, 0, (8, 7)),
        ("1g.16gb", 0.25, 2, (8, 14)),
        ("1g.16gb", 0.25, 0, (14, 14)),
        ("3g.32gb", 0.5, 4, (24, 28)),
        ("4g.32gb", 0.5, 4, (32, 28)),
        ("4g.32gb", 1.0, 4, (56, 56)),
        ("1c.3g.32gb", 0.5, 4, (8, 28)),
    ],
)
def test_a_slice_of_a_model_that_nobody_knows_is_priced_by_its_size(
    profile: str, share: float, slots: int, expected: tuple[int, int]
) -> None:
    found = parse(profile)
    assert found is not None
    assert points(prices.of_stranger(DEFAULT, "NVIDIA Z900", found, share, slots)) == expected


def test_profiles_are_no_ids_so_equal_names_are_equal_profiles() -> None:
    assert parse("2g.10gb") == Profile(2, 10, 2)
