"""Escapes by the annotation itself: another's name written on what is created, patched, replaced or applied."""

from typing import Any

import pytest

from cluster.attackers import (
    LABEL,
    REPLACE,
    STAMP,
    appear,
    applied,
    charged,
    create,
    created,
    path,
    resident,
    stamp,
    stamps,
    workload,
)
from cluster.stamped import WORKLOADS, templates
from cluster.steps import fill, held, line, pod_path
from harness import World
from harness.manifests import Manifest

FORGED = f'OWNER_FORGED: annotation {STAMP} says who created it and stays "'


async def test_anothers_stamp_on_a_new_pod_is_overwritten(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), lab.user("bob", role=None)
    me, him = lab.owner(alice), lab.owner(bob)
    lab.group("student", subjects=[me], aggregate={"pods": 1})
    async with lab.client(alice) as client:
        await fill(client, held("one", where, annotations={STAMP: him}, labels={LABEL: bob.name}))
        found = (await client.get(pod_path(where, "one"))).body
        assert stamp(found) == me
        assert found["metadata"]["labels"][LABEL] == alice.name
        answer = await client.create_pod(held("two", where, annotations={STAMP: him}))
    assert line(answer).startswith(f"AGGREGATE_PODS_QUOTA_EXCEEDED: {me} asked pods 1, used 1 of 1")
    charged(lab, {me: 1, him: 0})


@pytest.mark.parametrize(
    "stamped", ["", "nobody", "user:", "namespace:kube-system", "system:masters", "x" * 5000]
)
async def test_no_writing_on_a_new_pod_makes_it_anybody_elses(lab: World, stamped: str) -> None:
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    async with lab.client(alice) as client:
        await fill(client, held("one", where, annotations={STAMP: stamped}))
        assert await stamps(client, where) == [lab.owner(alice)]
    charged(lab, {lab.owner(alice): 1})


@pytest.mark.parametrize("kind", WORKLOADS)
async def test_anothers_stamp_on_a_workload_and_in_its_template_is_overwritten(lab: World, kind: str) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), lab.user("bob", role=None)
    me, him = lab.owner(alice), lab.owner(bob)
    forged = {STAMP: him}
    made = workload(kind, "w", where, annotations=forged, labels={LABEL: bob.name})
    made["metadata"]["annotations"] = forged
    for template in templates(made):
        template["metadata"]["annotations"] = {**template["metadata"].get("annotations", {}), **forged}
    async with lab.client(alice) as client:
        stored = await created(lab, client, made)
        assert [stamp(each) for each in (stored, *templates(stored))] == [me] * (1 + len(templates(stored)))
        if kind == "CronJob":
            return
        count = len(lab.plane.client.get("/api/v1/nodes")["items"]) if kind == "DaemonSet" else 1
        assert await appear(client, where, count) == [me] * count
    charged(lab, {me: count, him: 0})


@pytest.mark.parametrize("kind", WORKLOADS)
async def test_a_workloads_stamps_can_be_neither_changed_nor_lost_in_a_template(
    lab: World, kind: str
) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me = lab.owner(alice)
    made = workload(kind, "w", where, replicas=0)
    if kind == "Job":
        made["spec"] |= {"completions": 1, "suspend": True}  # else its template cannot be changed at all
    async with lab.client(alice) as client, lab.client(bob) as his:
        stored = await created(lab, client, made)
        inner = (
            ["/spec/jobTemplate", "/spec/jobTemplate/spec/template"]
            if kind == "CronJob"
            else ["/spec/template"]
        )
        places = ["/metadata", *(f"{each}/metadata" for each in inner)]
        for place in places:
            pointer = f"{place}/annotations/{STAMP.replace('/', '~1')}"
            for who in (client, his):
                patch = [{"op": "replace", "path": pointer, "value": lab.owner(bob)}]
                answer = await who.patch(path(lab, made), patch, REPLACE)
                assert answer.status == 403, (place, answer)
                assert f'{FORGED}{me}", in its template too' in answer.message
                answer = await who.patch(path(lab, made), [{"op": "remove", "path": pointer}], REPLACE)
                assert answer.ok, (place, answer.message)
                stored = answer.body
                assert [stamp(each) for each in (stored, *templates(stored))] == [me] * len(places)


async def test_the_owner_of_a_pod_stays_whatever_is_patched_replaced_or_applied(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where, role="admin"), resident(lab, "bob", where)
    me, him = lab.owner(alice), lab.owner(bob)
    at = pod_path(where, "one")
    async with lab.client(alice) as client, lab.client(bob) as his, lab.client() as admin:
        await fill(client, held("one", where, spec={"schedulerName": "nobody"}))
        patch = {"metadata": {"annotations": {STAMP: him}}}
        manifest: Manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "one", **patch["metadata"]},
        }
        for who in (client, his, admin):
            found: dict[str, Any] = (await client.get(at)).body
            found["metadata"]["annotations"][STAMP] = him
            found["metadata"].pop("resourceVersion")
            for answer in (
                await who.patch(at, patch),
                await applied(who, at, manifest),
                await who.call("PUT", at, found),
            ):
                assert answer.status == 403, answer
                assert answer.message.endswith(f'{FORGED}{me}"')
            found["metadata"].pop("annotations")
            for answer in (
                await who.patch(at, {"metadata": {"annotations": {STAMP: None}}}),
                await who.patch(at, {"metadata": {"annotations": None}}),
                await who.call("PUT", at, found),
            ):
                assert answer.ok, answer.message
                assert stamp(answer.body) == me, "what is left out is put back"
        assert await stamps(client, where) == [me]
    charged(lab, {me: 1, him: 0})


async def test_a_stamp_that_was_applied_cannot_be_given_up_again(lab: World) -> None:
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    me, at = lab.owner(alice), pod_path(where, "one")
    pod = held("one", where, annotations={STAMP: me})
    async with lab.client(alice) as client:
        answer = await applied(client, at, pod, "mine")
        assert (answer.status, stamp(answer.body)) == (201, me)
        del pod["metadata"]["annotations"][STAMP]
        answer = await applied(client, at, pod, "mine")
        assert (answer.status, stamp(answer.body)) == (200, me), "its only manager left it out"


async def test_a_label_is_for_finding_pods_and_moves_no_charge(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), lab.user("bob", role=None)
    async with lab.client(alice) as client:
        await fill(client, held("one", where))
        answer = await client.patch(pod_path(where, "one"), {"metadata": {"labels": {LABEL: bob.name}}})
        assert answer.ok, answer.message
        assert await stamps(client, where) == [lab.owner(alice)]
    charged(lab, {lab.owner(alice): 1, lab.owner(bob): 0})


async def test_what_other_platforms_write_counts_for_nothing_on_a_users_objects(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), lab.user("bob", role=None)
    platforms = ("hub.jupyter.org/username", "owner", "openshift.io/requester")
    written = dict.fromkeys(platforms, bob.name)
    async with lab.client(alice) as client:
        await fill(client, held("one", where, annotations=written))
        made = workload("Deployment", "web", where, annotations=written)
        made["metadata"]["annotations"] = written
        assert (await create(lab, client, made)).ok
        assert await appear(client, where, 2) == [lab.owner(alice)] * 2
    charged(lab, {lab.owner(alice): 2, lab.owner(bob): 0})


async def test_a_cloned_manifest_is_the_clones_authors(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    async with lab.client(alice) as client, lab.client(bob) as his:
        first = await created(lab, his, workload("Deployment", "web", where, replicas=0))
        await fill(his, held("one", where))
        pod = (await client.get(pod_path(where, "one"))).body
        clone = {"apiVersion": "v1", "kind": "Pod", "spec": pod["spec"]}
        meta = pod["metadata"]
        clone["metadata"] = {key: meta[key] for key in ("namespace", "annotations", "labels")} | {
            "name": "two"
        }
        assert STAMP in clone["metadata"]["annotations"]
        await fill(client, clone)
        kept = {key: first["metadata"][key] for key in ("namespace", "annotations")}
        kept["annotations"].pop("deployment.kubernetes.io/revision", None)
        twin = {**first, "metadata": {**kept, "name": "copy"}}
        twin["spec"]["replicas"] = 1
        twin["spec"]["selector"]["matchLabels"] = {"app": "copy"}
        twin["spec"]["template"]["metadata"]["labels"] = {"app": "copy", LABEL: bob.name}
        twin.pop("status")
        assert stamp((await create(lab, client, twin)).body) == lab.owner(alice)
        assert await appear(client, where, 3) == sorted([lab.owner(alice)] * 2 + [lab.owner(bob)])
    charged(lab, {lab.owner(alice): 2, lab.owner(bob): 1})
