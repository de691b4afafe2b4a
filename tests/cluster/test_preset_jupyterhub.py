"""JupyterHub: pods of exactly the shape that KubeSpawner 7 makes, made as the hub's account, belong to its users.

In both ways of stamping. Shapes: kubespawner's objects.py and spawner.py, and the labels that its Helm chart adds.
"""

import pytest

from cluster.attackers import appear, charged, entitle, workload
from cluster.stamped import account, labels, make, owners, place
from cluster.steps import HOLD
from controlplane import ApiError, User
from harness import HUB, World
from harness.manifests import Manifest

USERNAME = "hub.jupyter.org/username"


@pytest.fixture
def hub(lab: World) -> User:
    return account(lab, HUB)


def server(username: str, slug: str, namespace: str, name: str = "") -> Manifest:
    """What KubeSpawner creates to start the server of a user."""
    marks = {
        "app.kubernetes.io/component": "singleuser-server",
        "app.kubernetes.io/instance": "jhub",
        "app.kubernetes.io/managed-by": "kubespawner",
        "app.kubernetes.io/name": "jupyterhub",
        "app": "jupyterhub",
        "chart": "jupyterhub-4.3.1",
        "component": "singleuser-server",
        "heritage": "jupyterhub",
        "release": "jhub",
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"jupyter-{slug}{f'--{name}' if name else ''}",
            "namespace": namespace,
            "labels": {
                **marks,
                "hub.jupyter.org/network-access-hub": "true",
                "hub.jupyter.org/servername": name,
                USERNAME: slug,
            },
            "annotations": {
                USERNAME: username,
                **({"hub.jupyter.org/servername": name} if name else {}),
                "hub.jupyter.org/kubespawner-version": "7.0.0",
                "hub.jupyter.org/jupyterhub-version": "5.4.3",
                **HOLD,
            },
        },
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "name": "notebook",
                    "image": "none",
                    "args": ["jupyterhub-singleuser"],
                    "env": [{"name": "JUPYTERHUB_USER", "value": username}],
                    "ports": [{"containerPort": 8888, "name": "notebook-port"}],
                    "resources": {"limits": {"memory": "1G"}, "requests": {"memory": "1G"}},
                    "securityContext": {"allowPrivilegeEscalation": False, "runAsUser": 1000},
                }
            ],
            "restartPolicy": "OnFailure",
            "securityContext": {"fsGroup": 100},
            "terminationGracePeriodSeconds": 0,
        },
    }


def test_a_server_belongs_to_its_user_whose_one_budget_has_both_doors(lab: World, hub: User) -> None:
    alice, where = lab.user("alice"), lab.namespace()
    lab.group("student", subjects=[lab.owner(alice)], aggregate={"pods": 2})
    stored = make(lab, hub, server(alice.name, alice.name, where))
    assert (owners(stored), labels(stored)) == ([lab.owner(alice)], [alice.name])
    make(lab, alice, server("nobody", "own", where))
    said = f"AGGREGATE_PODS_QUOTA_EXCEEDED: {lab.owner(alice)} asked pods 1, used 2 of 2"
    with pytest.raises(ApiError, match=said):
        make(lab, hub, server(alice.name, alice.name, where, "second"))
    charged(lab, {lab.owner(alice): 2})


def test_users_whose_names_look_alike_are_kept_apart(lab: World, hub: User) -> None:
    where = lab.namespace()
    first = make(lab, hub, server("a.b@x", "a-b-x---1f8d4b91", where))
    second = make(lab, hub, server("a-b-x", "a-b-x", where))
    assert [*owners(first), *owners(second)] == ["user:a.b@x", "user:a-b-x"]


async def test_the_hubs_mark_on_what_others_make_is_nothing(lab: World) -> None:
    bob, where = lab.user("bob"), lab.namespace()
    assert owners(make(lab, bob, server("alice", "alice", where))) == [lab.owner(bob)]
    marks = {USERNAME: "alice"}
    copied = workload("Deployment", "web", where, replicas=1, annotations=marks, labels=marks)
    assert owners(make(lab, bob, copied)) == [lab.owner(bob)] * 2
    meta = {"name": "hub", "namespace": where}
    make(lab, bob, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    namesake = lab.plane.service_account(where, "hub", role="edit")
    assert owners(make(lab, namesake, server("alice", "alice", where, "two"))) == [lab.owner(bob)]
    async with lab.client() as admin:
        assert await appear(admin, where, 3) == [lab.owner(bob)] * 3


def test_a_user_cannot_pass_a_running_server_on(lab: World, hub: User) -> None:
    alice, bob, where = lab.user("alice"), lab.user("bob"), lab.namespace()
    path = lab.plane.client.path_of(make(lab, hub, server(alice.name, alice.name, where)))
    alice.client().merge(path, {"metadata": {"annotations": {USERNAME: bob.name}}})
    found = {**lab.plane.client.get(path), "kind": "Pod"}
    assert owners(found) == [lab.owner(alice)]


def test_a_namespace_that_the_hub_makes_for_somebody_is_theirs(lab: World, hub: User) -> None:
    """With `enable_user_namespaces`, and the name among `user_namespace_annotations`."""
    alice, bob = lab.user("alice"), lab.user("bob")
    entitle(lab, bob, ["create"], "namespaces")
    marks = {USERNAME: alice.name}
    assert owners(place(lab, hub, "own", annotations=marks)) == [lab.owner(alice)]
    assert owners(place(lab, bob, "forged", annotations=marks)) == [lab.owner(bob)]
