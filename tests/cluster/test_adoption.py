"""Pods that are older than labquota count from its first moment; and nobody over a limit is locked in."""

from functools import partial

from cluster.steps import (
    ADVICE,
    codes,
    eventually,
    fill,
    held,
    line,
    pod_path,
    refused_soon,
    resizers,
    settled,
)
from controlplane import ControlPlane
from harness import AsyncClient, Installation, World, manifests


async def test_pods_that_are_older_than_the_installation_are_adopted() -> None:
    with ControlPlane(nodes=1) as plane, World(plane) as world:
        alice = world.user("alice")
        owner, shared = world.owner(alice), world.namespace("shared")
        owned = world.namespace("owned", owner=owner)
        async with world.client(alice) as client, world.client() as admin:
            await fill(
                client, held("old", owned, gpu=2), held("older", shared, gpu=2), held("done", owned, gpu=2)
            )
            assert (await admin.patch_status(owned, "done", {"phase": "Succeeded"})).ok
            found = await client.get(pod_path(owned, "old"))
            assert "labquota.dev/owner" not in found.body["metadata"]["annotations"], "nobody stamped it"
            with Installation(plane):
                group = world.group("student", subjects=[owner], aggregate={"gpu": 3})
                settled(world, owner, 1)
                settled(world, f"namespace:{shared}", 1)
                for where, name, whose in ((owned, "old", owner), (shared, "older", f"namespace:{shared}")):
                    await eventually(
                        partial(_is_stamped, client, where, name, whose), 10, f"{name} is pinned on {whose}"
                    )
                answer = await refused_soon(client, held("new", shared, gpu=2))
                assert line(answer) == (
                    f"AGGREGATE_GPU_QUOTA_EXCEEDED: {owner} asked gpu 2, used 2 of 3 GPU units "
                    f"(ResourceLimitGroup/{group}), 1 still fit. Held by {owned}/old (gpu 2){ADVICE}"
                )
                await fill(client, held("new", shared, gpu=1))


async def _is_stamped(client: AsyncClient, namespace: str, name: str, owner: str) -> bool:
    found = await client.get(pod_path(namespace, name))
    return bool(found.body["metadata"]["annotations"].get("labquota.dev/owner") == owner)


async def test_pods_made_while_labquota_was_unregistered_are_adopted(
    world: World, installation: Installation
) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    group = world.group("student", subjects=[owner], aggregate={"gpu": 3})
    async with world.client(alice) as client:
        installation.unregister()
        try:
            await fill(client, *(held(f"old{number}", where, gpu=1) for number in range(5)))
        finally:
            installation.register()
        settled(world, owner, 5)
        answer = await client.create_pod(held("new", where, gpu=1))
    assert f"asked gpu 1, used 5 of 3 GPU units (ResourceLimitGroup/{group}), 0 still fit" in line(answer)
    assert world.usage(owner)["overLimit"] == ["gpu"]


async def test_who_is_over_a_limit_may_still_delete_shrink_and_ask_for_other_things(world: World) -> None:
    (alice,), where = resizers(world, "alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 4, "cpu": 8})
    async with world.client(alice) as client:
        await fill(client, *(held(f"p{number}", where, gpu=1, cpu=2) for number in range(4)))
        settled(world, owner, 4)
        world.group("student", subjects=[owner], aggregate={"gpu": 2, "cpu": 9})
        answer = await client.create_pod(held("more", where, gpu=1, cpu="1m"))
        assert codes(answer) == ["AGGREGATE_GPU_QUOTA_EXCEEDED"]
        assert "asked gpu 1, used 4 of 2 GPU units" in line(answer)

        await fill(client, held("without", where, cpu="500m"))
        shrunk = await client.resize_pod(where, "p0", manifests.resize({"main": {"cpu": 1}}))
        assert shrunk.ok, shrunk.message
        labelled = await client.patch(
            f"/api/v1/namespaces/{where}/pods/p1", {"metadata": {"labels": {"a": "b"}}}
        )
        assert labelled.ok, labelled.message
        for name in ("p0", "p1", "p2"):
            assert (await client.delete_pod(where, name)).ok
        settled(world, owner, 2)
        await fill(client, held("fits", where, gpu=1, cpu=1))


async def test_who_is_over_every_limit_may_still_make_a_pod_that_asks_for_nothing_of_them(
    world: World,
) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 4, "memory": "8Gi"})
    async with world.client(alice) as client:
        await fill(client, held("big", where, gpu=4, memory="8Gi"))
        world.group("student", subjects=[owner], aggregate={"gpu": 0, "memory": 0}, when_unset="Ignore")
        await fill(client, held("small", where, cpu=1))
        answer = await client.create_pod(held("more", where, memory=1))
        assert codes(answer) == ["AGGREGATE_MEMORY_QUOTA_EXCEEDED"]
        assert "asked requests.memory 1, used 8Gi of 0" in line(answer)
