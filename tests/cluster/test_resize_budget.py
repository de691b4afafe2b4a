"""A resize in place is charged as it grows, frees as it shrinks, and is never refused for shrinking."""

from typing import Any

from cluster.steps import ADVICE, codes, fill, fits, held, line, pod_path, resizers, settled
from controlplane.process import wait_until
from harness import Answer, AsyncClient, World, manifests


async def resize(client: AsyncClient, where: str, name: str, **amounts: Any) -> Answer:
    return await client.resize_pod(where, name, manifests.resize({"main": amounts}))


def uses(world: World, owner: str, key: str, amount: str) -> None:
    """Wait until an owner's budget shows so much as used and nothing as reserved."""

    def shown() -> bool:
        usage = world.usage(owner)
        return usage.get("used", {}).get(key) == amount and not usage.get("reserved")

    assert wait_until(shown, 10), world.usage(owner)


async def test_a_resize_up_is_charged_and_refused_where_it_goes_over_the_limit(world: World) -> None:
    (alice,), where = resizers(world, "alice"), world.namespace()
    owner = world.owner(alice)
    group = world.group("student", subjects=[owner], aggregate={"cpu": 4, "memory": "4Gi"})
    async with world.client(alice) as client:
        await fill(client, held("one", where, cpu=1, memory="1Gi"), held("two", where, cpu=1, memory="1Gi"))
        answer = await resize(client, where, "one", cpu=3)
        assert answer.status == 200, answer
        uses(world, owner, "requests.cpu", "4")
        answer = await resize(client, where, "two", cpu="1500m")
        assert line(answer) == (
            f"AGGREGATE_CPU_QUOTA_EXCEEDED: {owner} asked requests.cpu 500m, used 4 of 4 cores "
            f"(ResourceLimitGroup/{group}), 0 still fit. "
            f"Held by {where}/one (requests.cpu 3), {where}/two (requests.cpu 1){ADVICE}"
        )
        found = await client.get(pod_path(where, "two"))
        assert found.body["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "1"
        refusal = await client.create_pod(held("three", where, cpu="1m", memory="1Gi"))
        assert codes(refusal) == ["AGGREGATE_CPU_QUOTA_EXCEEDED"]


async def test_a_resize_is_charged_from_the_moment_it_is_admitted(world: World) -> None:
    (alice,), where = resizers(world, "alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"cpu": 10})
    async with world.client(alice) as client:
        await fill(client, held("one", where, cpu=1), held("two", where, cpu=1))
        for amount in (3, 5, 8):
            assert (await resize(client, where, "one", cpu=amount)).ok
        answer = await resize(client, where, "two", cpu=3)
        assert "asked requests.cpu 2, used 9 of 10 cores" in line(answer)
        assert (await resize(client, where, "two", cpu=2)).ok
    uses(world, owner, "requests.cpu", "10")


async def test_a_resize_down_frees_the_difference(world: World) -> None:
    (alice,), where = resizers(world, "alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"cpu": 4})
    async with world.client(alice) as client:
        await fill(client, held("one", where, cpu=4))
        settled(world, owner, 1)
        answer = await client.create_pod(held("two", where, cpu=1))
        assert "asked requests.cpu 1, used 4 of 4 cores" in line(answer)
        assert (await resize(client, where, "one", cpu=3)).ok
        took = await fits(client, held("two", where, cpu=1), 3)
        answer = await client.create_pod(held("three", where, cpu=2))
        assert "asked requests.cpu 2, used 3 of 4 cores" in line(answer)
    print(f"free again after {took:.2f} s")


async def test_a_resize_down_is_free_only_when_the_node_has_done_it(world: World) -> None:
    (alice,), where = resizers(world, "alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"cpu": 4})

    def runs(cpu: int) -> dict[str, Any]:
        """The status that a kubelet writes of a container that holds so many cores."""
        amounts = {"requests": {"cpu": str(cpu)}, "limits": {"cpu": str(cpu)}}
        state = {"running": {"startedAt": "2026-03-01T08:00:00Z"}}
        container = {"name": "main", "image": "none", "imageID": "", "ready": True, "restartCount": 0}
        container |= {"state": state, "allocatedResources": {"cpu": str(cpu)}, "resources": amounts}
        return {"phase": "Running", "containerStatuses": [container]}

    async with world.client(alice) as client, world.client() as admin:
        await fill(client, held("one", where, cpu=4))
        assert (await admin.patch_status(where, "one", runs(4))).ok
        assert (await resize(client, where, "one", cpu=1)).ok
        settled(world, owner, 1)
        answer = await client.create_pod(held("two", where, cpu=1))
        assert "asked requests.cpu 1, used 4 of 4 cores" in line(answer)
        assert (await admin.patch_status(where, "one", runs(1))).ok
        await fits(client, held("two", where, cpu=3), 3)


async def test_over_the_limit_a_resize_down_passes_and_up_is_refused(world: World) -> None:
    (alice,), where = resizers(world, "alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"cpu": 8})
    async with world.client(alice) as client:
        await fill(client, held("one", where, cpu=4, memory="1Gi"), held("two", where, cpu=4))
        settled(world, owner, 2)
        group = world.group("student", subjects=[owner], aggregate={"cpu": 2})
        answer = await resize(client, where, "one", cpu=5)
        assert line(answer) == (
            f"AGGREGATE_CPU_QUOTA_EXCEEDED: {owner} asked requests.cpu 1, used 8 of 2 cores "
            f"(ResourceLimitGroup/{group}), 0 still fit. "
            f"Held by {where}/one (requests.cpu 4), {where}/two (requests.cpu 4){ADVICE}"
        )
        assert (await resize(client, where, "one", cpu=3)).ok
        assert (await resize(client, where, "one", cpu=3, memory="2Gi")).ok
        assert (await resize(client, where, "one", cpu="2500m")).ok
    uses(world, owner, "requests.cpu", "6500m")


async def test_a_resize_over_the_per_pod_layer_is_refused(world: World) -> None:
    (alice,), where = resizers(world, "alice"), world.namespace()
    owner = world.owner(alice)
    group = world.group("student", subjects=[owner], aggregate={"cpu": 99}, per_pod={"cpu": 2})
    async with world.client(alice) as client:
        await fill(client, held("one", where, cpu=1))
        answer = await resize(client, where, "one", cpu=3)
        assert line(answer) == (
            f"USER_AT_LIMIT: {owner} asked requests.cpu 3 for one pod, at most 2 cores each "
            f"(ResourceLimitGroup/{group}). Ask for less in one pod"
        )
        assert (await resize(client, where, "one", cpu=2)).ok


async def test_a_resize_by_somebody_else_is_charged_to_the_pods_owner(world: World) -> None:
    (alice, bob), where = resizers(world, "alice", "bob"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"cpu": 2})
    async with world.client(alice) as client, world.client(bob) as other:
        await fill(client, held("one", where, cpu=1))
        answer = await resize(other, where, "one", cpu=3)
        assert f"{owner} asked requests.cpu 2, used 1 of 2 cores" in line(answer)
        assert (await resize(other, where, "one", cpu=2)).ok
    uses(world, owner, "requests.cpu", "2")
    assert world.usage(world.owner(bob)) == {}
