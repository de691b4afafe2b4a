"""Early word: whoever creates, scales or changes a workload is told how many of its pods will run, and that is so."""

import json
from typing import Any

import pytest

from cluster.steps import eventually, fill, held, settled
from cluster.workloads import HOLD, create, path_of, pod_names, student, workload
from controlplane.process import wait_until
from harness import World, manifests

KINDS = ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController", "Job")


def recreate(name: str) -> str:
    return f"labquota: {name} has no room to roll this Deployment out: set strategy.type to Recreate"


@pytest.mark.parametrize("kind", KINDS)
async def test_who_creates_a_workload_is_told_how_many_of_its_pods_will_run_and_so_many_do(
    kind: str, world: World
) -> None:
    alice, where = student(world, gpu=3)
    owner = world.owner(alice)
    async with world.client(alice) as client:
        await fill(client, held("one", where, gpu=1))
        answer = await create(client, workload(kind, "train", where, 3, gpu=1))
        assert answer.warnings[:2] == (
            f"labquota: 2 of 3 pods of this {kind} will run now, the others when {owner} has room",
            f"labquota: gpu 1 a pod, then 3 of 3 GPU units are used (ResourceLimitGroup/{world.name('alices')})",
        )

        async def two() -> bool:
            return len(await pod_names(client, where, "train")) == 2

        await eventually(two, 10, "two pods run")
        settled(world, owner, 3)
        assert await two()


async def test_a_workload_that_fits_is_created_without_a_word(world: World) -> None:
    alice, where = student(world, gpu=4)
    async with world.client(alice) as client:
        for kind in (*KINDS, "DaemonSet", "CronJob"):
            answer = await create(client, workload(kind, kind.lower(), where, 1, gpu=0, cpu="1m"))
            assert answer.warnings == (), kind


@pytest.mark.parametrize("kind", [*KINDS, "DaemonSet", "CronJob"])
async def test_one_whose_pod_can_never_fit_is_told_so(kind: str, world: World) -> None:
    alice, where = student(world, gpu=3)
    source = f"ResourceLimitGroup/{world.name('alices')}"
    async with world.client(alice) as client:
        answer = await create(client, workload(kind, "train", where, 2, gpu=4), dryRun="All")
    assert answer.warnings == (
        f"labquota: no pod of this {kind} can ever run under the limits of {world.owner(alice)}:",
        f"labquota: AGGREGATE_GPU_QUOTA_EXCEEDED: gpu 4 a pod, in all at most 3 GPU units ({source})",
    )


async def test_of_a_cronjob_it_is_told_what_fits_a_run(world: World) -> None:
    alice, where = student(world, gpu=3)
    async with world.client(alice) as client:
        await fill(client, held("one", where, gpu=3))
        answer = await create(client, workload("CronJob", "nightly", where, 5, gpu=1))
    assert answer.warnings[0] == (
        f"labquota: at most 3 of 5 pods of this CronJob can run at once under the limits of {world.owner(alice)}"
    )


def counted(world: World, path: str) -> int:
    """The pods of a workload by its status; -1 where that is not of what the workload is now."""
    found = world.plane.client.get(path)
    status: dict[str, int] = found.get("status", {})
    is_new = status.get("observedGeneration") == found["metadata"]["generation"]
    return status.get("replicas", 0) if is_new else -1


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"])
async def test_who_scales_a_workload_is_told_too_however_they_do(kind: str, world: World) -> None:
    alice, where = student(world, pods=3)
    path = path_of(made := workload(kind, "train", where, 1))
    async with world.client(alice) as client:
        await create(client, made)

        for way in (f"{path}/scale", path):
            settled(world, world.owner(alice), 1)
            assert wait_until(lambda: counted(world, path) == 1, 10), "its controller has counted its pods"
            answer = await client.patch(way, {"spec": {"replicas": 4}})
            assert answer.ok, answer.message
            now = f"labquota: 3 of 4 pods of this {kind} will run now"
            assert answer.warnings[0] == f"{now}, and never more than 3 at once ({world.owner(alice)})"
            answer = await client.patch(way, {"spec": {"replicas": 1}})
            assert answer.warnings == ()


async def test_kubectl_prints_it_on_create_apply_and_scale(world: World) -> None:
    alice, where = student(world, gpu=3)
    made = workload("Deployment", "train", where, 9, gpu=1)
    text = manifests.deployment("train", where, replicas=2, gpu=1, annotations=HOLD)
    kubectl = world.plane.kubectl
    for args, stdin in (
        (("create", "--dry-run=server", "-f", "-"), made),
        (("apply", "-f", "-"), text),
        (("apply", "-f", "-"), made),
    ):
        shown = kubectl(alice, "-n", where, *args, stdin=json.dumps(stdin))
        assert shown.returncode == 0, shown.stderr
        told = "Warning: labquota: 3 of 9 pods of this Deployment will run now" in shown.stderr
        assert told is (stdin is made), shown.stderr
    shown = kubectl(alice, "-n", where, "scale", "deployment/train", "--replicas=12")
    assert (
        "Warning: labquota: 3 of 12 pods of this Deployment will run now, and never more than 3 at once"
        in shown.stderr
    )


async def test_who_scales_another_s_workload_reads_whose_budget_it_is(world: World) -> None:
    alice, where = student(world, pods=2)
    bob = world.user("bob")
    path = path_of(made := workload("Deployment", "web", where, 1))
    async with world.client(alice) as client:
        await create(client, made)
    async with world.client(bob) as client:
        answer = await client.patch(f"{path}/scale", {"spec": {"replicas": 5}})
    assert answer.warnings[0].endswith(f"never more than 2 at once ({world.owner(alice)})")


async def test_a_deployment_that_could_never_roll_out_is_told_to_use_recreate_and_then_does(
    world: World,
) -> None:
    alice, where = student(world, gpu=2)
    line = recreate(world.owner(alice))
    made = manifests.deployment("web", where, replicas=2, gpu=1)
    path = path_of(made)
    async with world.client(alice) as client:
        assert (await create(client, made)).warnings == (line,)

        async def on(image: str) -> bool:
            found = await client.list(f"/api/v1/namespaces/{where}/pods")
            images = [each["spec"]["containers"][0]["image"] for each in found]
            return images == [image, image] and all(each["status"]["phase"] == "Running" for each in found)

        async def old() -> bool:
            return await on("none")

        await eventually(old, 10, "both run")
        settled(world, world.owner(alice), 2)
        answer = await client.patch(path, _image("new"), "application/strategic-merge-patch+json")
        assert answer.warnings == (line,)

        async def refused() -> bool:
            found = await client.list(f"/apis/apps/v1/namespaces/{where}/replicasets")
            return any(each["status"].get("conditions") for each in found)

        await eventually(refused, 10, "the new pod beside them is refused")
        assert await old(), "it has rolled out all the same"
        answer = await client.patch(path, {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}})
        assert (answer.status, answer.warnings) == (200, ())

        async def new() -> bool:
            return await on("new")

        took = await eventually(new, 20, "both are replaced")
        assert took < 6, "the refused ReplicaSet waits for its back-off"


async def test_room_for_one_pod_more_is_enough_to_roll_out(world: World) -> None:
    alice, where = student(world, gpu=3)
    async with world.client(alice) as client:
        assert (await create(client, workload("Deployment", "web", where, 2, gpu=1))).warnings == ()
        made = workload("Deployment", "one-may-be-missing", where, 1, gpu=1)
        made["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
        assert (await create(client, made)).warnings == ()


async def test_what_a_limit_range_adds_to_the_pods_is_reckoned_with(world: World) -> None:
    alice = world.user("alice")
    world.group("alices", subjects=[world.owner(alice)], aggregate={"cpu": 4})
    where, bare = world.namespace("ranged"), world.namespace("bare")
    item = {"type": "Container", "defaultRequest": {"cpu": "2"}}
    ranged = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "all", "namespace": where}}
    world.plane.client.apply([{**ranged, "spec": {"limits": [item]}}])
    async with world.client(alice) as client:
        answer = await create(client, workload("StatefulSet", "train", bare, 3))
        assert "REQUEST_REQUIRED" in answer.warnings[1]
        answer = await create(client, workload("StatefulSet", "train", where, 3))
        assert answer.warnings[0].startswith("labquota: 2 of 3 pods of this StatefulSet will run now")


async def test_a_suspended_job_is_told_when_it_is_resumed(world: World) -> None:
    alice, where = student(world, pods=1)
    made = workload("Job", "train", where, 3)
    made["spec"]["suspend"] = True
    async with world.client(alice) as client:
        assert (await create(client, made)).warnings == ()
        answer = await client.patch(path_of(made), {"spec": {"suspend": False}})
        assert answer.warnings[0].startswith("labquota: 1 of 3 pods of this Job will run now")


async def test_it_is_never_a_reason_to_fail(world: World) -> None:
    assert world.installed is not None
    alice, where = student(world, pods=1)
    for number in range(2):
        world.installed.webhook(number).pause()
    try:
        async with world.client(alice) as client:
            assert (await create(client, workload("Deployment", "web", where, 0))).warnings == ()
    finally:
        for number in range(2):
            world.installed.webhook(number).resume()


def _image(name: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": name}]}}}}
