"""What writes nothing, what is charged once, and under which name."""

import json

from cluster.steps import fill, held, line, settled
from harness import World, manifests
from harness.clients import pods


async def test_a_dry_run_is_judged_and_writes_nothing(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 2})
    async with world.client(alice) as client:
        await fill(client, held("one", where, gpu=1))
        settled(world, owner, 1)
        before = world.ledger(owner)
        for _ in range(5):
            assert (await client.create_pod(held("two", where, gpu=1), dryRun="All")).ok
            answer = await client.create_pod(held("two", where, gpu=2), dryRun="All")
            assert "asked gpu 2, used 1 of 2 GPU units" in line(answer)
        assert world.ledger(owner) == before
        await fill(client, held("two", where, gpu=1))


def test_kubectls_dry_run_on_the_server_writes_nothing(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 1})
    for amount, code in ((1, 0), (2, 1)):
        made = json.dumps(held("one", where, gpu=amount))
        ran = world.plane.kubectl(alice, "create", "--dry-run=server", "--filename=-", stdin=made)
        assert ran.returncode == code, ran
    assert "AGGREGATE_GPU_QUOTA_EXCEEDED" in ran.stderr
    assert world.ledger(owner) is None


async def test_a_refusal_writes_nothing(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 1})
    async with world.client(alice) as client:
        for _ in range(5):
            answer = await client.create_pod(held("one", where, gpu=2))
            assert "asked gpu 2, used 0 of 1 GPU units" in line(answer)
    assert world.ledger(owner) is None


async def test_each_pod_of_one_generate_name_is_charged_under_the_name_it_got(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 2})
    made = held("train-", where, generate_name=True, gpu=1)
    async with world.client(alice) as client:
        one, two = await client.create_pod(made), await client.create_pod(made)
        names = sorted(each.body["metadata"]["name"] for each in (one, two))
        assert len(set(names)) == 2
        settled(world, owner, 2)
        answer = await client.create_pod(made)
    assert f"Held by {where}/{names[0]} (gpu 1), {where}/{names[1]} (gpu 1)." in line(answer)


async def test_a_pod_that_was_stored_is_charged_once(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 10})
    async with world.client(alice) as client:
        for number in range(5):
            await fill(client, held(f"p{number}", where, gpu=2))
        settled(world, owner, 5)
        used = world.usage(owner)["used"]
        assert used == {"gpu": "10", "gpu-equivalents": "10", "gpu-memory": "800Gi", "pods": "5"}
        assert len(await client.list(pods(where))) == 5


async def test_a_job_that_is_refused_reserves_nothing_for_the_pods_it_could_not_make(world: World) -> None:
    alice = world.user("alice")
    owner = world.owner(alice)
    where = world.namespace(owner=owner)
    world.group("student", subjects=[owner], aggregate={"gpu": 1})
    async with world.client(alice) as client:
        made = manifests.job("train", where, completions=1, gpu=2)
        assert (await client.create(f"/apis/batch/v1/namespaces/{where}/jobs", made)).ok
        await fill(client, held("own", where, gpu=1))
        settled(world, owner, 1)
