"""What is created carries its creator in every place that matters; by policies and by the webhook alone."""

import pytest

from cluster.attackers import LABEL, STAMP, entitle, workload
from cluster.stamped import WORKLOADS, account, custom, define, forge, gadget, labels, make, owners
from cluster.steps import held
from controlplane import User
from harness import CONTROLLER, SOURCE, World
from harness.manifests import Manifest

KINDS = ("Pod", *WORKLOADS)


def made(kind: str, namespace: str, name: str = "one") -> Manifest:
    return held(name, namespace) if kind == "Pod" else workload(kind, name, namespace, replicas=0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_built_in_kind_and_its_templates_carry_their_creator_whatever_was_written(
    lab: World, kind: str
) -> None:
    alice, bob, where = lab.user("alice"), lab.user("bob", role=None), lab.namespace()
    for name, manifest in (
        ("plain", made(kind, where, "plain")),
        ("forged", forge(made(kind, where, "forged"), lab.owner(bob))),
    ):
        stored = make(lab, alice, manifest)
        assert set(owners(stored)) == {lab.owner(alice)}, name
        assert set(labels(stored)) == {alice.name}, name


def test_a_template_without_metadata_is_stamped_too(lab: World) -> None:
    alice, where = lab.user("alice"), lab.namespace()
    for kind in ("Job", "CronJob"):
        manifest = made(kind, where)
        inner = manifest["spec"].get("jobTemplate", manifest)
        inner["spec"]["template"].pop("metadata")
        manifest["spec"].get("jobTemplate", {}).pop("metadata", None)
        stored = make(lab, alice, manifest)
        assert set(owners(stored)) == {lab.owner(alice)}
        assert set(labels(stored)) == {alice.name}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_service_account_creates_carries_who_made_the_account(lab: World, kind: str) -> None:
    alice, where = lab.user("alice"), lab.namespace()
    runner = _runner(lab, alice, where)
    stored = make(lab, runner, forge(made(kind, where), "user:nobody"))
    assert set(owners(stored)) == {lab.owner(alice)}
    assert set(labels(stored)) == {alice.name}


def test_namespaces_and_service_accounts_carry_who_made_them(lab: World) -> None:
    alice, where = lab.user("alice"), lab.namespace()
    entitle(lab, alice, ["create", "delete"], "namespaces")
    for manifest in (_namespace(lab.name("hers")), _account("runner", where)):
        stored = make(lab, alice, forge(manifest, "user:nobody"))
        assert owners(stored) == [lab.owner(alice)]
        assert stored["metadata"]["labels"][LABEL] == "nobody", (
            "it selects pods alone, and is anybody's elsewhere"
        )
    alice.client().delete(f"/api/v1/namespaces/{lab.name('hers')}")


def test_what_administrators_make_of_them_belongs_to_whom_they_say(lab: World) -> None:
    where, admin = lab.namespace(), lab.plane.admin
    assert owners(make(lab, admin, _account("nobodys", where))) == [None]
    assert owners(make(lab, admin, forge(_account("bobs", where), "user:bob"))) == ["user:bob"]
    named = lab.plane.user("lq-administrator")
    assert owners(make(lab, named, forge(_account("eves", where), "user:eve"))) == ["user:eve"]
    assert owners(make(lab, named, _account("free", where))) == [None]


def test_the_accounts_that_kubernetes_makes_in_a_namespace_are_nobodys(lab: World) -> None:
    where = lab.namespace()
    found = lab.plane.client.get(f"/api/v1/namespaces/{where}/serviceaccounts/default")
    assert owners({**found, "kind": "ServiceAccount"}) == [None]


def test_a_custom_resource_is_stamped_where_it_is_listed_and_left_alone_where_it_is_not(lab: World) -> None:
    alice, where = lab.user("alice"), lab.namespace()
    listed = gadget(lab, "one", where)
    define(lab, "Widget", "widgets.example.org")
    entitle(lab, alice, ["create"], "gadgets.example.org", "widgets.example.org")
    assert owners(make(lab, alice, forge(listed, "user:nobody"))) == [lab.owner(alice)]
    assert owners(make(lab, alice, custom("Widget", "example.org/v1", "one", where))) == [None]


@pytest.mark.parametrize("kind", KINDS)
def test_an_identity_source_names_the_owner_and_so_does_nobody_else(lab: World, kind: str) -> None:
    where, source = lab.namespace(owner="user:carol"), account(lab, SOURCE)
    stored = make(lab, source, forge(made(kind, where, "named"), "user:dora"))
    assert set(owners(stored)) == {"user:dora"}
    assert set(labels(stored)) == {"dora"}
    operator = account(lab, CONTROLLER)
    stored = make(lab, operator, forge(made(kind, where, "claimed"), "user:dora"))
    assert set(owners(stored)) == ({"user:carol"} if kind == "Pod" else {None}), (
        "its namespace's, or nobody's yet"
    )
    assert set(labels(stored)) == ({"carol"} if kind == "Pod" else {None})


@pytest.mark.parametrize(
    "name", ["oidc:ada@example.org", "ada@example.org", "-ada", "Ada Lovelace", "ädä", "a" * 64]
)
def test_a_name_that_is_no_label_is_stamped_and_makes_no_label_and_no_failure(lab: World, name: str) -> None:
    ada, where = lab.plane.user(name), lab.namespace()
    stored = make(lab, ada, held("one", where))
    assert owners(stored) == [f"user:{name}"]
    assert labels(stored) == [None]


def test_people_find_their_pods_by_the_label(lab: World) -> None:
    alice, bob, where = lab.user("alice"), lab.user("bob"), lab.namespace()
    for user in (alice, bob):
        make(lab, user, held(f"of-{user.name}", where))
    shown = lab.plane.kubectl(alice, "get", "pods", "-A", "-l", f"{LABEL}={alice.name}", "-o", "name")
    assert shown.stdout == f"pod/of-{alice.name}\n", shown.stderr


def test_a_dry_run_shows_the_stamp(lab: World) -> None:
    alice, where = lab.user("alice"), lab.namespace()
    shown = lab.plane.kubectl(
        alice,
        "-n",
        where,
        "run",
        "one",
        "--image=none",
        "--dry-run=server",
        "-o",
        "jsonpath={.metadata.annotations}",
    )
    assert shown.stdout == f'{{"{STAMP}":"{lab.owner(alice)}"}}', shown.stderr


def _runner(world: World, creator: User, namespace: str) -> User:
    """A service account that somebody made in a namespace; it may edit."""
    make(world, creator, _account("runner", namespace))
    return world.plane.service_account(namespace, "runner", role="edit")


def _account(name: str, namespace: str) -> Manifest:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}


def _namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
