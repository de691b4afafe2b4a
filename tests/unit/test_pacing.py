import asyncio

from labquota.controllers.pacing import Pace, Rank
from unit.simulated import Clock, run


def test_writes_are_spread_over_time_after_a_first_burst() -> None:
    async def scenario() -> None:
        pace = Pace(Clock(), 20)
        for _ in range(25):
            await pace.turn(Rank.FOLD)
        assert 1.0 <= asyncio.get_running_loop().time() < 1.2  # five at once, then twenty a second

    run(scenario())


def test_who_frees_something_goes_before_who_reports() -> None:
    async def scenario() -> None:
        pace, order = Pace(Clock(), 1), list[str]()

        async def write(rank: Rank, name: str) -> None:
            await pace.turn(rank)
            order.append(name)

        await pace.turn(Rank.FOLD)
        ranks = [Rank.REPORT, Rank.FOLD, Rank.LARGE, Rank.FREEING, Rank.FREEING]
        await asyncio.gather(*(write(rank, f"{rank.name}{number}") for number, rank in enumerate(ranks)))
        assert order == ["FREEING3", "FREEING4", "LARGE2", "FOLD1", "REPORT0"]

    run(scenario())


def test_a_waiter_that_gives_up_costs_nobody_a_turn() -> None:
    async def scenario() -> None:
        pace = Pace(Clock(), 1)
        await pace.turn(Rank.FOLD)
        gone = asyncio.create_task(pace.turn(Rank.FREEING))
        await asyncio.sleep(0)
        gone.cancel()
        await pace.turn(Rank.REPORT)
        assert asyncio.get_running_loop().time() < 1.1

    run(scenario())


def test_an_idle_time_is_saved_up_to_a_quarter_of_a_second_only() -> None:
    async def scenario() -> None:
        pace = Pace(Clock(), 20)
        await asyncio.sleep(1000)
        for _ in range(5):
            await pace.turn(Rank.FOLD)
        assert asyncio.get_running_loop().time() == 1000
        await pace.turn(Rank.FOLD)
        assert asyncio.get_running_loop().time() > 1000

    run(scenario())
