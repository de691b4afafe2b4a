"""Escapes by labels: what controllers adopt, orphans, and the revisions of a StatefulSet."""

from typing import Any

import pytest

from cluster.attackers import (
    STAMP,
    appear,
    applied,
    charged,
    create,
    created,
    entitle,
    path,
    reference,
    resident,
    stamp,
    stamps,
    workload,
)
from cluster.steps import eventually, fill, held
from harness import AsyncClient, World
from harness.manifests import Manifest

REVISIONS = "OWNER_FORGED: revisions are written by controllers alone; change the workload itself"


async def adopted(client: AsyncClient, at: str, by: Manifest) -> None:
    """Wait until an object has a controller reference to another."""

    async def has() -> bool:
        found = (await client.get(at)).body["metadata"].get("ownerReferences", [])
        return [each["uid"] for each in found if each.get("controller")] == [by["metadata"]["uid"]]

    await eventually(has, 10, f"{at} is adopted by {by['metadata']['name']}")


async def orphaned(lab: World, client: AsyncClient, manifest: Manifest) -> None:
    """Delete an object and leave what it made."""
    at = path(lab, manifest)
    assert (await client.delete(at, propagationPolicy="Orphan")).ok

    async def gone() -> bool:
        return (await client.get(at)).status == 404

    await eventually(gone, 10, f"{at} is gone and its dependents are not")


async def test_a_pod_that_anothers_replica_set_adopts_stays_its_authors(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    async with lab.client(alice) as client, lab.client(bob) as his:
        await fill(client, held("stray", where, labels={"app": "web"}))
        parent = await created(lab, his, workload("ReplicaSet", "web", where, replicas=2))
        await adopted(client, f"/api/v1/namespaces/{where}/pods/stray", parent)
        assert await appear(client, where, 2) == [lab.owner(alice), lab.owner(bob)]
    charged(lab, {lab.owner(alice): 1, lab.owner(bob): 1})


async def test_a_replica_set_that_anothers_deployment_adopts_makes_its_authors_pods(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me, him = lab.owner(alice), lab.owner(bob)
    async with lab.client(alice) as client, lab.client(bob) as his:
        made = workload("ReplicaSet", "web", where)
        made["metadata"]["labels"] = {"app": "web"}
        mine = await created(lab, client, made)
        paused = workload("Deployment", "web", where, replicas=0)
        paused["spec"]["paused"] = True
        parent = await created(lab, his, paused)
        await adopted(client, path(lab, mine), parent)
        assert set(await stamps(client, where)) <= {me}
        # a paused Deployment spreads its replicas over the ReplicaSets that it has
        await his.patch(path(lab, parent), {"spec": {"replicas": 2}})
        assert set(await appear(client, where, 2)) == {me}
    charged(lab, {me: 2, him: 0})


@pytest.mark.parametrize("kind", ["ReplicaSet", "StatefulSet"])
async def test_orphans_that_are_adopted_stay_whose_they_were(lab: World, kind: str) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me, him = lab.owner(alice), lab.owner(bob)
    made = workload(kind, "web", where, replicas=2)
    if kind == "StatefulSet":
        made["spec"]["updateStrategy"] = {"type": "OnDelete"}
    async with lab.client(alice) as client, lab.client(bob) as his:
        first = await created(lab, his, made)
        assert await appear(client, where, 2) == [him, him]
        await orphaned(lab, client, first)
        made["spec"]["replicas"] = 3
        again = await created(lab, client, made)
        assert stamp(again["spec"]["template"]) == me
        assert await appear(client, where, 3) == [me, him, him], "who made a pod pays for it until it ends"
    charged(lab, {me: 1, him: 2})


async def test_a_replica_set_that_was_orphaned_stays_whose_it_was(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me, him = lab.owner(alice), lab.owner(bob)
    async with lab.client(alice) as client, lab.client(bob) as his:
        made = workload("Deployment", "web", where)
        made["spec"]["strategy"] = {"type": "Recreate"}
        first = await created(lab, his, made)
        assert await appear(client, where, 1) == [him]
        await orphaned(lab, his, first)
        again = await created(lab, client, made)
        assert stamp(again) == me

        async def replaced() -> bool:
            return await stamps(client, where) == [me]

        await eventually(replaced, 20, "Alice's Deployment replaces what it adopted by pods of her own")
    charged(lab, {me: 1, him: 0})


async def test_a_revision_is_written_by_controllers_alone(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where, role="admin"), resident(lab, "bob", where)
    entitle(lab, alice, ["get", "delete", "update", "patch", "create"], "controllerrevisions.apps")
    me, him = lab.owner(alice), lab.owner(bob)
    revisions = f"/apis/apps/v1/namespaces/{where}/controllerrevisions"
    async with lab.client(alice) as client, lab.client(bob) as his, lab.client() as admin:
        parent = await created(lab, his, workload("StatefulSet", "db", where))
        assert await appear(client, where, 1) == [him]
        (listed,) = await client.list(revisions)
        at = f"{revisions}/{listed['metadata']['name']}"
        first = (await client.get(at)).body
        for who in (client, admin):
            answer = await who.patch(at, {"revision": 7})
            assert answer.status == 403, answer
            assert answer.message.endswith(REVISIONS)
        assert (await client.delete(at)).ok
        forged: dict[str, Any] = {**first, "metadata": {**first["metadata"]}}
        forged["metadata"] = {key: first["metadata"][key] for key in ("name", "namespace", "labels")}
        forged["metadata"]["ownerReferences"] = [reference(parent)]
        forged["data"]["spec"]["template"]["metadata"]["annotations"][STAMP] = me
        for answer in (await create(lab, client, forged), await applied(client, at, forged)):
            assert answer.status == 403, answer
            assert answer.message.endswith(REVISIONS)
        await his.patch(path(lab, parent), {"spec": {"replicas": 2}})
        assert await appear(client, where, 2) == [him, him], "its controller has written it anew"
    charged(lab, {me: 0, him: 2})


async def test_a_stateful_set_can_still_be_deleted_without_its_pods(lab: World) -> None:
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    async with lab.client(alice) as client:
        made = await created(lab, client, workload("StatefulSet", "db", where))
        await appear(client, where, 1)
        await orphaned(lab, client, made)
        assert await appear(client, where, 1) == [lab.owner(alice)]
    charged(lab, {lab.owner(alice): 1})
