"""Refusals that need no ledger: what a pod may not ask for at all, and what it must say."""

from datetime import UTC, datetime, timedelta

from cluster.steps import codes, fill, held, line
from harness import World, manifests


async def test_whole_gpus_are_refused_where_only_slices_are_allowed(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    group = world.group("student", subjects=[owner], aggregate={"gpu": 4}, allow_whole_gpu=False)
    async with world.client(alice) as client:
        answer = await client.create_pod(held("whole", where, gpu=1))
        assert line(answer) == (
            f"WHOLE_GPU_NOT_ALLOWED: {owner} may use MIG slices only (ResourceLimitGroup/{group}), "
            "and the pod asks for nvidia.com/gpu"
        )
        assert codes(answer) == ["WHOLE_GPU_NOT_ALLOWED"]
        await fill(client, held("slice", where, mig={"1g.10gb": 1}))


async def test_an_override_lets_one_person_use_whole_gpus(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    world.group("student", subjects=[owner], aggregate={"gpu": 4}, allow_whole_gpu=False)
    world.override("thesis", owner, allow_whole_gpu=True)
    async with world.client(alice) as client:
        await fill(client, held("whole", where, gpu=1))


async def test_a_gpu_resource_that_nobody_has_priced_is_refused_by_its_name(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    world.group("student", subjects=[owner], aggregate={"gpu": 4})
    async with world.client(alice) as client:
        answer = await client.create_pod(held("odd", where, limits={"nvidia.com/mig-9x": 1}))
    assert line(answer) == (
        'UNKNOWN_GPU_RESOURCE: nobody has priced the GPU resource "nvidia.com/mig-9x"; use a resource that the nodes '
        "offer: nvidia.com/gpu, nvidia.com/mig-1g.10gb, nvidia.com/mig-2g.20gb, nvidia.com/mig-3g.20gb, "
        "nvidia.com/mig-3g.40gb"
    )
    assert answer.causes[0]["field"] == "spec.containers[].resources.limits[nvidia.com/mig-9x]"


async def test_a_container_that_leaves_a_limited_key_unset_is_refused_by_its_name(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    world.group("student", subjects=[owner], aggregate={"cpu": 8, "memory": "8Gi"})
    full, half = manifests.container("full", cpu=1, memory="1Gi"), manifests.container("half", cpu=1)
    bare, start = manifests.container("bare"), manifests.container("start", memory="1Gi")
    async with world.client(alice) as client:
        answer = await client.create_pod(
            held("a", where, containers=[full, half, bare], spec={"initContainers": [start]})
        )
        assert line(answer) == (
            f"REQUEST_REQUIRED: requests.cpu is limited for {owner}; set resources.requests.cpu for: bare, start; "
            f"REQUEST_REQUIRED: requests.memory is limited for {owner}; "
            "set resources.requests.memory for: half, bare"
        )
        assert codes(answer) == ["REQUEST_REQUIRED", "REQUEST_REQUIRED"]
        await fill(client, held("b", where, containers=[full]))


async def test_a_group_may_ignore_what_is_left_unset(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    world.group("student", subjects=[owner], aggregate={"cpu": 1}, when_unset="Ignore")
    async with world.client(alice) as client:
        await fill(client, held("bare", where), held("one", where, cpu=1), held("other", where))
        answer = await client.create_pod(held("more", where, cpu="1m"))
    assert "asked requests.cpu 1m, used 1 of 1 cores" in line(answer)


async def test_a_suspended_person_makes_no_pods_until_the_override_goes(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    world.group("student", subjects=[owner], aggregate={"gpu": 4})
    async with world.client(alice) as client:
        await fill(client, held("before", where))
        name = world.override("pause", owner, suspended=True, reason="mining")
        answer = await client.create_pod(held("a", where))
        assert line(answer) == (
            f"OWNER_SUSPENDED: {owner} is suspended by ResourceLimitOverride/{name}; ask who approved it"
        )
        assert codes(answer) == ["OWNER_SUSPENDED"]
        assert (await client.delete_pod(where, "before")).ok
        ended = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        world.override("pause", owner, suspended=True, expires_at=ended)
        await fill(client, held("a", where))
