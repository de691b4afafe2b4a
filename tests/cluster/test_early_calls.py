"""What changes nothing for labquota costs no call of its webhooks: the API server's own count says so."""

import asyncio
from typing import Any

from cluster.steps import eventually
from cluster.workloads import PATHS, create, path_of, pod_names, workload
from harness import World, probe
from harness.clients import STRATEGIC

WEBHOOKS = ("pods.labquota.dev", "workloads.labquota.dev", "owners.labquota.dev")


def calls(world: World) -> dict[str, int]:
    """How often each webhook has been called so far."""
    return {name: probe.calls(world.plane.client, name) for name in WEBHOOKS}


async def quiet(world: World) -> dict[str, int]:
    """The counts once nothing else goes on."""
    before = calls(world)
    for _ in range(20):
        await asyncio.sleep(1)
        if (now := calls(world)) == before:
            return now
        before = now
    raise AssertionError(before)


def container(**fields: Any) -> dict[str, Any]:
    """A patch of the one container in a template."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "main", **fields}]}}}}


async def test_updates_that_change_nothing_for_us_call_no_webhook(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    made = {kind: workload(kind, kind.lower(), where, 2, cpu="1m") for kind in PATHS}
    async with world.client(alice) as client:
        for each in made.values():
            await create(client, each)

        async def run() -> bool:
            return len(await pod_names(client, where)) >= 2 * len(PATHS) - 2

        await eventually(run, 20, "their pods are there")
        before = await quiet(world)
        for kind, each in made.items():
            path = path_of(each)
            for patch in (
                {"metadata": {"labels": {"team": "vision"}}},
                {"metadata": {"annotations": {"note": "x" * 1000}}},
            ):
                assert (await client.patch(path, patch)).ok
            assert (await client.patch(path, {"metadata": {"labels": {"team": "vision"}}})).ok, (
                "the same again"
            )
            if kind not in ("DaemonSet", "Job", "CronJob"):
                assert (await client.patch(f"{path}/scale", {"spec": {"replicas": 1}})).ok
                assert (await client.patch(path, {"spec": {"replicas": 0}})).ok
            if kind in ("StatefulSet", "ReplicaSet"):
                assert (await client.patch(path, container(image="other"), STRATEGIC)).ok
        job = path_of(made["Job"])
        assert (await client.patch(job, {"spec": {"parallelism": 1}})).ok
        assert (await client.patch(job, {"spec": {"suspend": True}})).ok
        assert (await client.patch(path_of(made["CronJob"]), {"spec": {"schedule": "1 1 1 1 *"}})).ok
        pod = (await pod_names(client, where))[0]
        labels = {"metadata": {"labels": {"a": "b"}}}
        assert (await client.patch(f"/api/v1/namespaces/{where}/pods/{pod}", labels)).ok
        await asyncio.sleep(1)  # for what controllers write in answer
        assert calls(world) == before


async def test_controllers_that_create_scale_and_keep_count_call_none_for_workloads(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    async with world.client(alice) as client:
        before = await quiet(world)
        await create(client, workload("Deployment", "web", where, 5, cpu="1m"))

        async def run() -> bool:
            return len(await pod_names(client, where)) == 5

        await eventually(run, 10, "its pods are there")
        after = await quiet(world)
    assert after["workloads.labquota.dev"] - before["workloads.labquota.dev"] == 1, "the Deployment itself"
    assert after["pods.labquota.dev"] - before["pods.labquota.dev"] == 5, "a pod each"
    assert after["owners.labquota.dev"] == before["owners.labquota.dev"]


async def test_what_does_matter_is_a_call(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    made = workload("Deployment", "web", where, 0)
    path = path_of(made)
    async with world.client(alice) as client:
        before = calls(world)["workloads.labquota.dev"]
        await create(client, made)
        assert calls(world)["workloads.labquota.dev"] == (before := before + 1)
        for way, patch, called in (
            (f"{path}/scale", {"spec": {"replicas": 1}}, True),
            (path, {"spec": {"replicas": 2}}, True),
            (path, container(resources={"requests": {"cpu": "2m"}}), True),
            (path, container(image="other"), True),
            (path, {"spec": {"paused": True}}, False),
            (path, {"spec": {"paused": False}}, True),
        ):
            assert (await client.patch(way, patch, STRATEGIC)).ok
            assert calls(world)["workloads.labquota.dev"] == (before := before + called), patch
