"""Catchers of faults in expiry: a reservation without a pod ends when its pod can come no more, and not before."""

import random
from collections.abc import Sequence

from mutants.scenes import BOTH, Demanding, create, end, play, resize, woe
from simulation.plan import Step


def test_a_pod_is_waited_for_as_long_as_it_can_come() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        return [create(0.0, "a", 1, late=3.5 + rng.random() * 2.5)]

    play(script, 8)


def test_no_clock_on_a_wall_ends_a_reservation() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        forward = [woe(0.5, "clock", name, seconds=86_400.0) for name in BOTH]
        return [create(0.0, "a", 1, late=3.5 + rng.random() * 2.5), *forward]

    play(script, 8)


def test_a_pod_that_the_view_has_not_seen_yet_stays_reserved() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        held = [woe(0.4, "hold", f"apiserver-{number}", seconds=14.0) for number in range(2)]
        return [create(0.0, "a", 1, late=0.5 + rng.random()), *held]

    play(script, 8)


def test_a_second_try_to_resize_has_a_time_of_its_own() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        second = resize(5.0 + rng.random(), "a", 3, late=6.0)
        return [create(0.0, "a", cpu=1), resize(1.0, "a", 3, dropped=True), second]

    play(script, 8, limits={"requests.cpu": "4"})


def test_what_never_came_is_free_again_in_time() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        lost = create(0.0, "a", 3, dropped=True)
        others = [create(1.5 * number, f"p-{number}") for number in range(1, 20)]
        return [lost, *others, create(24.0 + rng.random(), "b", 3)]

    play(script, 4, Demanding)


def test_a_finished_pod_is_free() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        finished = [Step(1.0, "end", {"name": "a", "how": rng.choice(("Succeeded", "Failed"))})]
        return [create(0.0, "a", 3), *finished, create(3.0, "b", 3), end(5.0, "b")]

    play(script, 4, Demanding)
