"""An update keeps the first owner: what it leaves out is put back, what it changes is refused. By policies and webhook.

And it costs nobody a call who changes nothing of it.
"""

import copy
from typing import Any

import pytest

from cluster.attackers import LABEL, STAMP, entitle, reference, workload
from cluster.stamped import WORKLOADS, account, gadget, labels, make, owners, templates
from cluster.steps import held
from controlplane import User
from controlplane.process import wait_until
from harness import CONTROLLER, World, probe
from harness.manifests import Manifest

KINDS = ("Pod", *WORKLOADS)
HOOKS = ("owners.labquota.dev", "pods.labquota.dev")


def made(kind: str, namespace: str) -> Manifest:
    if kind == "Pod":
        return held("one", namespace, spec={"schedulerName": "nobody"})
    return workload(kind, "one", namespace, replicas=0)


def seen(world: World, user: User, manifest: Manifest) -> Manifest:
    """Create an object and wait until its controller has nothing more to write on it; returns it as it is then."""
    path, client = world.plane.client.path_of(make(world, user, manifest)), world.plane.client
    if manifest["kind"] in ("Pod", "CronJob", "Job"):
        return {**client.get(path)}
    observed = lambda: client.get(path)["status"].get("observedGeneration") == 1  # noqa: E731
    assert wait_until(observed, 10), client.get(path)
    return {**client.get(path)}


def put(world: World, user: User, manifest: Manifest) -> tuple[int, Any]:
    """Replace an object as somebody, whatever is there."""
    manifest["metadata"].pop("resourceVersion", None)
    return user.client().call("PUT", world.plane.client.path_of(manifest), manifest)


def bare(manifest: Manifest) -> Manifest:
    """A stored object without stamps and labels, as the manifest that a user keeps has none."""
    for each in (manifest, *templates(manifest)):
        for field, key in (("annotations", STAMP), ("labels", LABEL)):
            each["metadata"].get(field, {}).pop(key, None)
    return manifest


@pytest.mark.parametrize("kind", KINDS)
def test_a_replacement_without_stamps_gets_them_back_and_is_no_new_generation(lab: World, kind: str) -> None:
    alice, bob, where = lab.user("alice"), lab.user("bob"), lab.namespace()
    stored = seen(lab, alice, made(kind, where))
    before = (owners(stored), labels(stored), stored["metadata"].get("generation"))
    for user in (alice, bob, lab.plane.admin):
        status, stored = put(lab, user, bare(stored))
        assert status == 200, stored
        assert (owners(stored), labels(stored), stored["metadata"].get("generation")) == before


@pytest.mark.parametrize("kind", [each for each in WORKLOADS if each != "Job"])
def test_a_template_that_loses_all_its_annotations_and_labels_keeps_its_owner(lab: World, kind: str) -> None:
    alice, where = lab.user("alice"), lab.namespace()
    stored = seen(lab, alice, made(kind, where))
    for each in templates(stored):
        each["metadata"] = {"labels": {"app": "one"}}
    status, found = put(lab, alice, stored)
    assert status == 200, found
    assert set(owners(found)) == {lab.owner(alice)}
    assert set(labels(found)) == {alice.name}


@pytest.mark.parametrize("kind", KINDS)
def test_another_owner_is_refused_wherever_it_is_written(lab: World, kind: str) -> None:
    alice, bob, where = lab.user("alice"), lab.user("bob"), lab.namespace()
    stored = make(lab, alice, made(kind, where))
    for user in (alice, bob, lab.plane.admin):
        for each in (stored, *templates(stored)):
            each["metadata"]["annotations"][STAMP] = lab.owner(bob)
            status, answer = put(lab, user, stored)
            each["metadata"]["annotations"][STAMP] = lab.owner(alice)
            if kind == "Job" and each is not stored:
                assert status == 422, "nobody may change the template of a Job"
                continue
            assert status == 403, answer
            assert f"OWNER_FORGED: annotation {STAMP} says who created it and stays" in answer["message"]


def test_namespaces_and_accounts_keep_their_owner_but_for_administrators(lab: World) -> None:
    alice, where = lab.user("alice"), lab.namespace()
    entitle(lab, alice, ["create", "update", "patch"], "namespaces")
    name = lab.namespace("named", owner="user:carol")
    meta = {"name": "runner", "namespace": where}
    runner = make(lab, alice, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    space = {**lab.plane.client.get(f"/api/v1/namespaces/{name}"), "kind": "Namespace", "apiVersion": "v1"}
    for stored, owner in ((runner, lab.owner(alice)), (space, "user:carol")):
        stored["metadata"]["annotations"] = {}
        status, found = put(lab, alice, stored)
        assert (status, owners({**found, "kind": stored["kind"]})) == (200, [owner])
        stored["metadata"]["annotations"] = {STAMP: "user:bob"}
        status, found = put(lab, alice, stored)
        assert (status, "OWNER_FORGED" in found["message"]) == (403, True)
        for said in ("user:bob", None):
            stored["metadata"]["annotations"] = {STAMP: said} if said else {}
            status, found = put(lab, lab.plane.admin, stored)
            assert (status, owners({**found, "kind": stored["kind"]})) == (200, [said])


def test_an_operator_that_hands_down_a_stamp_again_and_again_changes_nothing_and_is_not_refused(
    lab: World,
) -> None:
    """As those do that copy the annotations of their resource into a template: they would never get on."""
    alice, where = lab.user("alice"), lab.namespace()
    entitle(lab, alice, ["create"], "gadgets.example.org")
    parent, operator = make(lab, alice, gadget(lab, "one", where)), account(lab, CONTROLLER)
    manifest = workload("StatefulSet", "one", where, replicas=0)
    manifest["metadata"]["ownerReferences"] = [reference(parent)]
    stored = seen(lab, operator, manifest)
    assert owners(stored) == [lab.owner(alice), None]
    for said in (lab.owner(alice), "user:bob"):
        again = copy.deepcopy(stored)
        again["metadata"]["annotations"] = {STAMP: said}
        (template,) = templates(again)
        template["metadata"]["annotations"] = {**template["metadata"].get("annotations", {}), STAMP: said}
        template["metadata"]["labels"][LABEL] = "bob"
        versions = set()
        for _ in range(3):
            status, found = put(lab, operator, again)
            assert status == 200, found
            assert (owners(found), labels(found)) == ([lab.owner(alice), None], [None])
            assert found["metadata"]["generation"] == 1
            versions.add(found["metadata"]["resourceVersion"])
        assert len(versions) == 1, (
            "the first one notes who manages the field; from then on nothing is written"
        )
    (template,) = templates(again)
    template["metadata"]["annotations"][STAMP] = lab.owner(alice)
    status, found = put(lab, alice, again)
    assert (status, "OWNER_FORGED" in found["message"]) == (403, True)


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_that_changes_nothing_for_us_calls_no_webhook(lab: World, kind: str) -> None:
    alice, where = lab.user("alice"), lab.namespace()
    stored = seen(lab, alice, made(kind, where))
    path, admin = lab.plane.client.path_of(stored), lab.plane.client
    before = [probe.calls(admin, each) for each in HOOKS]
    for number in range(3):
        alice.client().merge(path, {"metadata": {"labels": {"seen": str(number)}}})
    if kind not in ("Pod", "CronJob", "DaemonSet", "Job"):
        admin.merge(f"{path}/scale", {"spec": {"replicas": 0}})
    admin.merge(f"{path}/status", {"status": {}})
    assert [probe.calls(admin, each) for each in HOOKS] == before
