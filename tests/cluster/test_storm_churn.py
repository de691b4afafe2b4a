"""Storms in which budget is freed and taken again, and in which creates fail after labquota has said yes."""

import asyncio
import time

from controlplane import ControlPlane
from harness import AsyncClient, Installation, World, storming
from harness.storming import SCALE, all_at_once, nothing_unchecked, tally, true_ledger
from harness.watching import PodWatch

FULL_PODS = "AGGREGATE_PODS_QUOTA_EXCEEDED"
TOO_MANY = "TOO_MANY_RESERVATIONS"
GIVEN_UP_SECONDS = 20
"""Well above the time after which the tests' installation gives up a reservation."""


async def test_budget_that_deletions_free_is_taken_again_and_never_exceeded(
    control_plane: ControlPlane, installation: Installation, world: World
) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("students", subjects=[owner], aggregate={"pods": 20})
    until = time.monotonic() + 6 * SCALE

    async def live_and_die(client: AsyncClient, number: int) -> int:
        """One of 32 people at one account: a pod, a moment, its end, and again; returns how many pods it got."""
        lives = 0
        while time.monotonic() < until:
            answer = await client.create_pod(storming.pod(f"p{number}-{lives}", where))
            assert answer.ok or FULL_PODS in answer.message, answer
            await asyncio.sleep(0.2)  # in the time of a refusal or a pod alike
            if answer.ok:
                assert (await client.delete_pod(where, f"p{number}-{lives}")).ok
                lives += 1
        return lives

    with nothing_unchecked(control_plane, installation):
        async with PodWatch(control_plane, {owner: {"pods": 20}}) as watch, AsyncClient(alice) as client:
            lives = await asyncio.gather(*(live_and_die(client, number) for number in range(32)))
            await watch.caught_up()
            assert watch.excesses == []
            assert [watch.peak(owner), watch.held(owner)] == [20, 0]
            assert sum(lives) > 60 * SCALE, "hardly any budget came back while the storm went on"
            true_ledger(world, owner, 5, pods=0)
            answers = await all_at_once([(alice, storming.pod(f"q{each}", where)) for each in range(40)])
            await watch.caught_up()
    assert watch.excesses == []
    assert tally(answers) == {"201": 20, FULL_PODS: 20}


async def test_creates_that_end_in_already_exists_leave_nothing_behind(
    control_plane: ControlPlane, installation: Installation, world: World
) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner, most = world.owner(alice), 50
    world.group("students", subjects=[owner], aggregate={"pods": most})
    names = [f"p{number}" for number in range(40) for _ in range(6 * SCALE)]
    with nothing_unchecked(control_plane, installation):
        async with PodWatch(control_plane, {owner: {"pods": most}}) as watch:
            answers = await all_at_once([(alice, storming.pod(name, where)) for name in names])
            await watch.caught_up()
            stored = watch.held(owner)
            counts = tally(answers)
            assert watch.excesses == []
            assert counts["201"] == stored
            assert set(counts) <= {"201", "409", FULL_PODS, TOO_MANY}, counts
            assert counts["409"] > 0, "no create ended in AlreadyExists, so nothing was tried"
            # What was allowed and never stored is charged until nobody can store it any more, and not longer.
            true_ledger(world, owner, GIVEN_UP_SECONDS, pods=int(stored))
            rest = await all_at_once([(alice, storming.pod(f"q{each}", where)) for each in range(most)])
            await watch.caught_up()
    assert watch.excesses == []
    assert tally(rest)["201"] == most - stored
    assert watch.held(owner) == most
