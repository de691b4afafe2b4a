from datetime import timedelta
from typing import Any

import pytest

from labquota.quota import limits
from labquota.quota.limits import Limit, Limits
from unit.builders import ALICE, NOW, group, override

HOUR = timedelta(hours=1)


def test_a_group_is_read_into_base_units_under_canonical_names() -> None:
    found = group(
        aggregate={"cpu": "500m", "memory": "1Gi", "gpu": 3}, perPod={"gpu": "unlimited", "pods": 0}
    )
    assert found.limits.aggregate == {
        "requests.cpu": Limit(500, "ResourceLimitGroup/student"),
        "requests.memory": Limit(1 << 30, "ResourceLimitGroup/student"),
        "gpu": Limit(3, "ResourceLimitGroup/student"),
    }
    assert {key: limit.amount for key, limit in found.limits.per_pod.items()} == {"gpu": None, "pods": 0}
    assert limits.capped(found.limits.per_pod) == {"pods": 0}
    assert found.problems == ()


def test_what_cannot_be_read_in_a_group_is_named_and_the_rest_stays_in_force() -> None:
    found = group(aggregate={"gpus": 3, "gpu": "1.5", "pods": 2}, perPod={"memory": "lots"})
    assert list(found.limits.aggregate) == ["pods"]
    paths = [problem.partition(": ")[0] for problem in found.problems]
    assert paths == ["spec.aggregate[gpus]", "spec.aggregate[gpu]", "spec.perPod[memory]"]
    assert 'quantity "1.5" is not whole: gpu comes in whole units' in found.problems[1]


def test_an_override_of_nobody_applies_to_nobody_and_says_so() -> None:
    found = override(owner="alice", aggregate={"gpu": 5})
    assert found.owner is None
    assert found.problems == (
        'spec.owner: owner "alice" is not of the form user:NAME, serviceaccount:NAMESPACE/NAME or namespace:NAME',
    )


@pytest.mark.parametrize(
    ("since", "until", "phase"),
    [
        (None, None, "Active"),
        (NOW, None, "Active"),
        (NOW + HOUR, None, "Pending"),
        (None, NOW, "Expired"),
        (None, NOW + HOUR, "Active"),
        (NOW - HOUR, NOW + HOUR, "Active"),
        (NOW + HOUR, NOW + HOUR * 2, "Pending"),
    ],
)
def test_an_override_applies_from_its_first_moment_and_no_longer_at_its_last(
    since: object, until: object, phase: str
) -> None:
    spec = {key: str(at).replace(" ", "T") for key, at in (("notBefore", since), ("expiresAt", until)) if at}
    assert override(**spec).phase(NOW) == phase


def test_overrides_are_laid_over_a_group_key_by_key_and_the_later_one_wins() -> None:
    base = group(aggregate={"gpu": 3, "pods": 3, "cpu": 8}, allowWholeGPU=False).limits
    first = override("a", aggregate={"gpu": 5, "pods": "unlimited"}, allowWholeGPU=True)
    second = override("b", aggregate={"gpu": 6}, perPod={"gpu": 1}, suspended=True)
    merged = limits.merge(base, [first, second])
    assert merged.aggregate == {
        "gpu": Limit(6, "ResourceLimitOverride/b"),
        "pods": Limit(None, "ResourceLimitOverride/a"),
        "requests.cpu": Limit(8000, "ResourceLimitGroup/student"),
    }
    assert merged.per_pod == {"gpu": Limit(1, "ResourceLimitOverride/b")}
    assert (merged.allow_whole_gpu, merged.whole_gpu_source) == (True, "ResourceLimitOverride/a")
    assert merged.suspended == "ResourceLimitOverride/b"
    assert base.aggregate["gpu"].amount == 3


def test_a_later_override_does_not_lift_a_suspension() -> None:
    merged = limits.merge(Limits(), [override("a", suspended=True), override("b")])
    assert merged.suspended == "ResourceLimitOverride/a"


@pytest.mark.parametrize(
    ("spec", "reserves"),
    [
        ({"aggregate": {"gpu": 3}}, True),
        ({"aggregate": {"gpu": 0}}, True),
        ({"aggregate": {"gpu": 3}, "enforcement": "Warn"}, True),
        ({"aggregate": {"gpu": 3}, "enforcement": "Off"}, False),
        ({"aggregate": {"gpu": "unlimited"}}, False),
        ({"perPod": {"gpu": 3}}, False),
        ({}, False),
    ],
)
def test_requests_are_reserved_where_an_aggregate_limit_is_in_force(
    spec: dict[str, Any],
    reserves: bool,  # noqa: FBT001  a column of the table
) -> None:
    assert group(**spec).limits.reserves is reserves


def test_requests_are_reserved_under_an_override_that_lifts_the_limit_for_a_time() -> None:
    base = group(aggregate={"gpu": 3}).limits
    lifted = override(aggregate={"gpu": "unlimited"})
    assert limits.merge(base, [lifted]).reserves


def test_an_override_alone_makes_an_owner_limited_but_not_under_off() -> None:
    more = override(owner=ALICE, aggregate={"gpu": 5})
    assert limits.merge(Limits(enforcement="Enforce"), [more]).reserves
    assert not limits.merge(group(aggregate={}, enforcement="Off").limits, [more]).reserves
