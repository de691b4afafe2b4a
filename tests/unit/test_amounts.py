from labquota.quota import amounts
from labquota.quota.quantities import MAX


def test_adding_saturates_and_leaves_its_arguments_alone() -> None:
    one, other = {"gpu": 1, "requests.memory": MAX}, {"requests.memory": 1, "pods": 2}
    assert amounts.add(one, other) == {"gpu": 1, "requests.memory": MAX, "pods": 2}
    assert one == {"gpu": 1, "requests.memory": MAX}
    assert other == {"requests.memory": 1, "pods": 2}


def test_a_rise_names_only_what_grows() -> None:
    assert amounts.rise({"gpu": 1, "pods": 2}, {"gpu": 3, "pods": 2, "requests.cpu": 5}) == {
        "gpu": 2,
        "requests.cpu": 5,
    }
    assert amounts.rise({"gpu": 3}, {"gpu": 1}) == {}


def test_the_largest_is_taken_resource_by_resource() -> None:
    assert amounts.largest({"gpu": 1, "pods": 2}, {"gpu": 3}, {"gpu": 2}) == {"gpu": 3, "pods": 2}


def test_a_zero_that_was_written_out_is_not_lost() -> None:
    assert amounts.largest({}, {"requests.cpu": 0}) == {"requests.cpu": 0}
