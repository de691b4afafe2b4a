"""Catchers of faults in advances: the ledger covers what was given at every moment, and nobody goes without it.

Many of the pods here are stored late: until then no view shows them, and nothing but the ledger covers them.
"""

import random
from collections.abc import Sequence
from typing import Any, Final

from labquota.quota.advances import LAPSED_SECONDS
from labquota.webhook.worker import IDLE_SECONDS, WRITE_SECONDS
from mutants.scenes import CREATE_SECONDS, Demanding, create, fault, hold, play, woe
from simulation import ending, faults
from simulation.history import History
from simulation.plan import Step
from simulation.profiles import Profile

PLENTY: Final = {"gpu": "60"}
STREAMS: Final = Profile(
    deeds=(30, 60),
    woes=(0, 3),
    mixture={"create": 8.0, "end": 1.0, "limit": 0.2},
    misfortunes={"fault": 4.0, "crash": 1.0, "slow": 1.0},
    seconds=3.0,
    late=0.05,
    dropped=0.0,
    owners=1,
    burst=0.85,
    limits=({"gpu": "60"}, {"gpu": "200"}),
    create_seconds=(CREATE_SECONDS,),
)


def stream(at: float, count: int, apart: float, rng: random.Random, tag: str = "p", **how: Any) -> list[Step]:
    """Pods of one GPU, one after the other, so many seconds apart."""
    return [
        create(at + apart * (number + rng.random() / 2), f"{tag}-{number}", 1, **how)
        for number in range(count)
    ]


def unanswered(at: float, calls: int) -> list[Step]:
    """So many calls of the first replica come to nothing; it hears that after seconds."""
    return [fault(at, "webhook-0", faults.LOST, "any") for _ in range(calls)]


def signs_of_life(at: float, name: str) -> list[Step]:
    """A pod's status is written every half second, for five: the operator's view stays of the present."""
    return [Step(at + number / 2, "run", {"name": name}) for number in range(10)]


def test_streams_of_pods_are_covered_whatever_breaks() -> None:
    hold(STREAMS, 30)


def test_a_stream_is_covered_while_the_operator_folds() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        silent = woe(0.3, "silence", "webhook-0", resource="ownerledgers", seconds=6.0)
        return [*stream(0.0, 12, 0.02, rng, "a", to=0), silent, *stream(0.4, 30, 0.1, rng, "b", to=0)]

    play(script, 8, limits={"gpu": "200"})


def test_what_was_given_is_covered_until_it_is_stored() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        return stream(0.0, 20, 0.05, rng, to=0, late=CREATE_SECONDS)

    play(script, 8, limits={"gpu": "200"})


def test_what_is_given_while_a_swap_is_under_way_is_covered() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        slow = woe(0.3, "slow", "webhook-0", seconds=2.0, factor=60.0)
        more = stream(0.3, 30, 0.01, rng, "b", to=0, late=CREATE_SECONDS)
        return [*stream(0.0, 8, 0.03, rng, "a", to=0), slow, *more]

    play(script, 8, limits={"gpu": "600"})


def test_a_new_line_covers_what_was_given_while_it_was_written() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        slow = woe(0.6, "slow", "webhook-0", seconds=0.3, factor=60.0)
        again = create(
            0.61, "a-0", 1, to=0
        )  # no line is for a name that is there: it is written down at once
        meanwhile = stream(0.62, 4, 0.02, rng, "b", to=0, late=4.5)
        # All of the new line is given, and the replica ends before it has written any of that down.
        then = [*unanswered(0.95, 3), *stream(1.0, 28, 0.01, rng, "c", to=0, late=4.0)]
        ends = woe(2.5, "crash", "webhook-0", seconds=30.0)
        return [*stream(0.0, 5, 0.04, rng, "a", to=0), slow, again, *meanwhile, *then, ends]

    play(script, 12, limits={"gpu": "600"})


def test_nothing_is_given_while_a_line_is_taken_out() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        slow = woe(0.3, "slow", "webhook-0", seconds=1.5, factor=100.0)
        large = create(0.31, "large", 34, to=0)  # leaves too little for another line
        return [*stream(0.0, 8, 0.03, rng, "a", to=0), slow, large, *stream(0.32, 6, 0.06, rng, "b", to=0)]

    play(script, 24, limits=PLENTY)


def test_what_was_given_outlives_a_swap_that_failed() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        failed = fault(0.3, "webhook-0", rng.choice((faults.BROKEN, faults.BUSY)))
        more = stream(0.32, 5, 0.03, rng, "b", to=0, late=CREATE_SECONDS)
        return [*stream(0.0, 8, 0.03, rng, "a", to=0), failed, *more]

    play(script, 8, limits=PLENTY)


def test_two_replicas_give_out_of_lines_of_their_own() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        return [*stream(0.0, 12, 0.05, rng, "p", to=0), *stream(0.0, 12, 0.05, rng, "q", to=1)]

    play(script, 8, limits=PLENTY)


def test_a_replica_that_wakes_up_gives_nothing_out_of_what_it_had() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        wakes = LAPSED_SECONDS + CREATE_SECONDS + 3.0
        frozen = woe(0.5, "freeze", "webhook-0", seconds=wakes - 0.5)
        asleep = create(wakes - 1.0 + 0.5 * rng.random(), "asleep", 1, to=0)
        return [*stream(0.0, 6, 0.05, rng, to=0), frozen, *signs_of_life(wakes - 4.0, "p-0"), asleep]

    play(script, 8, limits=PLENTY, webhooks=1)


def test_a_pod_that_was_given_last_is_covered_until_it_is_stored() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        before = [*stream(0.0, 8, 0.03, rng, "a", to=0), *stream(0.3, 10, 0.17, rng, "b", to=0)]
        # Its next write comes to nothing for four seconds, while it gives out of the line that it has.
        since = [*unanswered(2.0, 3), *stream(2.1, 7, 0.45, rng, "c", to=0)]
        last = create(5.5 + 0.4 * rng.random(), "last", 1, late=CREATE_SECONDS, to=0)
        return [
            *before,
            *since,
            last,
            woe(5.95, "crash", "webhook-0", seconds=30.0),
            *signs_of_life(7.0, "a-0"),
        ]

    play(script, 8, limits={"gpu": "200"}, webhooks=1)


def test_a_lowered_limit_holds_for_advances_too() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        less = Step(0.4, "limit", {"limits": {"gpu": "2"}})
        return [*stream(0.0, 6, 0.05, rng, to=0), less, *stream(0.6, 6, 0.05, rng, "q", to=0)]

    play(script, 8, limits=PLENTY)


def test_an_advance_leaves_the_limit_alone() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        return stream(0.0, 14, 0.05, rng, to=0)

    play(script, 8, limits={"gpu": "8"})


def test_a_dry_run_takes_nothing_of_an_advance() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        dry = stream(0.4, 10, 0.03, rng, "dry", to=0, dry_run=True)
        return [
            *stream(0.0, 8, 0.05, rng, to=0),
            *dry,
            create(WRITE_SECONDS + IDLE_SECONDS + 1.0, "last", 46),
        ]

    play(script, 8, Demanding, limits=PLENTY, create_seconds=44.0)


def test_an_idle_advance_is_given_back() -> None:
    class Prompt(History):
        """A while after the last pod every ledger is true."""

        def finish(self) -> None:
            self.wait(WRITE_SECONDS + IDLE_SECONDS + 2.0)
            if not self.found and (difference := ending.wrong(self)):
                self.found = f"I2: a while after the last pod {difference}"
            super().finish()

    def script(rng: random.Random) -> Sequence[Step]:
        return stream(0.0, 2, 0.05, rng, to=0)

    play(script, 8, Prompt, limits=PLENTY)


def test_what_others_hold_in_advance_can_be_had() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        rest = create(0.3 + 0.5 * rng.random(), "rest", 56, to=1)
        return [*stream(0.0, 2, 0.05, rng, to=0), rest]

    play(script, 8, Demanding, limits=PLENTY)
