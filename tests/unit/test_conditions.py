from datetime import timedelta

from labquota.api import Condition
from labquota.controllers import conditions
from unit.builders import NOW


def settled(known: tuple[Condition, ...], *, holds: bool, after: int, reason: str = "Why") -> Condition:
    now = NOW + timedelta(seconds=after, microseconds=5)
    return conditions.settle(known, "Ready", reason, "a line", holds=holds, now=now, generation=3)


def test_a_new_condition_turns_now_in_whole_seconds() -> None:
    first = settled((), holds=True, after=1)
    assert first == Condition(
        type="Ready",
        status="True",
        reason="Why",
        message="a line",
        last_transition_time=NOW + timedelta(seconds=1),
        observed_generation=3,
    )


def test_its_time_moves_only_when_the_status_turns() -> None:
    first = settled((), holds=True, after=1)
    other = Condition(type="Other", status="False", reason="X", message="", last_transition_time=NOW)
    again = settled((other, first), holds=True, after=9, reason="Another")
    assert (again.reason, again.last_transition_time) == ("Another", first.last_transition_time)
    assert settled((other, first), holds=False, after=9).last_transition_time == NOW + timedelta(seconds=9)
