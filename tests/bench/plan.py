"""How much is measured: the full run, at most ten minutes on two cores, and a quick one for development."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "Plan", "repeats"]


@dataclass(frozen=True)
class Plan:
    """How much of everything.

    Attributes:
        repeats: turns of A B C D for a row.
        serial: pods a case and turn, one after the other.
        storm: pods a case and turn, many at once.
        reviews: AdmissionReviews replayed a turn.
        finishing: how often a pod finishes.
        many: pods of the owner with many.
        devices: pods with GPUs whose allocations are kept.
        events: pod events for the operator's CPU.
        crowd: pods in the cluster of which the operator is measured, and
        crowd_owners: whose they are.
        row_seconds: after this a row starts no further turn, so that the whole stays bounded.
    """

    repeats: int
    serial: int
    storm: int
    reviews: int
    finishing: int
    many: int
    devices: int
    events: int
    crowd: int
    crowd_owners: int
    row_seconds: float


FULL = Plan(
    repeats=7,
    serial=60,
    storm=400,
    reviews=5000,
    finishing=20,
    many=10_000,
    devices=10_000,
    events=3000,
    crowd=100_000,
    crowd_owners=2_000,
    row_seconds=70,
)
QUICK = Plan(
    repeats=2,
    serial=20,
    storm=100,
    reviews=1000,
    finishing=5,
    many=500,
    devices=2_000,
    events=600,
    crowd=5_000,
    crowd_owners=100,
    row_seconds=8,
)


def repeats(plan: Plan) -> Iterator[int]:
    """The turns of a row: at least two, and none that starts after the row's time is over."""
    began = time.monotonic()
    for turn in range(plan.repeats):
        if turn >= 2 and time.monotonic() - began > plan.row_seconds:
            return
        yield turn
