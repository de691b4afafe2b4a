"""GPUAllocations on the real API server, with its own garbage collector; the agent's reports are the test's."""

import asyncio
import time
from typing import Any

import pytest

from cluster import cards
from cluster.cards import Cards, Json
from cluster.steps import fill, pod_path, settled
from controlplane.process import wait_until
from harness import AsyncClient, World
from harness.world import CUSTOM

_COLLECTED = 60
"""Seconds until the garbage collector has come; it looks every 30 s for kinds that are new."""


def stored(world: World, namespace: str, name: str) -> Json:
    found: Json = world.plane.client.get(pod_path(namespace, name))
    return found


async def make(client: AsyncClient, world: World, pod: Json) -> Json:
    await fill(client, pod)
    return stored(world, pod["metadata"]["namespace"], pod["metadata"]["name"])


async def test_a_pod_is_bound_by_the_agents_report_and_its_allocation_goes_with_it(world: World) -> None:
    alice, where, node = world.user("alice"), world.namespace(), Cards(world)
    async with world.client(alice) as client:
        pod = await make(client, world, node.pod("train", where))
        cards.shows(world, pod, phase="Pending")
        began = time.monotonic()
        node.report(holders=[node.holder(node.slice(3), pod)])
        status = cards.shows(world, pod, phase="Bound", source="Agent")
        assert time.monotonic() - began < 2
        (device,) = status["devices"]
        place = device["node"], device["gpu"], device["gpuInstance"], device["computeInstance"]
        assert place == (node.node, node.uuid(0), 3, 0)
        assert status["summary"] == {
            "node": node.node,
            "devices": "0:1g.10gb/3",
            "equivalents": "0.143",
            "problems": "",
        }
        made = cards.allocation(world, where, f"pod-{pod['metadata']['uid']}")
        assert made["spec"]["owner"] == world.owner(alice)
        node.says(where, "train", phase="Succeeded")
        cards.shows(world, pod, phase="Released")
        await client.delete_pod(where, "train")
    gone = wait_until(lambda: not cards.of(world, pod), _COLLECTED)
    assert gone, "the garbage collector follows the owner reference"


async def test_a_pods_own_status_binds_it_where_the_api_server_keeps_that(world: World) -> None:
    alice, where, node = world.user("alice"), world.namespace(), Cards(world)
    async with world.client(alice) as client:
        pod = await make(client, world, node.pod("train", where))
        written = node.says(where, "train", node.slice(2))
        if "allocatedResourcesStatus" not in written["status"]["containerStatuses"][0]:
            pytest.skip("this release has not switched ResourceHealthStatus on")
        status = cards.shows(world, pod, phase="Bound", source="PodStatus")
        assert status["devices"][0]["gpuInstance"] == 2


async def test_a_pod_that_is_made_again_under_its_name_gets_nothing_of_the_first_ones(world: World) -> None:
    alice, where, node = world.user("alice"), world.namespace(), Cards(world)
    async with world.client(alice) as client:
        first = await make(client, world, node.pod("train", where))
        node.report(holders=[node.holder(node.slice(1), first)])
        cards.shows(world, first, phase="Bound")
        node.says(where, "train", phase="Failed")
        cards.shows(world, first, phase="Released")
        await client.delete_pod(where, "train")
        second = await make(client, world, node.pod("train", where))
        both = [node.holder(node.slice(1), second), node.holder(node.slice(2), second)]
        node.report(holders=both)  # the kubelet lists the finished one still, and its List knows no UIDs
        cards.shows(world, second, phase="Pending")
        node.report(holders=both[1:])
        status = cards.shows(world, second, phase="Bound")
        assert [each["id"] for each in status["devices"]] == [node.slice(2)]


async def test_each_condition_shows_with_its_evidence_and_goes_with_its_cause(world: World) -> None:
    alice, where, node = world.user("alice"), world.namespace(), Cards(world)
    async with world.client(alice) as client:
        one = await make(client, world, node.pod("one", where))
        two = await make(client, world, node.pod("two", where))
        held = [node.holder(node.slice(1), one), node.holder(node.slice(2), two)]
        node.report(holders=held)
        cards.shows(world, two, phase="Bound")

        node.report(holders=held, without=[1], stale=True)
        await asyncio.sleep(1)
        assert "conditions" not in cards.of(world, one) or not cards.of(world, one)["conditions"]
        node.report(holders=held, without=[1])
        text = cards.condition(world, one, "Missing", holds=True)
        assert text == f"{node.slice(1)} ({node.uuid(0)} 1/0) is gone from node {node.node}"
        assert cards.of(world, one)["summary"]["problems"] == "Missing"
        node.report(holders=held)
        cards.condition(world, one, "Missing", holds=False)

        node.report(holders=[node.holder(node.slice(1), one), node.holder(node.slice(1), two)])
        text = cards.condition(world, one, "Conflict", holds=True)
        assert text.endswith(f"is also held by pod {where}/two of {world.owner(alice)}")
        node.report(holders=held)
        cards.condition(world, one, "Conflict", holds=False)
        cards.condition(world, two, "Conflict", holds=False)

        process = {"gpu": node.uuid(0), "gpuInstance": 2, "computeInstance": 0, "pid": 7, "command": "xmrig"}
        node.report(holders=held, unaccounted=[{**process, "cgroup": "/system.slice/x.service"}])
        text = cards.condition(world, two, "Unaccounted", holds=True)
        assert text.startswith("process 7 (xmrig) of no pod (cgroup /system.slice/x.service) uses ")
        node.report(holders=held)
        cards.condition(world, two, "Unaccounted", holds=False)
        events = await client.list(f"/api/v1/namespaces/{where}/events")
    reasons = {each["reason"] for each in events if each["involvedObject"]["kind"] == "GPUAllocation"}
    assert reasons == {f"{no}{kind}" for kind in ("Missing", "Conflict", "Unaccounted") for no in ("", "No")}


async def test_a_device_that_a_forced_deletion_leaves_behind_is_orphaned_until_the_kubelet_lets_go(
    world: World,
) -> None:
    alice, where, node = world.user("alice"), world.namespace(), Cards(world)
    async with world.client(alice) as client:
        pod = await make(client, world, node.pod("train", where))
        node.report(holders=[node.holder(node.slice(1), pod)])
        cards.shows(world, pod, phase="Bound")
        await client.delete_pod(where, "train")
    assert wait_until(lambda: not cards.of(world, pod), _COLLECTED), "the first one goes with its pod"
    node.report(holders=[node.holder(node.slice(1), None, "train")])
    text = cards.condition(world, pod, "Orphaned", holds=True)
    assert text.endswith(f"to container main of pod {where}/train, which is gone")
    node.report()
    assert wait_until(lambda: not cards.of(world, pod), 5)


async def test_only_the_operator_writes_allocations_of_pods_and_any_status(world: World) -> None:
    alice, where, node = world.user("alice"), world.namespace(), Cards(world)
    collection = f"/apis/labquota.dev/v1alpha1/namespaces/{where}/gpuallocations"
    kind = {"apiVersion": "labquota.dev/v1alpha1", "kind": "GPUAllocation"}
    async with world.client(alice) as client, world.client() as admin:
        pod = await make(client, world, node.pod("train", where))
        cards.shows(world, pod, phase="Pending")
        uid = pod["metadata"]["uid"]
        spec: dict[str, Any] = {"owner": world.owner(alice), "pod": {"name": "train", "uid": uid}}
        hold = {"owner": world.owner(alice), "devices": [node.device(1)]}
        made = (
            "the operator makes the allocations of pods: leave spec.pod out, and let no name of a hold begin"
        )
        for who in (client, admin):
            answer = await who.create(collection, {**kind, "metadata": {"name": "mine"}, "spec": spec})
            assert answer.status == 403, answer
            assert made in answer.message
            answer = await who.create(
                collection, {**kind, "metadata": {"name": f"pod-{uid[:8]}"}, "spec": hold}
            )
            assert made in answer.message
            path = f"{collection}/pod-{uid}"
            answer = await who.patch(path, {"spec": {"resources": {"nvidia.com/gpu": 7}}})
            assert made in answer.message
        answer = await admin.patch(f"{collection}/pod-{uid}/status", {"status": {"phase": "Released"}})
        assert "the status of a GPUAllocation is written by the operator alone" in answer.message
        answer = await client.call("DELETE", f"{collection}/pod-{uid}")
        assert answer.ok, answer.message
    cards.shows(world, pod, phase="Pending")


async def test_of_pods_that_come_all_the_time_each_is_bound_within_two_seconds(world: World) -> None:
    alice, where, node = world.user("alice"), world.namespace(), Cards(world)
    count, told, bound = 150, dict[str, float](), dict[str, float]()
    async with world.client(alice) as client, world.client() as admin:
        names = [f"p-{number}" for number in range(count)]
        answers = await asyncio.gather(*(client.create_pod(node.pod(name, where)) for name in names))
        assert {answer.status for answer in answers} == {201}
        assert wait_until(lambda: _phases(world, where) == ["Pending"] * count, 60)
        pods = {
            each["metadata"]["uid"]: each for each in await client.list(f"/api/v1/namespaces/{where}/pods")
        }
        if "allocatedResourcesStatus" not in str(node.says(where, names[0], "MIG-0")):
            pytest.skip("this release has not switched ResourceHealthStatus on")

        async def tell() -> None:
            for uid, pod in pods.items():
                told[uid] = time.monotonic()
                status = {"containerStatuses": [cards.container(f"MIG-{uid}")]}
                answer = await admin.patch(
                    f"{pod_path(where, pod['metadata']['name'])}/status", {"status": status}
                )
                assert answer.ok, answer.message
                await asyncio.sleep(0.03)

        telling = asyncio.create_task(tell())
        until = time.monotonic() + 60
        while len(bound) < count and time.monotonic() < until:
            for each in await admin.list(f"{CUSTOM}/namespaces/{where}/gpuallocations"):
                uid = each["spec"]["pod"]["uid"]
                if uid in told and each.get("status", {}).get("phase") == "Bound":
                    bound.setdefault(uid, time.monotonic())
            await asyncio.sleep(0.05)
        await telling
    took = sorted(bound[uid] - told[uid] for uid in told)
    print(f"bound after p50 {took[count // 2]:.2f} s, p99 {took[int(count * 0.99) - 1]:.2f} s")
    assert took[int(count * 0.99) - 1] <= 2


async def test_a_thousand_pods_that_fail_at_once_are_free_at_once_and_cost_a_write_each(world: World) -> None:
    alice, where, node = world.user("alice"), world.namespace(), Cards(world)
    owner, count = world.owner(alice), 1000
    assert world.installed is not None

    def writes() -> float:
        assert world.installed is not None
        return world.installed.metrics("operator-0")["labquota_operator_allocation_writes_total"]

    async with world.client(alice) as client, world.client() as admin:
        names = [f"p-{number}" for number in range(count)]
        answers = await asyncio.gather(*(client.create_pod(node.pod(name, where)) for name in names))
        assert {answer.status for answer in answers} == {201}
        pods = await client.list(f"/api/v1/namespaces/{where}/pods")
        assert wait_until(lambda: _phases(world, where) == ["Pending"] * count, 60)
        settled(world, owner, count)
        before, began = writes(), time.monotonic()
        failed = {"status": {"phase": "Failed", "reason": "UnexpectedAdmissionError"}}
        answers = await asyncio.gather(
            *(admin.patch(f"{pod_path(where, name)}/status", failed) for name in names)
        )
        assert {answer.status for answer in answers} == {200}
        took = time.monotonic() - began
        settled(world, owner, 0)
        print(f"{count} failed in {took:.1f} s, all free after {time.monotonic() - began:.1f} s")
        assert writes() - before <= 100 * (time.monotonic() - began) + 25
        assert wait_until(lambda: set(_phases(world, where)) == {"Released"}, 60)
        assert writes() - before <= count * 1.05
        assert len(pods) == count


def _phases(world: World, namespace: str) -> list[str]:
    found = world.plane.client.get(f"{CUSTOM}/gpuallocations")["items"]
    return [
        each.get("status", {}).get("phase", "")
        for each in found
        if each["metadata"]["namespace"] == namespace
    ]
