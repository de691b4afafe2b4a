"""Catchers of faults in holds: charged as pods are, from the first moment to their own last one."""

import asyncio

from mutants.holding import Scene, play


def test_holds_and_pods_of_one_owner_never_pass_the_limit_whatever_their_order() -> None:
    async def script(scene: Scene) -> None:
        async def one(number: int) -> None:
            await asyncio.sleep(scene.rng.random() * 20)
            late = scene.rng.random() * 3
            if scene.rng.random() < 0.4:
                await scene.pods(f"p-{number}", late=late)
                return
            expires = late + 4 + scene.rng.random() * 20 if scene.rng.random() < 0.5 else None
            if await scene.holds(f"h-{number}", late=late, expires=expires) and scene.rng.random() < 0.5:
                await asyncio.sleep(scene.rng.random() * 5)
                scene.drop(f"h-{number}")

        async with asyncio.TaskGroup() as tasks:
            for number in range(24):
                tasks.create_task(one(number))
        await asyncio.sleep(5)

    play(script, 12)


def test_a_pod_and_a_hold_of_one_name_are_two() -> None:
    async def script(scene: Scene) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(scene.pods("desk", late=3.0))
            tasks.create_task(scene.holds("desk", late=3.0))
            await asyncio.sleep(0.5)
            tasks.create_task(scene.pods("more", late=3.0))
        await asyncio.sleep(3)

    play(script, 4)


def test_a_hold_counts_to_its_last_second() -> None:
    async def script(scene: Scene) -> None:
        await scene.pods("one")
        assert await scene.holds("desk", expires=30)
        await asyncio.sleep(27 + scene.rng.random())
        await scene.pods("two")
        await asyncio.sleep(6)

    play(script, 4)


def test_an_operator_that_has_not_seen_a_hold_does_not_fold_without_it() -> None:
    async def script(scene: Scene) -> None:
        await asyncio.sleep(1)
        scene.operator.tasks[0].cancel()  # its watch on holds is silent from here on
        other = type(scene.operator)(scene.cluster, scene.of)
        assert await scene.holds("desk")
        await other.start(epoch=1)  # has folded the hold before it lost the Lease
        await asyncio.sleep(3)
        for task in other.tasks:
            task.cancel()
        await scene.pods("one")
        await asyncio.sleep(3)
        await scene.pods("two")
        await asyncio.sleep(3)

    play(script, 3)


def test_a_hold_that_the_view_has_yet_to_show_is_not_given_up() -> None:
    async def script(scene: Scene) -> None:
        await asyncio.sleep(1)
        scene.operator.tasks[0].cancel()
        assert await scene.holds("desk", late=30.0)
        await asyncio.sleep(40)
        await scene.pods("one")
        await scene.pods("two")
        await asyncio.sleep(3)

    play(script, 2)
