"""Holds: devices that somebody keeps without a pod, charged, refused and ended as the limits say."""

import asyncio
import datetime as dt
from typing import Any

from cluster import cards
from cluster.cards import WHOLE, Cards, Json
from cluster.steps import eventually, fill, fits
from controlplane.process import wait_until
from harness import Answer, AsyncClient, World

_REFUSED = 'admission webhook "holds.labquota.dev" denied the request: '


def hold(name: str, owner: str, *devices: Json, **spec: Any) -> Json:
    return {
        "apiVersion": "labquota.dev/v1alpha1",
        "kind": "GPUAllocation",
        "metadata": {"name": name},
        "spec": {"owner": owner, "devices": list(devices), **spec},
    }


def collection(namespace: str) -> str:
    return f"/apis/labquota.dev/v1alpha1/namespaces/{namespace}/gpuallocations"


async def apply(client: AsyncClient, namespace: str, item: Json, **params: str) -> Answer:
    return await client.create(collection(namespace), item, **params)


def in_seconds(seconds: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def line(answer: Answer) -> str:
    assert answer.status == 403, f"not refused: {answer.status} {answer.message}"
    assert _REFUSED in answer.message, answer.message
    return answer.message.partition(_REFUSED)[2]


def used(world: World, owner: str) -> str:
    found: str = world.usage(owner).get("used", {}).get("gpu", "0")
    return found


async def test_a_hold_is_charged_like_a_pod_and_both_are_refused_over_one_limit(world: World) -> None:
    alice, where, node = world.user("alice"), world.namespace(), Cards(world)
    owner = world.owner(alice)
    group = world.group("student", subjects=[owner], aggregate={"gpu-equivalents": 1, "gpu": 5})
    async with world.client(alice) as client:
        await _priced(client, where, hold("probe", owner, node.device(0, 1)))
        answer = await apply(client, where, hold("desk", owner, node.device(0, 1), node.device(0, 2)))
        assert answer.status == 201, answer.message
        refused = line(await apply(client, where, hold("more", owner, node.device(1))))
        assert refused.startswith(
            f"AGGREGATE_GPU_QUOTA_EXCEEDED: {owner} asked gpu-equivalents 1, used 0.286 of 1"
        )
        assert f"(ResourceLimitGroup/{group})" in refused
        assert wait_until(lambda: used(world, owner) == "2", 5), world.usage(owner)
        whole = node.pod("train", where, resource=WHOLE)

        async def names_the_hold() -> bool:
            answer = await client.create_pod(whole)
            assert answer.status == 403, answer.message
            return f"Held by {where}/gpuallocation/desk" in answer.message

        await eventually(names_the_hold, 5, "the refusal names the hold, once the budget is published")
        answer = await client.call("DELETE", f"{collection(where)}/desk")
        assert answer.ok, answer.message
        assert await fits(client, whole) < 1
        dry = await apply(client, where, hold("dry", owner, node.device(1)), dryRun="All")
        assert dry.status == 201, dry.message
    assert wait_until(lambda: used(world, owner) == "0", 5), "a dry run keeps nothing"


async def test_a_hold_shows_its_devices_and_ends_by_the_clock(world: World) -> None:
    alice, where, node = world.user("alice"), world.namespace(), Cards(world)
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 1})
    async with world.client(alice) as client:
        await _priced(client, where, hold("probe", owner, node.device(0, 1)))
        answer = await apply(client, where, hold("desk", owner, node.device(1), expiresAt=in_seconds(6)))
        assert answer.status == 201, answer.message
        assert wait_until(lambda: _status(world, where, "desk").get("phase") == "Bound", 3)
        status = _status(world, where, "desk")
        assert (status["source"], status["summary"]["devices"]) == ("Hold", "1")
        assert status["summary"]["equivalents"] == "1"
        later = {"spec": {"expiresAt": in_seconds(60)}}
        answer = await client.patch(f"{collection(where)}/desk", later)
        assert answer.status == 422, answer
        assert "can be brought forward only" in answer.message
        assert (await client.create_pod(node.pod("train", where))).status == 403
        await asyncio.sleep(4)
        assert await fits(client, node.pod("train", where), seconds=4) < 4
        await fill(client, node.pod("train", where))
        assert wait_until(lambda: _status(world, where, "desk").get("phase") == "Expired", 3)
        answer = await apply(client, where, hold("late", owner, node.device(1), expiresAt=in_seconds(-5)))
        assert line(answer).startswith("AGGREGATE_GPU") or "spec.expiresAt has passed" in line(answer)


async def test_nobody_holds_devices_at_somebody_elses_expense(world: World) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    where, node = world.namespace(), Cards(world)
    forged = hold("desk", world.owner(bob), node.device(1))
    async with world.client(alice) as client, world.client() as admin:
        answer = await apply(client, where, forged)
        assert answer.status == 403, answer
        assert answer.message.endswith(
            f"OWNER_FORGED: {world.owner(alice)} may hold devices for themselves alone, not for "
            f"{world.owner(bob)}, whom they may not impersonate"
        )
        for owner in ("namespace:kube-system", "serviceaccount:kube-system/x", "user:", "bob"):
            answer = await apply(client, where, hold("desk", owner, node.device(1)))
            assert "OWNER_FORGED" in answer.message, (owner, answer)
        await _may_impersonate(world, alice.name, bob.name)

        async def allowed() -> bool:
            return (await apply(client, where, forged)).status in (201, 409)

        await eventually(allowed, 5, "the role is known")
        answer = await client.patch(f"{collection(where)}/desk", {"spec": {"owner": world.owner(alice)}})
        assert answer.status == 422, answer
        answer = await apply(admin, where, hold("course", f"namespace:{where}", node.device(2)))
        assert answer.status == 201, answer.message


async def test_a_hold_of_what_is_not_there_is_refused_by_name(world: World) -> None:
    alice, where, node = world.user("alice"), world.namespace(), Cards(world)
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 5})
    async with world.client(alice) as client:
        refused = line(await apply(client, where, hold("desk", owner, node.device(7))))
    assert refused == (
        f"UNKNOWN_GPU_RESOURCE: no node reports {node.uuid(7)} of node {node.node}; "
        "kubectl get gpunodes shows what there is"
    )


async def test_a_hold_on_a_device_that_a_pod_has_says_so_and_the_pod_does_not(world: World) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    where, node = world.namespace(), Cards(world)
    async with world.client(bob) as client:
        await fill(client, node.pod("train", where))
        pod = world.plane.client.get(f"/api/v1/namespaces/{where}/pods/train")
        node.report(holders=[node.holder(node.slice(4), pod)])
        cards.shows(world, pod, phase="Bound")
    async with world.client(alice) as client:
        for name in ("desk", "seat"):
            answer = await apply(client, where, hold(name, world.owner(alice), node.device(0, 4)))
            assert answer.status == 201, answer.message

    def problems() -> str:
        found = _status(world, where, "desk").get("conditions", ())
        return next((each["message"] for each in found if each["type"] == "Conflict"), "")

    assert wait_until(lambda: "seat" in problems(), 5), _status(world, where, "desk")
    assert f"is also held by pod {where}/train of {world.owner(bob)}" in problems()
    assert cards.of(world, pod)["summary"]["problems"] == "", "a hold is no reason to find fault with a pod"


def _status(world: World, namespace: str, name: str) -> Json:
    found: Json = cards.allocation(world, namespace, name).get("status", {})
    return found


async def _priced(client: AsyncClient, namespace: str, probe: Json) -> None:
    """Wait until every replica knows the node."""

    async def known() -> bool:
        answers = [await apply(client, namespace, probe, dryRun="All") for _ in range(6)]
        return all(answer.ok for answer in answers)

    await eventually(known, 5, "the node's devices are known")


async def _may_impersonate(world: World, who: str, whom: str) -> None:
    name = world.name("impersonator")
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["users"], "resourceNames": [whom], "verbs": ["impersonate"]}]
    world.apply(
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
    )
    world.apply(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": rbac, "kind": "User", "name": who}],
        }
    )
