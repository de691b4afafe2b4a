"""Two layers, every reason named: what one pod may ask for, what all pods together hold, and who is not limited."""

import json

from cluster.steps import ADVICE, codes, fill, held, line, settled
from harness import Installation, World
from labquota.quota import owners
from labquota.quota.owners import Owner


async def test_all_exceeded_resources_are_named_in_the_line_and_in_the_causes(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    group = world.group("student", subjects=[owner], aggregate={"gpu": 1, "cpu": 2, "memory": "8Gi"})
    async with world.client(alice) as client:
        await fill(client, held("one", where, cpu=2, memory="1Gi", gpu=1))
        settled(world, owner, 1)
        answer = await client.create_pod(held("two", where, cpu="500m", memory="1Gi", gpu=2))
    source = f"ResourceLimitGroup/{group}"
    assert line(answer) == (
        f"AGGREGATE_GPU_QUOTA_EXCEEDED: {owner} asked gpu 2, used 1 of 1 GPU units ({source}), 0 still fit; "
        f"AGGREGATE_CPU_QUOTA_EXCEEDED: {owner} asked requests.cpu 500m, used 2 of 2 cores ({source}), 0 still fit. "
        f"Held by {where}/one (gpu 1, requests.cpu 2){ADVICE}"
    )
    assert [(cause["reason"], cause["field"]) for cause in answer.causes] == [
        ("AGGREGATE_GPU_QUOTA_EXCEEDED", "gpu"),
        ("AGGREGATE_CPU_QUOTA_EXCEEDED", "requests.cpu"),
    ]


async def test_one_pod_may_not_ask_for_more_than_the_per_pod_layer_allows(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    group = world.group("student", subjects=[owner], aggregate={"gpu": 8}, per_pod={"gpu": 2})
    async with world.client(alice) as client:
        answer = await client.create_pod(held("big", where, gpu=3))
        assert line(answer) == (
            f"USER_AT_LIMIT: {owner} asked gpu 3 for one pod, at most 2 GPU units each "
            f"(ResourceLimitGroup/{group}). Ask for less in one pod"
        )
        assert codes(answer) == ["USER_AT_LIMIT"]
        await fill(client, held("fits", where, gpu=2))


async def test_the_aggregate_is_named_before_the_per_pod_layer(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    group = world.group("student", subjects=[owner], aggregate={"gpu": 3}, per_pod={"gpu": 2})
    async with world.client(alice) as client:
        answer = await client.create_pod(held("big", where, gpu=4))
    source = f"ResourceLimitGroup/{group}"
    assert line(answer) == (
        f"AGGREGATE_GPU_QUOTA_EXCEEDED: {owner} asked gpu 4, used 0 of 3 GPU units ({source}), 3 still fit; "
        f"USER_AT_LIMIT: {owner} asked gpu 4 for one pod, at most 2 GPU units each ({source}){ADVICE}"
    )
    assert codes(answer) == ["AGGREGATE_GPU_QUOTA_EXCEEDED", "USER_AT_LIMIT"]


async def test_without_an_aggregate_section_nothing_is_refused_and_the_webhook_writes_no_ledger(
    world: World, installation: Installation
) -> None:
    root = world.user("root")
    owner, where = Owner(world.owner(root)), world.namespace()
    group = world.group("admin", subjects=[owner], per_pod={"gpu": 8})
    swaps = [installation.metrics(f"webhook-{number}")["labquota_ledger_swaps_total"] for number in range(2)]
    async with world.client(root) as client:
        await fill(client, *(held(f"p{number}", where, gpu=8) for number in range(20)))
        answer = await client.create_pod(held("big", where, gpu=9))
    settled(world, owner, 20)
    assert line(answer) == (
        f"USER_AT_LIMIT: {owner} asked gpu 9 for one pod, at most 8 GPU units each "
        f"(ResourceLimitGroup/{group}). Ask for less in one pod"
    )
    after = [installation.metrics(f"webhook-{number}")["labquota_ledger_swaps_total"] for number in range(2)]
    assert after == swaps
    writers = {
        event["user"]["username"]
        for event in world.plane.audit_events()
        if (event.get("objectRef") or {}).get("resource") == "ownerledgers"
        and event["objectRef"].get("name") == owners.object_name(owner)
    }
    assert writers == {installation.operator_user.name}, "the operator folds what stands; nobody reserves"
    assert world.usage(owner)["summary"]["gpu"] == "160"


async def test_the_budget_of_one_person_is_not_that_of_another(world: World) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    where = world.namespace()
    world.group("student", subjects=[world.owner(alice), world.owner(bob)], aggregate={"pods": 1})
    async with world.client(alice) as hers, world.client(bob) as his:
        await fill(hers, held("hers", where))
        await fill(his, held("his", where))
        answer = await his.create_pod(held("more", where))
    assert line(answer).startswith(
        f"AGGREGATE_PODS_QUOTA_EXCEEDED: {world.owner(bob)} asked pods 1, used 1 of 1"
    )


def test_kubectl_prints_the_refusal_in_one_line(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    group = world.group("student", subjects=[owner], aggregate={"gpu": 0})
    ran = world.plane.kubectl(alice, "create", "--filename=-", stdin=json.dumps(held("one", where, gpu=1)))
    assert ran.returncode == 1
    assert ran.stderr == (
        'Error from server (Forbidden): error when creating "STDIN": admission webhook "pods.labquota.dev" denied '
        f"the request: AGGREGATE_GPU_QUOTA_EXCEEDED: {owner} asked gpu 1, used 0 of 0 GPU units "
        f"(ResourceLimitGroup/{group}), 0 still fit{ADVICE}\n"
    )
