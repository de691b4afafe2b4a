"""A controller's refused pods show on the workload that people know, in one Event that is counted up."""

from typing import Any

from cluster.attackers import entitle
from cluster.stamped import account, gadget, make
from cluster.steps import eventually, fill, held
from cluster.workloads import NUDGED, create, events, path_of, pod_names, student, workload
from harness import CONTROLLER, AsyncClient, World


async def found(client: AsyncClient, where: str, kind: str) -> list[dict[str, Any]]:
    """labquota's Events on workloads of a kind."""
    return [each for each in await events(client, where) if each["involvedObject"]["kind"] == kind]


async def test_refused_replicas_are_one_event_on_their_deployment_counted_up(
    world: World,
) -> None:
    alice, where = student(world, gpu=1)
    made = workload("Deployment", "train", where, 3, gpu=1)
    async with world.client(alice) as client:
        await create(client, made)

        async def several() -> bool:
            counts = [each["count"] for each in await events(client, where)]
            return bool(counts) and counts[0] > 5

        await eventually(several, 15, "an Event counts up")
        (event,) = await events(client, where)
        stored = (await client.get(path_of(made))).body
    assert event["involvedObject"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "train",
        "namespace": where,
        "uid": stored["metadata"]["uid"],
    }
    assert (event["type"], event["reason"]) == ("Warning", "BudgetExceeded")
    assert event["message"].startswith(
        f"AGGREGATE_GPU_QUOTA_EXCEEDED: {world.owner(alice)} asked gpu 1, used 1 of 1 GPU units "
        f"(ResourceLimitGroup/{world.name('alices')})"
    )
    assert f"Held by {where}/train-" in event["message"]


async def test_kubectl_describe_shows_the_reason_on_the_deployment(world: World) -> None:
    alice, where = student(world, gpu=1)
    async with world.client(alice) as client:
        await create(client, workload("Deployment", "train", where, 2, gpu=1))

        async def told() -> bool:
            return bool(await events(client, where))

        await eventually(told, 5, "there is an Event")
    shown = world.plane.kubectl(alice, "-n", where, "describe", "deployment", "train").stdout
    (line,) = [each for each in shown.splitlines() if "BudgetExceeded" in each]
    assert line.split()[:2] == ["Warning", "BudgetExceeded"]
    assert line.split()[3:5] == ["labquota", "AGGREGATE_GPU_QUOTA_EXCEEDED:"]


async def test_a_job_of_a_cronjob_shows_on_the_cronjob(world: World) -> None:
    alice, where = student(world, pods=1)
    async with world.client(alice) as client:
        await fill(client, held("blocker", where))
        await create(client, workload("CronJob", "nightly", where))
        began = world.plane.kubectl(alice, "-n", where, "create", "job", "now", "--from=cronjob/nightly")
        assert began.returncode == 0, began.stderr

        async def told() -> bool:
            return bool(await found(client, where, "CronJob"))

        await eventually(told, 10, "there is an Event on the CronJob")
        assert [each["involvedObject"]["name"] for each in await events(client, where)] == ["nightly"]


async def test_what_a_person_is_refused_is_told_to_them_and_to_nobody_s_workload(world: World) -> None:
    alice, where = student(world, pods=1)
    mallory = world.user("mallory")
    world.group("none", subjects=[world.owner(mallory)], aggregate={"pods": 0})
    made = workload("ReplicaSet", "train", where)
    async with world.client(alice) as client, world.client(mallory) as hers:
        await create(client, made)
        stored = (await client.get(path_of(made))).body["metadata"]
        reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "train", "uid": stored["uid"]}
        pod = held("trap", where, owner_references=[{**reference, "controller": True}])
        answer = await hers.create_pod(pod)
        assert "AGGREGATE_PODS_QUOTA_EXCEEDED" in answer.message
        answer = await hers.create_pod(held("hers", where))
        assert not answer.ok

        async def made_one() -> bool:
            return len(await pod_names(client, where)) == 1

        await eventually(made_one, 5, "alice's pod is there")
        assert await events(client, where) == []


async def test_a_custom_resource_shows_why_and_is_asked_again_when_budget_frees(world: World) -> None:
    alice, where = student(world, pods=1)
    kind = gadget(world, "trainer", where)
    entitle(world, alice, ["create", "get"], "gadgets.example.org")
    controller = account(world, CONTROLLER)
    made = make(world, alice, kind)
    reference = {key: made[key] for key in ("apiVersion", "kind")} | {"controller": True}
    reference |= {key: made["metadata"][key] for key in ("name", "uid")}
    path = world.plane.client.path_of(kind)
    async with world.client(alice) as client, world.client(controller) as its, world.client() as admin:
        await fill(client, held("blocker", where))
        answer = await its.create_pod(held("worker", where, owner_references=[reference]))
        assert f"{world.owner(alice)} asked pods 1, used 1 of 1 pods" in answer.message

        async def told() -> bool:
            return [each["involvedObject"]["uid"] for each in await events(admin, where)] == [
                reference["uid"]
            ]

        await eventually(told, 5, "there is an Event on the custom resource")
        await client.delete_pod(where, "blocker")

        async def asked() -> bool:
            return NUDGED in (await admin.get(path)).body["metadata"]["annotations"]

        await eventually(asked, 2, "its operator sees a change of it")
