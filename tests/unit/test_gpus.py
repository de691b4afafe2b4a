import pytest

from labquota.quota import gpus
from labquota.quota.gpus import UnknownGpu


@pytest.mark.parametrize(
    "name",
    [
        "gpu",
        "gpu.shared",
        "mig-1g.5gb",
        "mig-7g.141gb",
        "mig-1g.10gb.shared",
        "mig-1g.24gb.me",
        "mig-1g.24gb.me.all",
        "mig-1g.24gb.gfx",
        "mig-1g.24gb-me",
        "mig-1c.3g.20gb",
        "mig-1c.3g.20gb.me.shared",
        "mig-0g.0gb",
    ],
)
def test_a_gpu_a_slice_and_a_replica_count_one_each(name: str) -> None:
    assert gpus.units(f"nvidia.com/{name}") == 1
    assert gpus.unknown([f"nvidia.com/{name}"]) == []


@pytest.mark.parametrize(
    "name", ["cpu", "memory", "example.com/gpu", "nvidia.com.evil.org/gpu", "nvidia.com"]
)
def test_what_is_not_of_the_vendor_is_no_gpu(name: str) -> None:
    assert gpus.units(name) == 0


@pytest.mark.parametrize(
    "name",
    [
        "a100",
        "GPU",
        "gpu.shared.shared",
        "mig-",
        "mig-1g",
        "mig-1g.5GB",
        "mig-g.5gb",
        "mig-1g.5gb.",
        "mig-1g.5gb-",
        "mig-1g.5gb+me",
        "mig-1g.5gb.me-me",
        "mig-1g.5gb.2me",
        "mig-1g.5gb\n",
        "mig-\N{FULLWIDTH DIGIT ONE}g.5gb",
        "hostdev",
    ],
)
def test_another_name_of_the_vendor_is_unknown_and_never_nothing(name: str) -> None:
    resource = f"nvidia.com/{name}"
    with pytest.raises(UnknownGpu) as caught:
        gpus.units(resource)
    assert caught.value.resource == resource
    shown = resource.encode("unicode_escape").decode()
    assert str(caught.value).startswith(
        f'resource "{shown}" looks like a GPU but is none that labquota can count: '
    )
    assert gpus.unknown(["cpu", resource, "nvidia.com/gpu"]) == [resource]


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("nvidia.com/gpu", True),
        ("nvidia.com/gpu.shared", True),
        ("nvidia.com/mig-7g.80gb", False),
        ("cpu", False),
    ],
)
def test_only_an_uncut_gpu_is_whole(name: str, whole: bool) -> None:  # noqa: FBT001 - a column of the table
    assert gpus.whole(name) is whole
