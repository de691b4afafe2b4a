"""Catchers of faults in folding: what is not in the sums stays reserved, and what is free is folded."""

import random
from collections.abc import Sequence

from mutants.scenes import BOTH, Demanding, create, end, fault, play, resize, woe
from simulation import faults
from simulation.plan import Step


def test_a_slow_fold_takes_out_only_what_its_sums_hold() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        slow = [woe(1.0, "slow", name, seconds=4.0, factor=30.0) for name in BOTH]
        pods = [create(1.1 + 0.1 * number + rng.random() * 0.1, f"p-{number}", 1) for number in range(30)]
        ends = [end(1.5 + 0.1 * number + rng.random() * 0.1, f"p-{number}") for number in range(30)]
        return [*slow, *pods, *ends]

    play(script, 12, limits={"gpu": "12"})


def test_a_pod_that_comes_while_a_fold_is_under_way_is_in_its_sums_or_stays_reserved() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        slow = [woe(1.0, "slow", name, seconds=6.0, factor=30.0) for name in BOTH]
        pods = [create(1.05 + 0.2 * number + rng.random() * 0.2, f"p-{number}", 1) for number in range(24)]
        return [*slow, *pods]

    play(script, 14, limits={"gpu": "26"})


def test_what_ends_while_a_fold_is_written_is_folded_too() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        pods = [create(0.0, f"p-{number}", 1) for number in range(8)]
        slow = [woe(2.0, "slow", name, seconds=2.0, factor=20.0) for name in BOTH]
        return [*pods, *slow, *(end(2.1 + rng.random() * 0.5, f"p-{number}") for number in range(8))]

    play(script, 10, limits={"gpu": "8"})


def test_a_pod_that_came_and_went_between_two_folds_is_free_at_once() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        return [create(0.0, "a", 3), end(0.15, "a"), create(2.5 + rng.random(), "b", 3)]

    play(script, 8, Demanding, create_seconds=44.0)


def test_an_earlier_pod_of_a_name_settles_nothing_for_the_next() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        return [create(0.0, "a", 1), create(1.0, "a", 1, late=1.5), end(2.0 + rng.random() * 0.3, "a")]

    play(script, 6)


def test_a_pod_as_it_was_before_its_resize_settles_nothing() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        return [create(0.0, "a", cpu=1), resize(1.0, "a", 3, late=1.0 + rng.random())]

    play(script, 6, limits={"requests.cpu": "4"})


def test_a_pod_that_is_still_to_come_stays_reserved() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        return [create(0.0, "a", 1), create(0.5, "b", 2, late=1.0 + rng.random() * 4.5)]

    play(script, 6)


def test_a_new_leader_does_not_fold_what_it_has_not_seen() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        standby = f"operator-{rng.randrange(2)}"
        leader = BOTH[standby == BOTH[0]]
        return [
            create(0.0, "a", 1),
            woe(1.0, "silence", standby, resource="pods", seconds=20.0),
            create(1.1, "b", 1),
            woe(2.5 + rng.random(), "stop", leader, seconds=20.0),
            create(2.6, "c", 1),
        ]

    play(script, 16)


def test_a_deposed_leader_writes_nothing_of_a_history_that_has_ended() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        old = f"operator-{rng.randrange(2)}"
        return [
            create(0.0, "a", 1),
            woe(1.0, "freeze", old, seconds=30.0),
            fault(1.0, old, faults.LOST),
            end(14.0, "a"),
            Step(15.0, "restore", {"versions": rng.randint(1, 12)}),
            create(27.0, "b", 1),
            create(28.0, "c", 1),
        ]

    play(script, 16)


def test_a_restored_cluster_is_folded_anew() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        return [
            create(0.0, "a", 1),
            create(0.5, "b", 1),
            Step(2.0 + rng.random() * 2, "restore", {"versions": rng.randint(1, 30)}),
            create(8.0, "c", 1),
            *(end(10.0, name) for name in "abc"),
        ]

    def busy(rng: random.Random) -> Sequence[Step]:
        pods = [create(0.1 * number, f"p-{number}", 1) for number in range(10)]
        ends = [end(3.2 + 0.05 * number, f"p-{number}") for number in range(6)]
        lost = Step(4.0 + rng.random() * 2, "restore", {"versions": rng.randint(60, 200)})
        return [*pods, *ends, lost, create(9.0, "c", 1), end(11.0, "c")]

    play(script, 12)
    play(busy, 16, limits={"gpu": "12"})
