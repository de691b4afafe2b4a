"""Random histories: each profile's mixture of requests and misfortunes; and that a seed is one history."""

import pytest

from simulation import profiles, search
from simulation.history import History
from simulation.plan import Plan, Step
from simulation.search import Failure, quiet
from simulation.table import Table

ALICE = "user:alice"
GPU = "nvidia.com/gpu"


@pytest.mark.parametrize("profile", profiles.PROFILES)
def test_in_no_random_history_is_an_invariant_broken(profile: str) -> None:
    failure = search.search(100, profile, processes=search.cores())
    assert failure is None, failure.shrunk().text()


@pytest.mark.parametrize("seed", range(5))
def test_one_seed_is_one_history(seed: int) -> None:
    plan = profiles.plan(profiles.PROFILES["mixed"], seed)
    tables = [Table(), Table()]
    with quiet():
        for table in tables:
            History(plan, table).run()
    assert tables[0].rows == tables[1].rows
    assert len(tables[0].rows) > 20


def overdue() -> Plan:
    """One pod is stored ten seconds later than is assumed of every API server; the rest is beside the point."""
    steps = (
        Step(0.1, "create", {"name": "a", "owner": ALICE, "asks": {GPU: "1"}, "twice": True}),
        Step(0.2, "freeze", {"machine": "webhook-1", "seconds": 2.0}),
        Step(0.3, "create", {"name": "b", "owner": "user:bob", "asks": {GPU: "2"}}),
        Step(0.4, "create", {"name": "c", "owner": ALICE, "asks": {GPU: "2"}, "late": 20.0, "to": 0}),
        Step(0.5, "end", {"name": "a", "how": "delete"}),
        Step(0.6, "crash", {"machine": "operator-1", "seconds": 1.0}),
    )
    return Plan(1, steps, {"gpu": "3"}, create_seconds=6.0, overdue=10.0)


def test_a_pod_that_is_stored_later_than_is_assumed_is_found_uncovered() -> None:
    with quiet():
        found = History(overdue()).run()
    assert found.startswith(
        "I6: the ledger of user:alice holds 0 gpu after a write of pods lab/c by apiserver-"
    )


def test_a_history_that_fails_shrinks_to_the_one_step_that_it_takes_and_is_told_in_a_table() -> None:
    with quiet():
        found = History(overdue()).run()
    failure = Failure("mixed", 1, found, overdue()).shrunk(30)
    assert [(step.what, step.args.get("name")) for step in failure.plan.steps] == [("create", "c")]
    assert (failure.plan.webhooks, failure.plan.operators) == (1, 1)

    lines = failure.text().splitlines()
    assert lines[0] == lines[-1] == failure.found
    assert "make simulate PROFILE=mixed SEED=1 HISTORIES=1" in lines[1]
    told = [line for line in lines if "  apiserver-" in line]
    assert "create c" in told[0]
    assert "webhook-0: allowed" in told[0]
    assert "ADDED pods lab/c" in told[-1]
    assert told[-1].endswith("alice: gpu 0/2 pods 0/1")
