"""Catchers of faults in writing ledgers: nothing is overwritten, and nothing counts that was not stored."""

import random
from collections.abc import Sequence

from mutants.scenes import BOB, BOTH, Demanding, create, end, fault, hold, play, resize, woe
from simulation import faults
from simulation.history import History
from simulation.plan import Step
from simulation.profiles import Profile

RUSH = Profile(
    deeds=(12, 24),
    woes=(0, 0),
    mixture={"create": 6.0, "end": 4.0},
    seconds=3.0,
    late=0.0,
    dropped=0.0,
    owners=1,
    burst=0.9,
    limits=({"gpu": "9"},),
    create_seconds=(6.0,),
)
TROUBLED = Profile(
    deeds=(6, 14),
    woes=(3, 6),
    misfortunes={"fault": 1.0},
    mixture={"create": 1.0},
    seconds=3.0,
    late=0.0,
    dropped=0.0,
    owners=1,
    limits=({"gpu": "12"},),
    create_seconds=(6.0,),
)
RESIZES = Profile(
    deeds=(5, 12),
    woes=(0, 0),
    mixture={"create": 2.0, "resize": 6.0, "run": 2.0, "limit": 1.0},
    seconds=6.0,
    late=0.3,
    dropped=0.3,
    limits=({"requests.cpu": "9"}, {"requests.cpu": "9", "pods": "3"}),
    create_seconds=(6.0,),
)


def test_writers_that_meet_take_nothing_from_each_other() -> None:
    hold(RUSH, 60)


def test_whatever_becomes_of_a_call_only_what_is_stored_counts() -> None:
    hold(TROUBLED, 80)


def test_pods_are_resized_within_the_limits_and_by_anybody() -> None:
    hold(RESIZES, 80)


def test_several_tries_for_one_name_take_the_room_of_one() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        tries = [create(0.2 * number, "a", 3, dropped=number < 3) for number in range(4)]
        return [*tries, create(2.0 + rng.random(), "b", 1, owner=BOB)]

    play(script, 6, Demanding)


def test_several_tries_to_resize_one_pod_take_the_room_of_the_largest() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        sizes = rng.sample((2, 3, 4), 3)
        tries = [
            resize(2.0 + 0.3 * number, "a", size, dropped=size != 4) for number, size in enumerate(sizes)
        ]
        return [create(0.0, "a", cpu=1), *tries]

    play(script, 8, Demanding, limits={"requests.cpu": "4"})


def test_a_write_without_an_answer_is_taken_for_nothing() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        lost = fault(0.0, "webhook-0", rng.choice((faults.LOST, faults.LATE, faults.BROKEN)))
        return [lost, create(0.1, "a", 1, to=0), create(0.1 + rng.random(), "b", 1, to=0)]

    play(script, 12)


def test_somebody_elses_resize_is_charged_to_the_pods_owner() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        return [create(0.0, "a", cpu=1), resize(0.5 + rng.random(), "a", 3, owner=BOB)]

    play(script, 6, limits={"requests.cpu": "4"})


def test_who_is_over_one_limit_may_grow_in_another() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        less = Step(1.0, "limit", {"limits": {"requests.cpu": "9", "pods": "1"}})
        pods = [create(0.1 * number, name, cpu=1) for number, name in enumerate("abc")]
        return [*pods, less, resize(2.0 + rng.random(), "a", 3)]

    play(script, 6, Demanding, limits={"requests.cpu": "9", "pods": "5"})


def test_an_empty_ledger_is_removed_only_while_it_is_empty() -> None:
    class Impatient(History):
        """Ledgers are removed when two looks in a row have found them empty, not after a day."""

        def act(self) -> None:
            for machine in self.cluster.operators:
                assert machine.operator is not None
                machine.operator.leader._empty_seconds = 3.0  # noqa: SLF001  no administrator needs to set it
            super().act()

    def script(rng: random.Random) -> Sequence[Step]:
        # Looks are 3 s apart from the 60th second of its lead on, which begins up to 3 s before the first step.
        silent = [woe(57.5, "silence", name, resource="ownerledgers", seconds=12.0) for name in BOTH]
        return [create(0.0, "a", 1), end(1.0, "a"), *silent, create(57.6 + rng.random(), "b", 1, late=5.0)]

    play(script, 6, Impatient)
