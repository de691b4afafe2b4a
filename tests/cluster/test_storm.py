"""Storms of creates from 64 clients through both replicas: no moment above a limit, and at the end exactly at it.

The witness is the API server's watch on pods. `STORM=10` makes every storm ten times as long.
"""

import random

from controlplane import ControlPlane
from harness import Installation, World, storming
from harness.storming import SCALE, all_at_once, nothing_unchecked, tally, true_ledger
from harness.watching import PodWatch

FULL_PODS = "AGGREGATE_PODS_QUOTA_EXCEEDED"
FULL_GPUS = "AGGREGATE_GPU_QUOTA_EXCEEDED"
SEED = 20


async def test_one_owner_ends_at_exactly_their_limit_of_pods(
    control_plane: ControlPlane, installation: Installation, world: World
) -> None:
    alice, spaces = world.user("alice"), [world.namespace(f"ns{number}") for number in range(3)]
    owner = world.owner(alice)
    world.group("students", subjects=[owner], aggregate={"pods": 100})
    creates = [(alice, storming.pod(f"p{number}", spaces[number % 3])) for number in range(240 * SCALE)]
    with nothing_unchecked(control_plane, installation):
        async with PodWatch(control_plane, {owner: {"pods": 100}}) as watch:
            answers = await all_at_once(creates)
            await watch.caught_up()
    assert watch.excesses == []
    assert tally(answers) == {"201": 100, FULL_PODS: 240 * SCALE - 100}
    assert watch.held(owner) == 100
    refused = [answer.message for answer in answers if answer is not None and not answer.ok]
    assert all(f"{owner} asked pods 1, used 100 of 100 pods" in line for line in refused), refused[0]
    true_ledger(world, owner, 5, pods=100)


async def test_one_owner_ends_at_exactly_their_limit_of_gpus(
    control_plane: ControlPlane, installation: Installation, world: World
) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("students", subjects=[owner], aggregate={"gpu": 100})
    # Pods of one GPU alone would fill the budget, so that whatever order they come in, nothing of it stays unused.
    sizes = [1] * 100 * SCALE + [2] * 60 * SCALE + [3] * 40 * SCALE
    random.Random(SEED).shuffle(sizes)
    creates = [(alice, storming.pod(f"p{number}", where, gpu=size)) for number, size in enumerate(sizes)]
    with nothing_unchecked(control_plane, installation):
        async with PodWatch(control_plane, {owner: {"nvidia.com/gpu": 100}}) as watch:
            answers = await all_at_once(creates)
            await watch.caught_up()
    assert watch.excesses == []
    assert set(tally(answers)) == {"201", FULL_GPUS}
    assert watch.held(owner, "nvidia.com/gpu") == 100
    true_ledger(world, owner, 5, gpu=100)


async def test_twenty_owners_each_end_at_exactly_their_own_limit(
    control_plane: ControlPlane, installation: Installation, world: World
) -> None:
    people, where = [world.user(f"u{number}") for number in range(20)], world.namespace()
    owners = [world.owner(each) for each in people]
    world.group("students", subjects=owners, aggregate={"pods": 5})
    each = 10 * SCALE
    creates = [
        (person, storming.pod(f"p{turn}-{number}", where))
        for turn in range(each)
        for number, person in enumerate(people)
    ]
    with nothing_unchecked(control_plane, installation):
        async with PodWatch(control_plane, {owner: {"pods": 5} for owner in owners}) as watch:
            answers = await all_at_once(creates)
            await watch.caught_up()
    assert watch.excesses == []
    assert tally(answers) == {"201": 100, FULL_PODS: 20 * each - 100}
    assert {owner: watch.held(owner) for owner in owners} == dict.fromkeys(owners, 5)
    for owner in owners:
        true_ledger(world, owner, 5, pods=5)
