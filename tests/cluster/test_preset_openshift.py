"""OpenShift: a project's pods belong to who asked for it, whatever its controllers and other people's marks say.

In both ways of stamping. Shapes: the default project template, and what the controllers for DeploymentConfigs, builds,
templates and service accounts create. The kinds that OpenShift's own API server serves are custom resources here:
labquota reads them alike.
"""

import pytest

from cluster.attackers import STAMP, appear, entitle, reference, workload
from cluster.stamped import account, custom, define, make, owners, place
from cluster.steps import held
from controlplane import ApiError, User
from harness import World
from harness.manifests import Manifest

REQUESTER = "openshift.io/requester"
DISPLAYED = "openshift.io/display-name"


def requested(name: str) -> dict[str, str]:
    """The annotations that the default project template writes."""
    return {"openshift.io/description": "", DISPLAYED: "", REQUESTER: name}


@pytest.fixture
def project(lab: World) -> Manifest:
    """The namespace of a project that alice has asked for, as OpenShift's API server makes it."""
    return place(lab, server(lab), "project", annotations=requested(lab.name("alice")))


def server(lab: World) -> User:
    return account(lab, "openshift-apiserver/openshift-apiserver-sa")


def infra(lab: World, name: str) -> User:
    return account(lab, f"openshift-infra/{name}")


def where(project: Manifest) -> str:
    return str(project["metadata"]["name"])


async def belong(lab: World, namespace: str, count: int, owner: str) -> None:
    async with lab.client() as admin:
        assert await appear(admin, namespace, count) == [owner] * count


def test_a_project_belongs_to_who_asked_for_it_and_stays_theirs(lab: World, project: Manifest) -> None:
    alice, bob = lab.user("alice"), lab.user("bob")
    assert owners(project) == [lab.owner(alice)]
    path = lab.plane.client.path_of(project)
    # A project's administrator changes its title: OpenShift's API server replaces the namespace for them.
    project["metadata"]["annotations"][DISPLAYED] = "Vision"
    status, found = server(lab).client().call("PUT", path, project)
    assert (status, owners({**found, "kind": "Namespace"})) == (200, [lab.owner(alice)])
    # Controllers note what it is given.
    marks = {"openshift.io/sa.scc.uid-range": "1000650000/10000", "openshift.io/sa.scc.mcs": "s0:c26,c5"}
    found = (
        infra(lab, "namespace-security-allocation-controller")
        .client()
        .merge(path, {"metadata": {"annotations": marks}})
    )
    assert owners({**found, "kind": "Namespace"}) == [lab.owner(alice)]
    entitle(lab, bob, ["get", "patch"], "namespaces")
    found = bob.client().merge(path, {"metadata": {"annotations": {REQUESTER: bob.name}}})
    assert owners({**found, "kind": "Namespace"}) == [lab.owner(alice)]


def test_the_accounts_that_openshift_makes_in_a_project_are_the_projects(
    lab: World, project: Manifest
) -> None:
    alice, maker = lab.user("alice"), infra(lab, "serviceaccount-controller")
    for name in ("builder", "deployer"):
        meta = {"name": name, "namespace": where(project)}
        made = make(lab, maker, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        assert owners(made) == [None]
        acting = lab.plane.service_account(where(project), name, role="edit")
        assert owners(make(lab, acting, held(f"of-{name}", where(project)))) == [lab.owner(alice)]


async def test_a_deployment_configs_pods_belong_to_the_project_whoever_writes_it(
    lab: World, project: Manifest
) -> None:
    """Nobody stamps it when it is created, so what it carries is its author's word."""
    alice, bob, at = lab.user("alice"), lab.user("bob"), where(project)
    define(lab, "DeploymentConfig", "deploymentconfigs.apps.openshift.io")
    entitle(lab, bob, ["create"], "deploymentconfigs.apps.openshift.io")
    config = custom("DeploymentConfig", "apps.openshift.io/v1", "web", at)
    config["metadata"]["annotations"] = {STAMP: lab.owner(bob)}
    top = make(lab, bob, config)
    marks = {
        "openshift.io/deployment-config.name": "web",
        "openshift.io/deployment-config.latest-version": "1",
        "openshift.io/deployment.phase": "New",
        STAMP: lab.owner(bob),
    }
    made = workload(
        "ReplicationController", "web-1", at, annotations=marks, labels={"deploymentconfig": "web"}
    )
    made["metadata"] |= {
        "annotations": marks,
        "ownerReferences": [{**reference(top), "blockOwnerDeletion": True}],
    }
    controller = make(lab, infra(lab, "deploymentconfig-controller"), made)
    assert owners(controller) == [lab.owner(alice), None]
    deployer = held("web-1-deploy", at, labels={"openshift.io/deployer-pod-for.name": "web-1"})
    deployer["metadata"]["ownerReferences"] = [{**reference(controller), "controller": None}]
    make(lab, infra(lab, "deployer-controller"), deployer)
    await belong(lab, at, 2, lab.owner(alice))


async def test_a_builds_pod_belongs_to_the_project(lab: World, project: Manifest) -> None:
    alice, bob, at = lab.user("alice"), lab.user("bob"), where(project)
    for kind in ("BuildConfig", "Build"):
        define(lab, kind, f"{kind.lower()}s.build.openshift.io")
    entitle(lab, bob, ["create"], "buildconfigs.build.openshift.io", "builds.build.openshift.io")
    config = make(lab, bob, custom("BuildConfig", "build.openshift.io/v1", "app", at))
    build = custom("Build", "build.openshift.io/v1", "app-1", at)
    build["metadata"] |= {"ownerReferences": [reference(config)], "annotations": {STAMP: lab.owner(bob)}}
    pod = held("app-1-build", at, labels={"openshift.io/build.name": "app-1"})
    # Nobody stamps a build, so its reference is not a person's to write: OpenShift's API server instantiates it.
    with pytest.raises(ApiError, match="OWNER_FORGED"):
        make(lab, bob, build)
    pod["metadata"]["ownerReferences"] = [reference(make(lab, server(lab), build))]
    make(lab, infra(lab, "build-controller"), pod)
    await belong(lab, at, 1, lab.owner(alice))


async def test_what_a_template_makes_belongs_to_the_project(lab: World, project: Manifest) -> None:
    alice, at = lab.user("alice"), where(project)
    make(lab, infra(lab, "template-instance-controller"), workload("Deployment", "web", at, replicas=2))
    await belong(lab, at, 2, lab.owner(alice))


async def test_a_members_own_deployment_in_a_project_is_the_members(lab: World, project: Manifest) -> None:
    bob, at = lab.user("bob"), where(project)
    make(lab, bob, workload("Deployment", "web", at, replicas=2))
    await belong(lab, at, 2, lab.owner(bob))


def test_marks_that_a_user_writes_are_nothing(lab: World) -> None:
    bob = lab.user("bob")
    entitle(lab, bob, ["create"], "namespaces")
    own = place(lab, bob, "own", annotations=requested(lab.name("alice")))
    assert owners(own) == [lab.owner(bob)]
    meta = {"name": "openshift-apiserver-sa", "namespace": where(own)}
    make(lab, bob, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    namesake = lab.plane.account(where(own), meta["name"], role="cluster-admin")
    assert owners(place(lab, namesake, "second", annotations=requested(lab.name("alice")))) == [
        lab.owner(bob)
    ]
