"""Which group decides: a subject before a default, the higher priority, then the name; and edits act at once."""

import asyncio

from cluster.steps import eventually, fill, held, line, service_account
from harness import AsyncClient, World, manifests
from harness.manifests import Manifest

AT_ONCE = 1.0
"""Seconds within which an edit acts, in every replica."""


async def everywhere(client: AsyncClient, pod: Manifest, *, passes: bool) -> float:
    """Wait until sixteen dry runs at once, over both replicas, are all answered so; returns the seconds it took."""

    async def agreed() -> bool:
        answers = await asyncio.gather(*(client.create_pod(pod, dryRun="All") for _ in range(16)))
        return all(answer.ok == passes for answer in answers)

    return await eventually(agreed, AT_ONCE, f"every replica {'admits' if passes else 'refuses'} the pod")


async def test_the_default_group_is_for_whoever_matches_no_other(world: World) -> None:
    alice, bob, where = world.user("alice"), world.user("bob"), world.namespace()
    default = world.group("student", default_for=["User"], priority=100, aggregate={"gpu": 3})
    named = world.group("small", subjects=[world.owner(bob)], aggregate={"gpu": 1})
    async with world.client(alice) as client:
        answer = await client.create_pod(held("a", where, gpu=4))
        assert f"asked gpu 4, used 0 of 3 GPU units (ResourceLimitGroup/{default})" in line(answer)
    async with world.client(bob) as client:
        answer = await client.create_pod(held("b", where, gpu=4))
        assert f"asked gpu 4, used 0 of 1 GPU units (ResourceLimitGroup/{named})" in line(answer)


async def test_service_accounts_and_namespaces_have_defaults_of_their_own(world: World) -> None:
    where = world.namespace()
    controller = service_account(world, "kube-system", "job-controller")
    runner = service_account(world, where, "runner")
    accounts = world.group("accounts", default_for=["ServiceAccount"], aggregate={"gpu": 2})
    spaces = world.group("spaces", default_for=["Namespace"], aggregate={"gpu": 1})
    async with world.client(world.user("alice")) as client:
        await fill(client, held("free", where, gpu=9))
    async with world.client(runner) as client:
        answer = await client.create_pod(held("a", where, gpu=9))
        expected = f"serviceaccount:{where}/runner asked gpu 9, used 0 of 2 GPU units (ResourceLimitGroup/{accounts})"
        assert expected in line(answer)
    async with world.client(controller) as client:
        answer = await client.create_pod(held("b", where, gpu=9))
        expected = f"namespace:{where} asked gpu 9, used 0 of 1 GPU units (ResourceLimitGroup/{spaces})"
        assert expected in line(answer)


async def test_of_several_groups_the_highest_priority_decides_then_the_first_name(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    subjects = [world.owner(alice)]
    world.group("a", subjects=subjects, priority=1, aggregate={"gpu": 1})
    second = world.group("b", subjects=subjects, priority=5, aggregate={"gpu": 2})
    world.group("c", subjects=subjects, priority=5, aggregate={"gpu": 3})
    async with world.client(alice) as client:
        answer = await client.create_pod(held("a", where, gpu=9))
        assert f"used 0 of 2 GPU units (ResourceLimitGroup/{second})" in line(answer)
        highest = world.group("d", subjects=subjects, priority=6, aggregate={"gpu": 4})
        answer = await client.create_pod(held("a", where, gpu=9))
        assert f"used 0 of 4 GPU units (ResourceLimitGroup/{highest})" in line(answer)


async def test_whom_no_group_matches_is_not_limited(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    async with world.client(alice) as client:
        answer = await client.create_pod(held("a", where, gpu=100, cpu=1000))
    assert (answer.status, answer.warnings) == (201, ())


async def test_an_edit_of_a_group_acts_within_a_second(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    pod, owner = held("a", where, gpu=2), world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 1})
    async with world.client(alice) as client:
        await everywhere(client, pod, passes=False)
        for amount, passes in ((2, True), (1, False), ("unlimited", True), (0, False)):
            edited = manifests.group(world.name("student"), subjects=[owner], aggregate={"gpu": amount})
            world.apply(edited)
            await everywhere(client, pod, passes=passes)
        world.forget(edited)
        await everywhere(client, pod, passes=True)


async def test_an_edit_of_an_override_acts_within_a_second(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    pod, owner = held("a", where, gpu=2), world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 1})
    async with world.client(alice) as client:
        for amount, passes in ((2, True), (0, False), ("unlimited", True)):
            edited = manifests.override(world.name("more"), owner, aggregate={"gpu": amount})
            world.apply(edited)
            await everywhere(client, pod, passes=passes)
        world.forget(edited)
        await everywhere(client, pod, passes=False)


async def test_an_edit_of_a_namespaces_owner_acts_within_a_second(world: World) -> None:
    alice, bob = (world.owner(world.user(each)) for each in ("alice", "bob"))
    where = world.namespace(owner=alice)
    controller = service_account(world, "kube-system", "job-controller")
    world.group("student", subjects=[alice], aggregate={"gpu": 1})
    world.group("other", subjects=[bob], aggregate={"gpu": 8})
    pod = held("a", where, gpu=2)
    async with world.client(controller) as client:
        for owner, passes in ((alice, False), (bob, True), (alice, False), (None, True)):
            patch = {"metadata": {"annotations": {"labquota.dev/owner": owner}}}
            world.plane.client.merge(f"/api/v1/namespaces/{where}", patch)
            await everywhere(client, pod, passes=passes)


async def test_the_groups_of_who_creates_a_workload_decide_for_its_pods(world: World) -> None:
    """Its pods come from a controller, which knows nothing of them, and may be all that they ever make."""
    students = world.name("students")
    alice, where = world.user("alice", (students,)), world.namespace()
    group = world.group("student", subjects=[f"group:{students}"], aggregate={"pods": 2})
    async with world.client(alice) as client:
        made = manifests.deployment("web", where, replicas=4)
        answer = await client.create(f"/apis/apps/v1/namespaces/{where}/deployments", made)
        assert answer.ok, answer.message

        async def told() -> bool:
            found = await client.list(f"/api/v1/namespaces/{where}/events")
            return any(f"used 2 of 2 pods (ResourceLimitGroup/{group})" in each["message"] for each in found)

        await eventually(told, 10, "the third pod is refused by her group's limit")
        assert len(await client.list(f"/api/v1/namespaces/{where}/pods")) == 2
