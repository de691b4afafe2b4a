"""Escapes by owner references: to another's workload with and without the right UID, on what is made and afterwards."""

import pytest

from cluster.attackers import (
    STAMP,
    appear,
    charged,
    created,
    path,
    reference,
    resident,
    stamp,
    stamps,
    workload,
)
from cluster.steps import fill, held, pod_path
from harness import CONTROLLER, World


@pytest.mark.parametrize("uid", ["right", "wrong"])
async def test_a_pod_that_points_to_anothers_workload_is_its_authors(lab: World, uid: str) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    async with lab.client(alice) as client, lab.client(bob) as his:
        parent = await created(lab, his, workload("Job", "train", where))
        await appear(client, where, 1)
        them = lab.owner(bob)
        other = {} if uid == "right" else {"uid": "11111111-2222-3333-4444-555555555555"}
        pod = held("one", where, owner_references=[reference(parent, **other)])
        answer = await client.create_pod(pod)
        assert (answer.status, stamp(answer.body)) == (201, lab.owner(alice))
    charged(lab, {them: 1} if uid == "wrong" else {lab.owner(alice): 1, them: 1})


async def test_a_replica_set_that_points_to_anothers_deployment_makes_its_authors_pods(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me, him = lab.owner(alice), lab.owner(bob)
    async with lab.client(alice) as client, lab.client(bob) as his:
        paused = workload("Deployment", "web", where, replicas=0)
        paused["spec"]["paused"] = True  # it does not scale down what it takes over
        parent = await created(lab, his, paused)
        made = workload("ReplicaSet", "mine", where, replicas=2, labels={"app": "web"})
        made["spec"]["selector"]["matchLabels"] = {"app": "web"}
        made["spec"]["template"]["metadata"]["annotations"][STAMP] = him
        made["metadata"]["ownerReferences"] = [reference(parent)]
        stored = await created(lab, client, made)
        assert (stamp(stored), stamp(stored["spec"]["template"])) == (me, me)
    charged(lab, {him: 0})


async def test_a_job_made_from_anothers_cron_job_is_its_authors(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    async with lab.client(alice) as client, lab.client(bob) as his:
        await created(lab, his, workload("CronJob", "nightly", where))
        done = lab.plane.kubectl(alice, "-n", where, "create", "job", "now", "--from=cronjob/nightly")
        assert done.returncode == 0, done.stderr
        (job,) = await client.list(f"/apis/batch/v1/namespaces/{where}/jobs")
        assert job["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
        assert await appear(client, where, 1) == [lab.owner(alice)]
    charged(lab, {lab.owner(alice): 1, lab.owner(bob): 0})


async def test_a_reference_added_afterwards_moves_no_charge(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    async with lab.client(alice) as client, lab.client(bob) as his:
        parent = await created(lab, his, workload("Deployment", "web", where, replicas=0))
        mine = await created(lab, client, workload("ReplicaSet", "mine", where))
        await fill(client, held("one", where))
        patch = {"metadata": {"ownerReferences": [reference(parent)]}}
        for at in (path(lab, mine), pod_path(where, "one")):
            answer = await client.patch(at, patch)
            assert (answer.status, stamp(answer.body)) == (200, lab.owner(alice))
        assert set(await stamps(client, where)) <= {lab.owner(alice)}, (
            "the ReplicaSet's pods may be gone by now"
        )
    charged(lab, {lab.owner(bob): 0})


@pytest.mark.parametrize("target", ["another's workload", "what cannot be read"])
async def test_a_reference_of_what_has_no_stamp_is_for_controllers_alone(lab: World, target: str) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    machine = lab.plane.service_account(*CONTROLLER.split("/"), role="edit")
    space = f"namespace:{where}"
    async with lab.client(alice) as client, lab.client(bob) as his, lab.client(machine) as made:
        victim = await created(lab, his, workload("Deployment", "his", where, replicas=0))
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": where}}
        config = await created(lab, client, config)
        shared = workload("Deployment", "shared", where, replicas=0)
        shared = await created(lab, made, shared)
        assert stamp(shared) is None, "nobody made it for anybody"
        wanted = reference(victim if target == "another's workload" else config)
        patch = {"metadata": {"ownerReferences": [wanted]}, "spec": {"replicas": 1}}
        answer = await client.patch(path(lab, shared), patch)
        assert answer.status == 403, answer
        assert answer.message.endswith(
            "OWNER_FORGED: without a stamp its controller reference says whose it is and stays"
        )
        assert (await client.patch(path(lab, shared), {"spec": {"replicas": 1}})).ok
        assert await appear(client, where, 1) == [space]
    charged(lab, {space: 1, lab.owner(bob): 0})
