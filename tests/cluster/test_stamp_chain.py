"""Through every controller the pod ends at the person; by policies and by the webhook alone."""

from datetime import UTC, datetime, timedelta

import pytest

from cluster.attackers import LABEL, appear, entitle, reference, workload
from cluster.stamped import account, forge, gadget, labels, make, owners
from cluster.steps import held
from controlplane.process import wait_until
from harness import CONTROLLER, World
from harness.clients import pods
from harness.manifests import Manifest


def all_pods(world: World, namespace: str) -> list[Manifest]:
    return [{**each, "kind": "Pod"} for each in world.plane.client.get(pods(namespace))["items"]]


async def theirs(world: World, namespace: str, count: int, owner: str) -> None:
    """Wait for so many pods; all of them, and what made them, are this owner's, by label, too."""
    async with world.client() as admin:
        assert await appear(admin, namespace, count) == [owner] * count
    assert [labels(each) for each in all_pods(world, namespace)] == [[owner.partition(":")[2]]] * count


@pytest.mark.parametrize("kind", ["ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job"])
async def test_the_pods_of_a_workload_are_its_creators(lab: World, kind: str) -> None:
    alice, where = lab.user("alice"), lab.namespace(owner="user:carol")
    nodes = len(lab.plane.client.get("/api/v1/nodes")["items"])
    make(lab, alice, forge(workload(kind, "w", where, replicas=2), "user:nobody"))
    await theirs(lab, where, nodes if kind == "DaemonSet" else 2, lab.owner(alice))


async def test_deployment_to_replica_set_to_pod(lab: World) -> None:
    alice, where = lab.user("alice"), lab.namespace(owner="user:carol")
    make(lab, alice, workload("Deployment", "w", where, replicas=2))
    await theirs(lab, where, 2, lab.owner(alice))
    (middle,) = lab.plane.client.get(f"/apis/apps/v1/namespaces/{where}/replicasets")["items"]
    assert owners({**middle, "kind": "ReplicaSet"}) == [lab.owner(alice)] * 2


async def test_cron_job_to_job_to_pod(lab: World) -> None:
    alice, where = lab.user("alice"), lab.namespace(owner="user:carol")
    made = workload("CronJob", "w", where)
    made["spec"]["schedule"] = "* * * * *"
    make(lab, alice, made)
    jobs = f"/apis/batch/v1/namespaces/{where}"
    before = (datetime.now(UTC) - timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    lab.plane.client.merge(f"{jobs}/cronjobs/w/status", {"status": {"lastScheduleTime": before}})
    assert wait_until(lambda: bool(all_pods(lab, where)), 90), (
        "the controller starts it, at the latest at the full minute"
    )
    lab.plane.client.merge(f"{jobs}/cronjobs/w", {"spec": {"suspend": True}})
    await theirs(lab, where, len(all_pods(lab, where)), lab.owner(alice))
    for middle in lab.plane.client.get(f"{jobs}/jobs")["items"]:
        assert owners({**middle, "kind": "Job"}) == [lab.owner(alice)] * 2


@pytest.mark.parametrize("kind", ["Pod", "Deployment", "StatefulSet", "Job"])
async def test_custom_resource_to_what_its_operator_makes_to_pod(lab: World, kind: str) -> None:
    """A user's template in it, copied by the operator, decides nothing."""
    alice, where = lab.user("alice"), lab.namespace(owner="user:carol")
    resource = gadget(lab, "one", where)
    entitle(lab, alice, ["create"], "gadgets.example.org")
    parent, operator = make(lab, alice, resource), account(lab, CONTROLLER)
    manifest = held("w", where) if kind == "Pod" else workload(kind, "w", where, replicas=2)
    manifest = forge(manifest, "user:bob")
    manifest["metadata"]["ownerReferences"] = [reference(parent)]
    stored = make(lab, operator, manifest)
    assert owners(stored) == [lab.owner(alice)] if kind == "Pod" else [lab.owner(alice), None]
    await theirs(lab, where, 1 if kind == "Pod" else 2, lab.owner(alice))


async def test_what_an_operator_makes_of_nothing_is_the_namespaces_owners(lab: World) -> None:
    where = lab.namespace(owner="user:carol")
    make(lab, account(lab, CONTROLLER), forge(workload("Deployment", "w", where, replicas=2), "user:bob"))
    await theirs(lab, where, 2, "user:carol")


async def test_the_pods_of_a_service_accounts_workload_are_the_accounts_makers(lab: World) -> None:
    alice, where = lab.user("alice"), lab.namespace(owner="user:carol")
    meta = {"name": "runner", "namespace": where}
    make(lab, alice, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    runner = lab.plane.service_account(where, "runner", role="edit")
    make(lab, runner, workload("Deployment", "w", where, replicas=2))
    await theirs(lab, where, 2, lab.owner(alice))


async def test_scaling_anothers_deployment_charges_its_owner(lab: World) -> None:
    alice, bob, where = lab.user("alice"), lab.user("bob"), lab.namespace()
    make(lab, alice, workload("Deployment", "w", where, replicas=1))
    scaled = lab.plane.kubectl(bob, "-n", where, "scale", "deployment/w", "--replicas=3")
    assert scaled.returncode == 0, scaled.stderr
    await theirs(lab, where, 3, lab.owner(alice))
    shown = lab.plane.kubectl(bob, "get", "pods", "-A", "-l", f"{LABEL}={alice.name}", "-o", "name")
    assert len(shown.stdout.splitlines()) == 3
