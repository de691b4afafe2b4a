"""Small scopes, every schedule: two replicas, two operators, three pods of which two fit, and one crash."""

import pytest

from simulation import exploring, search
from simulation.exploring import Scope
from simulation.plan import Plan, Step

ALICE = "user:alice"
GPU, CPU = "nvidia.com/gpu", "cpu"


def create(name: str, to: int, **how: object) -> Step:
    return Step(0.0, "create", {"name": name, "owner": ALICE, "asks": {GPU: "1"}, "to": to, **how})


THREE_PODS = (create("a", 0), create("b", 1), create("c", 0))
ONE_NAME = (create("a", 0), create("a", 1), create("b", 1))


def plan(*steps: Step) -> Plan:
    return Plan(1, steps, {"gpu": "2"}, create_seconds=3.0)


@pytest.mark.parametrize(
    ("steps", "scope"),
    [
        (THREE_PODS, Scope(departures=1, crashes=1)),
        (THREE_PODS, Scope(departures=2, crashes=0)),
        (ONE_NAME, Scope(departures=1, crashes=0)),
    ],
    ids=["one message late and one crash", "two messages late", "one name, one message late"],
)
def test_in_no_schedule_of_three_pods_is_an_invariant_broken(steps: tuple[Step, ...], scope: Scope) -> None:
    explored = exploring.explore(plan(*steps), scope, processes=search.cores())
    assert not explored.found, exploring.replay(plan(*steps), explored.choices)
    assert explored.schedules > 30
    assert explored.alike > explored.schedules / 2, "what commutes is to be run once"


def test_a_schedule_is_run_again_by_its_choices() -> None:
    choices = ("review a 1", "review b 1", "0.5 s pass")
    table = exploring.replay(plan(*THREE_PODS), choices)
    chosen = [line.split("CHOICE")[1].strip() for line in table.splitlines() if "CHOICE" in line]
    assert tuple(chosen[:3]) == choices
    assert table == exploring.replay(plan(*THREE_PODS), choices)
