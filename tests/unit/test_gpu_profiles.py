"""Names of MIG profiles: each line of the tables of names."""

import pytest

from labquota.quota import profiles
from labquota.quota.profiles import Profile, of_product, of_resource, parse


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ("1g.5gb", Profile(1, 5, 1)),
        ("7g.141gb", Profile(7, 141, 7)),
        ("1c.3g.20gb", Profile(3, 20, 1)),
        ("2c.4g.20gb+me", Profile(4, 20, 2, ("+me",))),
        ("1g.24gb+me", Profile(1, 24, 1, ("+me",))),
        ("1g.24gb+me.all", Profile(1, 24, 1, ("+me.all",))),
        ("1g.24gb+gfx", Profile(1, 24, 1, ("+gfx",))),
        ("1g.24gb-me", Profile(1, 24, 1, ("-me",))),
        ("1g.5gb+me,you,them", Profile(1, 5, 1, ("+me", "+them", "+you"))),
        ("0g.0gb", Profile(0, 0, 0)),
    ],
)
def test_a_well_formed_name_is_read_whether_or_not_any_gpu_offers_it(text: str, profile: Profile) -> None:
    assert parse(text) == profile
    assert parse(str(profile)) == profile


def test_the_compute_slices_are_left_out_where_they_are_all_of_them() -> None:
    assert parse("1c.1g.5gb") == parse("1g.5gb")
    assert str(parse("1c.1g.5gb")) == "1g.5gb"
    assert str(parse("1c.3g.20gb")) == "1c.3g.20gb"


@pytest.mark.parametrize(
    "text",
    [
        "1g",
        "g.5gb",
        "1g.5GB",
        "1g.5gb ",
        " 1g.5gb",
        "1g.5gb+",
        "1g.5gb+me-me",
        "1g.5gb-me+gfx",
        "1g.5gb+me,me",
        "1g.5gb+2me",
        "1g.5gb+me.",
        "1g.5gb+.me",
        "1g.5gb+m_e",
        "1g.5gb\n",
        "\N{FULLWIDTH DIGIT ONE}g.5gb",
    ],
)
def test_plus_and_minus_never_mix_and_attributes_are_unique_and_begin_with_a_letter(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("resource", "profile"),
    [
        ("nvidia.com/mig-1g.24gb.me.all", "1g.24gb+me.all"),
        ("nvidia.com/mig-1g.24gb.me", "1g.24gb+me"),
        ("nvidia.com/mig-1g.24gb-me", "1g.24gb-me"),
        ("nvidia.com/mig-1g.24gb.gfx.shared", "1g.24gb+gfx"),
        ("nvidia.com/mig-1c.3g.20gb", "1c.3g.20gb"),
        ("nvidia.com/mig-1g.5gb.shared", "1g.5gb"),
    ],
)
def test_device_plugins_write_a_dot_for_a_plus_and_replicas_end_in_shared(
    resource: str, profile: str
) -> None:
    assert of_resource(resource) == parse(profile)


@pytest.mark.parametrize(
    "resource", ["nvidia.com/gpu", "nvidia.com/a100", "nvidia.com/mig-", "cpu", "mig-1g.5gb"]
)
def test_another_resource_has_no_profile(resource: str) -> None:
    assert of_resource(resource) is None


def test_a_whole_gpu_is_called_gpu_and_its_replicas_may_be_shared() -> None:
    assert profiles.is_whole("nvidia.com/gpu")
    assert profiles.is_whole("nvidia.com/gpu.shared")
    assert not profiles.is_whole("nvidia.com/gpu.shared.shared")
    assert not profiles.is_whole("nvidia.com/mig-7g.40gb")
    assert not profiles.is_whole("gpu")


@pytest.mark.parametrize(
    ("label", "found"),
    [
        ("NVIDIA-A100-SXM4-40GB", ("NVIDIA-A100-SXM4-40GB", None)),
        ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", ("NVIDIA-A100-SXM4-40GB", "1g.5gb")),
        ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb-SHARED", ("NVIDIA-A100-SXM4-40GB", "1g.5gb")),
        ("NVIDIA-RTX-PRO-6000-MIG-1g.24gb.me.all", ("NVIDIA-RTX-PRO-6000", "1g.24gb+me.all")),
        ("Tesla-T4-SHARED", ("Tesla-T4", None)),
        ("NVIDIA-A30-MIG-INVALID", ("NVIDIA-A30", None)),
    ],
)
def test_under_the_single_strategy_only_the_label_tells_the_slice(
    label: str, found: tuple[str, str | None]
) -> None:
    product, profile = of_product(label)
    assert (product, profile and str(profile)) == found
