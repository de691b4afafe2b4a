import pytest

from labquota.quota import verdict
from labquota.quota.limits import Limit
from labquota.quota.verdict import Exceeded

GROUP = "ResourceLimitGroup/student"
THREE = {"gpu": Limit(3, GROUP)}


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("gpu", "AGGREGATE_GPU_QUOTA_EXCEEDED"),
        ("gpu-memory", "AGGREGATE_GPU_QUOTA_EXCEEDED"),
        ("nvidia.com/mig-3g.20gb", "AGGREGATE_GPU_QUOTA_EXCEEDED"),
        ("requests.cpu", "AGGREGATE_CPU_QUOTA_EXCEEDED"),
        ("limits.cpu", "AGGREGATE_CPU_QUOTA_EXCEEDED"),
        ("requests.memory", "AGGREGATE_MEMORY_QUOTA_EXCEEDED"),
        ("pods", "AGGREGATE_PODS_QUOTA_EXCEEDED"),
        ("requests.ephemeral-storage", "AGGREGATE_RESOURCE_QUOTA_EXCEEDED"),
        ("requests.hugepages-2Mi", "AGGREGATE_RESOURCE_QUOTA_EXCEEDED"),
        ("example.com/fpga", "AGGREGATE_RESOURCE_QUOTA_EXCEEDED"),
    ],
)
def test_the_code_of_an_exceeded_limit_is_that_of_its_resource(key: str, code: str) -> None:
    (found,) = verdict.over_aggregate({key: Limit(1, GROUP)}, {key: 1}, {key: 1}, {key: 1}, {})
    assert found == Exceeded(code, key, 1, 1, 1, GROUP)


@pytest.mark.parametrize(("used", "over"), [(0, False), (2, False), (3, True), (7, True)])
def test_exactly_the_limit_still_fits(used: int, over: bool) -> None:  # noqa: FBT001  a column of the table
    found = verdict.over_aggregate(THREE, {"gpu": 1}, {"gpu": used}, {"gpu": 1}, {})
    assert bool(found) is over


def test_only_what_the_request_increases_is_compared() -> None:
    above = {"gpu": 9, "pods": 1}
    assert verdict.over_aggregate(THREE, {"pods": 1}, above, {"pods": 1}, {}) == []
    assert verdict.over_aggregate({"gpu": Limit(None, GROUP)}, {"gpu": 5}, above, {"gpu": 5}, {}) == []
    assert verdict.over_per_pod(THREE, {"pods": 1}, {"gpu": 9, "pods": 1}) == []


def test_a_request_beside_a_larger_one_of_its_name_adds_nothing() -> None:
    assert verdict.over_aggregate(THREE, {"gpu": 3}, {"gpu": 3}, {}, {"gpu": 3}) == []


def test_one_pod_is_compared_as_a_whole() -> None:
    assert verdict.over_per_pod(THREE, {"gpu": 1}, {"gpu": 3}) == []
    assert verdict.over_per_pod(THREE, {"gpu": 1}, {"gpu": 4}) == [
        Exceeded("USER_AT_LIMIT", "gpu", 4, 0, 3, GROUP)
    ]
    assert verdict.over_per_pod({"gpu": Limit(0, GROUP)}, {"gpu": 1}, {"gpu": 1})
    assert not verdict.over_per_pod({"gpu": Limit(None, GROUP)}, {"gpu": 1}, {"gpu": 1})


def test_what_still_fits_is_never_below_nothing() -> None:
    assert Exceeded("", "gpu", 2, 1, 3, GROUP).fits == 2
    assert Exceeded("", "gpu", 2, 5, 3, GROUP).fits == 0


def test_a_request_waits_for_others_in_flight_when_it_would_fit_without_them() -> None:
    assert Exceeded("", "gpu", 1, 3, 3, GROUP, in_flight=1).waits
    assert not Exceeded("", "gpu", 2, 3, 3, GROUP, in_flight=1).waits
    assert not Exceeded("", "gpu", 1, 3, 3, GROUP).waits


@pytest.mark.parametrize(
    ("limit", "total", "near"),
    [(100, 79, False), (100, 80, True), (3, 2, False), (3, 3, True), (0, 0, False)],
)
def test_a_limit_is_nearly_reached_from_80_per_cent_on(limit: int, total: int, near: bool) -> None:  # noqa: FBT001  a column of the table
    found = verdict.nearly_over({"gpu": Limit(limit, GROUP)}, {"gpu": 1}, {"gpu": total})
    assert found == ([Exceeded("", "gpu", 1, total, limit, GROUP)] if near else [])


def test_what_is_not_limited_is_never_nearly_reached() -> None:
    assert (
        verdict.nearly_over({"gpu": Limit(None, GROUP)}, {"gpu": 1, "pods": 1}, {"gpu": 9, "pods": 9}) == []
    )
