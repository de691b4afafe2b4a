"""Whether a rolling update can come to its end, against Kubernetes' own arithmetic of surge and unavailability."""

import pytest

from labquota.quota import rollouts
from labquota.quota.rollouts import Rollout
from labquota.quota.workloads import Rolling

ONE = {"gpu": 1}


def can_end(
    replicas: int,
    left: int,
    rolling: Rolling | None = None,
    *,
    running: int | None = None,
    old: int = 1,
    new: int = 1,
) -> bool:
    running = replicas if running is None else running
    rollout = Rollout(replicas, running, {"gpu": old}, {"gpu": new}, {"gpu": left})
    return rollouts.can_end(rollout, rolling or Rolling())


@pytest.mark.parametrize("replicas", [1, 2, 3, 4, 9])
def test_by_default_a_quarter_may_be_missing_so_fewer_than_four_replicas_never_roll_at_their_limit(
    replicas: int,
) -> None:
    assert can_end(replicas, replicas) is (replicas >= 4)
    assert can_end(replicas, replicas + 1), "one pod beside them is enough"


def test_without_surge_one_may_be_missing_though_the_share_rounds_to_none() -> None:
    assert can_end(1, 1, Rolling(max_surge=0, max_unavailable="25%"))
    assert can_end(3, 3, Rolling(max_surge="0%", max_unavailable=0))


def test_surge_is_rounded_up_and_missing_ones_down() -> None:
    assert not can_end(3, 3, Rolling(max_surge="1%", max_unavailable="33%"))
    assert can_end(3, 3, Rolling(max_surge="1%", max_unavailable="34%"))


def test_a_larger_new_pod_needs_more_old_ones_to_go_than_may_be_missing() -> None:
    assert not can_end(4, 4, Rolling(max_surge=1, max_unavailable=1), new=2)
    assert can_end(4, 8, Rolling(max_surge=1, max_unavailable=1), new=2), (
        "two old ones make room for a new one"
    )
    assert can_end(4, 4, Rolling(max_surge=0, max_unavailable="100%"), new=2), (
        "no old one is left, whatever new ones fit"
    )


def test_a_smaller_new_pod_finds_room_as_old_ones_go() -> None:
    assert can_end(4, 8, Rolling(max_surge=1, max_unavailable=1), old=2)


def test_where_fewer_run_than_are_wanted_none_of_them_may_go() -> None:
    assert not can_end(8, 6, running=6)
    assert can_end(8, 7, running=7)


def test_a_million_replicas_take_no_time() -> None:
    assert can_end(2**31 - 1, 2**31, Rolling(max_surge=1, max_unavailable=0))


def test_a_share_that_cannot_be_read_is_none() -> None:
    assert not can_end(1, 1, Rolling(max_surge=1, max_unavailable="many"))
    assert not can_end(1, 1, Rolling(max_surge=1, max_unavailable="99999999999%"))
