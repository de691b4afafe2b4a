import pytest

from labquota.quota import demand, gpus
from unit.builders import pod

GPUS = [
    "gpu",
    "gpu.shared",
    "mig-1g.5gb",
    "mig-1g.10gb.shared",
    "mig-1g.24gb.me.all",
    "mig-1g.24gb-me",
    "a100",
    "hostdev",
]


@pytest.mark.parametrize("name", GPUS)
def test_a_gpu_a_slice_a_replica_and_an_unknown_name_of_the_vendor_count_one_each(name: str) -> None:
    assert gpus.is_gpu_like(f"nvidia.com/{name}")
    assert demand.asked(pod("a", **{f"nvidia.com/{name}": 2}))["gpu"] == 2


@pytest.mark.parametrize("name", ["cpu", "example.com/gpu", "nvidia.com.evil.org/gpu", "nvidia.com"])
def test_what_is_not_of_the_vendor_is_no_gpu(name: str) -> None:
    assert not gpus.is_gpu_like(name)
