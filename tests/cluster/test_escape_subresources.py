"""Escapes by subresources that few may write: status, binding, ephemeral containers, resize, finalize."""

import pytest

from cluster.attackers import (
    LABEL,
    STAMP,
    charged,
    created,
    entitle,
    founded,
    path,
    resident,
    stamp,
    workload,
)
from cluster.stamped import WORKLOADS
from cluster.steps import fill, held, line, pod_path
from harness import World
from harness.clients import STRATEGIC
from harness.manifests import Manifest

MIRROR = "kubernetes.io/config.mirror"
FORGED = f'OWNER_FORGED: annotation {STAMP} says who created it and stays "'


@pytest.mark.parametrize("kind", WORKLOADS)
async def test_the_status_of_a_workload_is_no_way_to_its_stamp(lab: World, kind: str) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), lab.user("bob", role=None)
    made = workload(kind, "w", where, replicas=0)
    at = path(lab, made)
    plural = at.split("/")[-2]
    group = made["apiVersion"].partition("/")[0] if "/" in made["apiVersion"] else ""
    entitle(lab, alice, ["update", "patch"], f"{plural}/status.{group}")
    async with lab.client(alice) as client:
        await created(lab, client, made)
        for value in (lab.owner(bob), None):
            answer = await client.patch(f"{at}/status", {"metadata": {"annotations": {STAMP: value}}})
            assert answer.status == 403, answer
            assert FORGED + lab.owner(alice) in answer.message
        assert stamp((await client.get(at)).body) == lab.owner(alice)


@pytest.mark.parametrize("part", ["status", "finalize"])
async def test_a_namespaces_subresources_are_no_way_to_its_owner(lab: World, part: str) -> None:
    alice, bob = lab.user("alice", role=None), lab.user("bob", role=None)
    entitle(lab, alice, ["create", "get", "update"], "namespaces", f"namespaces/{part}")
    async with lab.client(alice) as client:
        at = f"/api/v1/namespaces/{await founded(lab, client, 'hers')}"
        found = (await client.get(at)).body
        assert stamp(found) == lab.owner(alice)
        del found["metadata"]["resourceVersion"]
        for value in (lab.owner(bob), ""):
            found["metadata"]["annotations"] = {STAMP: value}
            answer = await client.call("PUT", f"{at}/{part}", found)
            assert answer.status == 403, answer
            assert FORGED + lab.owner(alice) in answer.message


@pytest.mark.parametrize("part", ["status", "ephemeralcontainers", "resize"])
async def test_a_pods_subresources_are_no_way_to_its_stamp(lab: World, part: str) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), lab.user("bob", role=None)
    entitle(lab, alice, ["update", "patch"], f"pods/{part}")
    me, at = lab.owner(alice), pod_path(where, "one")
    async with lab.client(alice) as client:
        await fill(client, held("one", where, cpu=1))
        for value in (lab.owner(bob), None):
            answer = await client.patch(f"{at}/{part}", {"metadata": {"annotations": {STAMP: value}}})
            if part == "status":
                assert answer.status == 403, answer
                assert answer.message.endswith(f'{FORGED}{me}"')
            assert stamp((await client.get(at)).body) == me
    charged(lab, {me: 1, lab.owner(bob): 0})


@pytest.mark.parametrize("legacy", [False, True], ids=["binding", "legacy binding"])
async def test_a_binding_brings_no_stamp(lab: World, legacy: bool) -> None:  # noqa: FBT001  a parameter of pytest's
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), lab.user("bob", role=None)
    entitle(lab, alice, ["create"], "bindings", "pods/binding")
    me, at = lab.owner(alice), pod_path(where, "one")
    async with lab.client(alice) as client:
        await fill(client, held("one", where, spec={"schedulerName": "nobody"}))
        binding: Manifest = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": "one", "annotations": {STAMP: lab.owner(bob)}},
            "target": {"kind": "Node", "name": "gpu-node-0"},
        }
        bindings = f"/api/v1/namespaces/{where}/bindings" if legacy else f"{at}/binding"
        for name in (STAMP, MIRROR):
            binding["metadata"]["annotations"] = {name: lab.owner(bob)}
            answer = await client.create(bindings, binding)
            assert answer.status == 403, answer
            assert "OWNER_FORGED" in answer.message
        binding["metadata"]["annotations"] = {"example.org/any": "thing"}
        answer = await client.create(bindings, binding)
        assert answer.ok, answer.message
        found = (await client.get(at)).body
        assert found["metadata"]["annotations"]["example.org/any"] == "thing", (
            "what a binding brings is merged"
        )
        assert (found["spec"]["nodeName"], stamp(found)) == ("gpu-node-0", me)
    charged(lab, {me: 1, lab.owner(bob): 0})


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_a_pod_that_has_ended_does_not_come_back(lab: World, phase: str) -> None:
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    me, at = lab.owner(alice), f"{pod_path(where, 'one')}/status"
    entitle(lab, alice, ["update", "patch"], "pods/status")
    async with lab.client(alice) as client, lab.client() as admin:
        await fill(client, held("one", where), held("two", where))
        assert (await admin.patch_status(where, "one", {"phase": phase})).ok
        charged(lab, {me: 1})
        for again in ("Running", "Pending", "Unknown"):
            for who in (client, admin):
                answer = await who.patch(at, {"status": {"phase": again}})
                assert answer.status == 403, answer
                assert answer.message.endswith("a pod that has ended stays so: its budget is free already")
        assert (await admin.get(pod_path(where, "one"))).body["status"]["phase"] == phase
    charged(lab, {me: 1})


async def test_the_mark_of_a_static_pod_is_for_nodes_alone(lab: World) -> None:
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    me = lab.owner(alice)
    lab.group("student", subjects=[me], aggregate={"pods": 1})
    entitle(lab, alice, ["update", "patch"], "pods/status")
    async with lab.client(alice) as client:
        pinned = {"nodeName": "gpu-node-0", "automountServiceAccountToken": False, "serviceAccountName": ""}
        answer = await client.create_pod(held("zero", where, annotations={MIRROR: "1"}, spec=pinned))
        assert answer.status == 403, answer
        assert answer.message.endswith(f"OWNER_FORGED: annotation {MIRROR} is for nodes alone")
        await fill(client, held("one", where))
        for part in ("", "/status"):
            patch = {"metadata": {"annotations": {MIRROR: "1"}}}
            answer = await client.patch(f"{pod_path(where, 'one')}{part}", patch)
            assert answer.status in (403, 422), answer  # it may not be changed in any pod, either
        answer = await client.create_pod(held("two", where))
        assert line(answer).startswith(f"AGGREGATE_PODS_QUOTA_EXCEEDED: {me} asked pods 1, used 1 of 1")
    charged(lab, {me: 1})


async def test_a_static_pod_is_never_refused_and_charged_to_its_node(lab: World) -> None:
    where, name = lab.namespace(), "gpu-node-0"
    node = lab.plane.user(f"system:node:{name}", ("system:nodes",), role=None)
    owner = lab.owner(node)
    lab.group("nodes", subjects=[owner], aggregate={"pods": 0})
    uid = lab.plane.client.get(f"/api/v1/nodes/{name}")["metadata"]["uid"]
    its = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid, "controller": True}
    spec = {"nodeName": name, "automountServiceAccountToken": False, "serviceAccountName": ""}
    async with lab.client(node) as client:
        pod = held("static", where, annotations={MIRROR: "1"}, owner_references=[its], spec=spec)
        await fill(client, pod)
        charged(lab, {owner: 1})
        assert (await client.delete_pod(where, "static", gracePeriodSeconds=0)).ok


async def test_an_ephemeral_container_is_free_and_can_ask_for_nothing(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me, him, at = lab.owner(alice), lab.owner(bob), f"{pod_path(where, 'one')}/ephemeralcontainers"
    entitle(lab, bob, ["update", "patch"], "pods/ephemeralcontainers")
    async with lab.client(alice) as client, lab.client(bob) as his:
        await fill(client, held("one", where, gpu=1))
        greedy = {"name": "debug", "image": "none", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
        answer = await his.patch(at, {"spec": {"ephemeralContainers": [greedy]}}, STRATEGIC)
        assert answer.status == 422, answer
        assert "resources: Forbidden: cannot be set for an Ephemeral Container" in answer.message
        del greedy["resources"]
        answer = await his.patch(at, {"spec": {"ephemeralContainers": [greedy]}}, STRATEGIC)
        assert (answer.status, stamp(answer.body)) == (200, me)
    charged(lab, {me: 1, him: 0})
    assert lab.usage(me)["used"]["gpu"] == "1"


async def test_a_copy_of_anothers_pod_for_debugging_is_its_copiers(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me, him = lab.owner(alice), lab.owner(bob)
    async with lab.client(alice) as client, lab.client(bob) as his:
        await fill(his, held("one", where, gpu=1))
        copy = ("debug", "one", "--copy-to=two", "--keep-annotations", "--keep-labels", "--image=none")
        done = lab.plane.kubectl(alice, "-n", where, *copy)
        assert done.returncode == 0, done.stderr
        found = (await client.get(pod_path(where, "two"))).body
        assert (stamp(found), found["metadata"]["labels"][LABEL]) == (me, alice.name)
    charged(lab, {me: 1, him: 1})
