import asyncio
from collections.abc import Awaitable, Callable

from labquota.controllers.pacing import Rank
from labquota.controllers.schedule import STUCK_SECONDS, Schedule
from labquota.quota.owners import Owner
from unit.builders import ALICE, BOB
from unit.simulated import Clock, run

EVE = Owner("user:eve")


def scheduled(scenario: Callable[[Schedule], Awaitable[None]]) -> None:
    async def play() -> None:
        await scenario(Schedule(Clock()))

    run(play())


def test_whoever_frees_something_goes_first_whatever_came_before() -> None:
    async def scenario(schedule: Schedule) -> None:
        schedule.plan(ALICE, Rank.FOLD, 0)
        schedule.plan(BOB, Rank.LARGE, 0)
        schedule.plan(EVE, Rank.FREEING, 0)
        assert [(await schedule.take()).owner for _ in range(3)] == [EVE, BOB, ALICE]

    scheduled(scenario)


def test_an_owner_is_nobody_elses_until_the_turn_is_over() -> None:
    async def scenario(schedule: Schedule) -> None:
        schedule.plan(ALICE, Rank.FOLD, 0)
        await schedule.take()
        schedule.plan(ALICE, Rank.FREEING, 0)
        waiting = asyncio.create_task(schedule.take())
        await asyncio.sleep(1)
        assert not waiting.done()
        schedule.done(ALICE, well=True)
        assert (await waiting).owner == ALICE

    scheduled(scenario)


def test_a_turn_comes_when_it_is_due_and_sooner_if_it_becomes_urgent() -> None:
    async def scenario(schedule: Schedule) -> None:
        schedule.plan(ALICE, Rank.FOLD, 10)
        waiting = asyncio.create_task(schedule.take())
        await asyncio.sleep(5)
        assert not waiting.done()
        schedule.plan(ALICE, Rank.FREEING, 0.03)
        await asyncio.sleep(0.1)
        assert waiting.done()
        assert waiting.result().rank is Rank.FREEING

    scheduled(scenario)


def test_a_turn_that_fails_again_and_again_is_stuck_although_it_is_planned_anew() -> None:
    async def scenario(schedule: Schedule) -> None:
        schedule.plan(ALICE, Rank.FOLD, 0)
        for _ in range(8):
            turn = await schedule.take()
            await asyncio.sleep(STUCK_SECONDS / 4)
            schedule.plan(turn.owner, turn.rank, 0, turn.since)
            schedule.done(turn.owner, well=False)
        assert schedule.is_stuck()
        schedule.plan(BOB, Rank.FREEING, 0)
        turn = await schedule.take()
        schedule.done(turn.owner, well=True)
        assert not schedule.is_stuck(), "something was done"

    scheduled(scenario)


def test_a_turn_whose_call_hangs_is_stuck_however_often_its_owner_is_touched() -> None:
    async def scenario(schedule: Schedule) -> None:
        schedule.plan(ALICE, Rank.FOLD, 0)
        await schedule.take()
        for _ in range(4):
            await asyncio.sleep(STUCK_SECONDS / 3)
            schedule.plan(ALICE, Rank.FREEING, 0.03)
        assert schedule.is_stuck()

    scheduled(scenario)


def test_a_turn_that_is_planned_anew_keeps_the_time_since_it_waits() -> None:
    async def scenario(schedule: Schedule) -> None:
        schedule.plan(ALICE, Rank.FOLD, 0)
        turn = await schedule.take()
        await asyncio.sleep(STUCK_SECONDS * 2)
        schedule.plan(ALICE, Rank.FREEING, 0)  # touched meanwhile
        schedule.plan(ALICE, turn.rank, 2, turn.since)
        schedule.done(ALICE, well=False)
        assert schedule.is_stuck()

    scheduled(scenario)
