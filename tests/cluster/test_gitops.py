"""Stamps make no churn for those who apply manifests again and again: kubectl, and Argo CD as it calls the API server.

In both ways of stamping. The manifest in Git carries no stamp; what is stored does.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cluster.attackers import STAMP, entitle, workload
from cluster.stamped import define, gadget, owners
from cluster.steps import eventually
from controlplane import User
from controlplane.process import wait_until
from harness import SOURCE, World, manifests
from harness.manifests import Manifest

CLIENT = ("apply",)
SERVER = ("apply", "--server-side")
ARGO = ("apply", "--server-side", "--field-manager=argocd-controller", "--force-conflicts")
NAMES = {CLIENT: "client-side", SERVER: "server-side", ARGO: "argo-cd"}
WAYS = pytest.mark.parametrize("way", [CLIENT, SERVER], ids=NAMES.get)
KINDS = ("Deployment", "StatefulSet", "Job", "CronJob", "Gadget", "ServiceAccount", "Namespace", "Pod")
TRACKED = {"app.kubernetes.io/instance": "lab"}
"""What whoever applies manifests for others marks them with."""


class Git:
    """A manifest that a user applies, and what is stored of it."""

    def __init__(self, world: World, user: User, manifest: Manifest) -> None:
        self.world, self.user, self.manifest = world, user, manifest
        self.path = world.plane.client.path_of(manifest)

    def kubectl(self, *words: str, code: int = 0) -> str:
        """Give the manifest to kubectl; what it printed."""
        done = self.world.plane.kubectl(self.user, *words, "-f", "-", stdin=json.dumps(self.manifest))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def stored(self) -> Manifest:
        return {**self.world.plane.client.get(self.path), "kind": self.manifest["kind"]}

    def at_rest(self) -> tuple[Any, Any]:
        """Generation and resourceVersion, once its controller has nothing more to write."""
        seen: list[tuple[Any, Any]] = []

        def rests() -> bool:
            found = self.stored
            meta, status = found["metadata"], found.get("status", {})
            seen.append((meta.get("generation"), meta["resourceVersion"]))
            behind = status.get("observedGeneration", meta.get("generation")) != meta.get("generation")
            return not behind and len(seen) > 5 and len(set(seen[-5:])) == 1

        assert wait_until(rests, 15, every=0.06), seen
        return seen[-1]


@pytest.fixture
def git(lab: World) -> Callable[[str], Git]:
    """The manifest of a kind, for alice, who may apply it."""

    def give(kind: str) -> Git:
        alice, where = lab.user("alice"), lab.namespace(owner="user:carol")
        entitle(lab, alice, ["create", "get", "patch", "update", "list"], "namespaces", "gadgets.example.org")
        if kind == "Gadget":
            manifest = gadget(lab, "one", where)
        elif kind == "Namespace":
            manifest = {"apiVersion": "v1", "kind": kind, "metadata": {"name": lab.name("applied")}}
        elif kind == "ServiceAccount":
            manifest = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "one", "namespace": where}}
        elif kind == "Pod":
            manifest = manifests.pod("one", where, spec={"schedulerName": "nobody"})
        else:
            manifest = workload(kind, "one", where, replicas=1)
        manifest["metadata"]["labels"] = TRACKED
        return Git(lab, alice, manifest)

    return give


@pytest.mark.parametrize(
    ("kind", "way"),
    [(kind, way) for kind in KINDS for way in (CLIENT, SERVER)] + [("Deployment", ARGO)],
    ids=lambda each: NAMES.get(each, str(each)),
)
def test_to_apply_again_changes_nothing_and_shows_no_difference(
    lab: World, git: Callable[[str], Git], kind: str, way: tuple[str, ...]
) -> None:
    it = git(kind)
    it.kubectl(*way)
    try:
        assert set(owners(it.stored)) == {lab.owner(it.user)}
        before = it.at_rest()
        it.kubectl(*way)
        assert it.at_rest() == before
        assert it.kubectl("diff", *way[1:]) == ""
        assert set(owners(it.stored)) == {lab.owner(it.user)}
    finally:
        if kind == "Namespace":
            lab.plane.client.delete(it.path)


@pytest.mark.parametrize("kind", ["Deployment", "Gadget"])
def test_to_change_from_client_side_to_server_side_and_back_keeps_the_stamps(
    lab: World, git: Callable[[str], Git], kind: str
) -> None:
    """kubectl gives up fields then that only the first way owned, the stamp among them."""
    it = git(kind)
    it.kubectl(*CLIENT)
    spec = it.stored["spec"]
    for way in (SERVER, ARGO, CLIENT, SERVER):
        it.kubectl(*way)
        assert it.stored["spec"] == spec, way
        assert set(owners(it.stored)) == {lab.owner(it.user)}
    before = it.at_rest()
    it.kubectl(*SERVER)
    assert it.at_rest() == before


def test_to_replace_a_deployment_by_the_plain_manifest_makes_no_new_replica_set(
    lab: World, git: Callable[[str], Git]
) -> None:
    it = git("Deployment")
    it.kubectl(*CLIENT)
    assert wait_until(lambda: len(_replica_sets(it)) == 1, 10)
    for _ in range(2):
        it.kubectl("replace")
        assert set(owners(it.stored)) == {lab.owner(it.user)}
    it.at_rest()
    assert len(_replica_sets(it)) == 1, "its template is what it was"


async def test_a_change_of_the_manifest_is_rolled_out_once_and_is_still_its_first_creators(
    lab: World, git: Callable[[str], Git]
) -> None:
    it = git("Deployment")
    it.kubectl(*SERVER)
    assert wait_until(lambda: len(_replica_sets(it)) == 1, 10)
    bob = Git(lab, lab.user("bob"), it.manifest)
    it.manifest["spec"]["template"]["metadata"]["labels"]["release"] = "two"
    bob.kubectl(*SERVER, "--force-conflicts")

    async def two() -> bool:
        return len(_replica_sets(it)) == 2

    await eventually(two, 10, "the new template has a ReplicaSet")
    assert set(owners(it.stored)) == {lab.owner(it.user)}


@WAYS
def test_a_manifest_that_names_another_owner_is_said_to_be_forged_where_it_would_change_one(
    lab: World, git: Callable[[str], Git], way: tuple[str, ...]
) -> None:
    """As one that was exported from another cluster: it is to be left out of Git."""
    it = git("Deployment")
    it.manifest["metadata"]["annotations"] = {STAMP: "user:bob"}
    it.kubectl(*way)
    assert set(owners(it.stored)) == {lab.owner(it.user)}
    assert f"OWNER_FORGED: annotation {STAMP} says who created it and stays" in it.kubectl(*way, code=1)
    del it.manifest["metadata"]["annotations"]
    it.kubectl(*way)
    assert set(owners(it.stored)) == {lab.owner(it.user)}


@WAYS
def test_an_identity_source_keeps_the_owner_in_git(
    lab: World, git: Callable[[str], Git], way: tuple[str, ...]
) -> None:
    """As Argo CD may: who may merge there says who pays."""
    namespace, _, name = SOURCE.partition("/")
    client = lab.plane.client
    client.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    client.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    it = git("Deployment")
    it.user = lab.plane.service_account(namespace, name, role="cluster-admin")
    it.manifest["metadata"]["annotations"] = {STAMP: "user:bob"}
    it.kubectl(*way)
    assert set(owners(it.stored)) == {"user:bob"}
    before = it.at_rest()
    it.kubectl(*way)
    assert it.at_rest() == before
    assert it.kubectl("diff", *way[1:]) == ""


def test_a_kind_that_is_not_listed_costs_and_carries_nothing(lab: World, git: Callable[[str], Git]) -> None:
    define(lab, "Widget", "widgets.example.org")
    alice = git("Gadget").user
    entitle(lab, alice, ["create", "get", "patch"], "widgets.example.org")
    where = lab.namespace("plain")
    it = Git(lab, alice, {**gadget(lab, "one", where), "kind": "Widget"})
    it.kubectl(*CLIENT)
    assert owners(it.stored) == [None]
    assert it.kubectl("diff") == ""


def _replica_sets(it: Git) -> list[Manifest]:
    where = it.manifest["metadata"]["namespace"]
    found: list[Manifest] = it.world.plane.client.get(f"/apis/apps/v1/namespaces/{where}/replicasets")[
        "items"
    ]
    return found
