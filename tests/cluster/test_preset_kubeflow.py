"""Kubeflow: what its controllers and web applications make, as their accounts, belongs to people; forged marks do not.

In both ways of stamping. Shapes: profile_controller.go, notebook_controller.go, the web applications' templates, and
what the controllers of pipelines, Katib, KServe and the training operators create.
"""

from typing import Any

import pytest

from cluster.attackers import STAMP, appear, entitle, reference, workload
from cluster.stamped import account, custom, define, make, owners, place, templates
from cluster.steps import held
from controlplane import ApiError, User
from harness import World
from harness.manifests import Manifest

OWNER = "owner"
CREATOR = "notebooks.kubeflow.org/creator"
PARTS = {"app.kubernetes.io/part-of": "kubeflow-profile", "istio-injection": "enabled"}


@pytest.fixture
def profile(lab: World) -> Manifest:
    """Alice's profile, as the controller makes its namespace when an administrator has made the Profile."""
    define(lab, "Profile", "profiles.kubeflow.org", namespaced=False)
    name = lab.name("team")
    spec = {"owner": {"kind": "User", "name": lab.name("alice")}}
    made = {"apiVersion": "kubeflow.org/v1", "kind": "Profile", "metadata": {"name": name}, "spec": spec}
    lab.apply(made)
    parent = lab.plane.client.get(lab.plane.client.path_of(made))
    refer = {**reference(parent), "blockOwnerDeletion": True}
    controller = as_(lab, "profiles-controller-service-account")
    found = place(
        lab,
        controller,
        "team",
        annotations={OWNER: spec["owner"]["name"]},
        labels=PARTS,
        ownerReferences=[refer],
    )
    for each in ("default-editor", "default-viewer"):
        meta = {"name": each, "namespace": name, "ownerReferences": [refer]}
        make(lab, controller, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    return found


def as_(lab: World, name: str, namespace: str = "kubeflow") -> User:
    """One of Kubeflow's accounts."""
    return account(lab, f"{namespace}/{name}")


def where(profile: Manifest) -> str:
    return str(profile["metadata"]["name"])


def notebook(lab: World, namespace: str, name: str, creator: str | None) -> Manifest:
    """What the notebooks' web application creates."""
    define(lab, "Notebook", "notebooks.kubeflow.org")
    body = {"serviceAccountName": "default-editor", "containers": [{"name": name, "image": "none"}]}
    made = custom("Notebook", "kubeflow.org/v1", name, namespace, {"template": {"spec": body}})
    marks = {"notebooks.kubeflow.org/server-type": "jupyter"}
    made["metadata"] |= {
        "labels": {"app": name},
        "annotations": marks | ({CREATOR: creator} if creator else {}),
    }
    return made


def started(lab: World, stored: Manifest) -> Manifest:
    """What the notebook controller makes of a stored Notebook: its annotations go down into the template."""
    name, meta = stored["metadata"]["name"], stored["metadata"]
    handed = {key: value for key, value in meta["annotations"].items() if "notebook" not in key}
    made = workload("StatefulSet", name, meta["namespace"], annotations=handed, labels=meta["labels"])
    made["metadata"]["ownerReferences"] = [{**reference(stored), "blockOwnerDeletion": True}]
    del made["spec"]["serviceName"], made["spec"]["podManagementPolicy"]
    return make(lab, as_(lab, "notebook-controller-service-account"), made)


async def belong(lab: World, namespace: str, *wanted: str) -> None:
    async with lab.client() as admin:
        assert await appear(admin, namespace, len(wanted)) == sorted(wanted)


def test_a_profiles_namespace_belongs_to_its_owner_and_its_accounts_to_the_namespace(
    lab: World, profile: Manifest
) -> None:
    alice = lab.user("alice")
    assert owners(profile) == [lab.owner(alice)]
    for each in ("default-editor", "default-viewer"):
        found = lab.plane.client.get(f"/api/v1/namespaces/{where(profile)}/serviceaccounts/{each}")
        assert owners({**found, "kind": "ServiceAccount"}) == [None]
    editor = lab.plane.service_account(where(profile), "default-editor", role="edit")
    assert owners(make(lab, editor, held("from-a-notebook", where(profile)))) == [lab.owner(alice)]


@pytest.mark.parametrize("maker", ["the web application", "an older one", "the person"])
async def test_a_notebooks_pod_is_theirs_who_asked_for_it(lab: World, profile: Manifest, maker: str) -> None:
    alice, bob = lab.user("alice"), lab.user("bob")
    app = as_(lab, "jupyter-web-app-service-account")
    creator = {"the web application": bob.name, "an older one": None, "the person": "somebody"}[maker]
    manifest = notebook(lab, where(profile), "nb", creator)
    entitle(lab, bob, ["create"], "notebooks.kubeflow.org")
    stored = make(lab, bob if maker == "the person" else app, manifest)
    wanted = lab.owner(alice if maker == "an older one" else bob)
    assert owners(stored) == [None if maker == "an older one" else wanted]
    below = started(lab, stored)
    assert owners(below) == [wanted, None]
    await belong(lab, where(profile), wanted)


async def test_pipelines_belong_to_the_profile_or_to_who_starts_them_with_kubectl(
    lab: World, profile: Manifest
) -> None:
    alice, bob, at = lab.user("alice"), lab.user("bob"), where(profile)
    define(lab, "Workflow", "workflows.argoproj.io", version="v1alpha1")
    entitle(lab, bob, ["create"], "workflows.argoproj.io")
    for user, name in ((as_(lab, "ml-pipeline"), "run"), (bob, "own")):
        flow = make(lab, user, custom("Workflow", "argoproj.io/v1alpha1", name, at))
        step = held(f"{name}-step", at)
        step["metadata"]["ownerReferences"] = [{**reference(flow), "blockOwnerDeletion": True}]
        make(lab, as_(lab, "argo"), step)
    await belong(lab, at, lab.owner(alice), lab.owner(bob))


async def test_a_trials_job_is_its_experiments_creators_whatever_the_trial_says(
    lab: World, profile: Manifest
) -> None:
    bob, at, katib = lab.user("bob"), where(profile), as_(lab, "katib-controller")
    for kind, resource in (("Experiment", "experiments"), ("Trial", "trials")):
        define(lab, kind, f"{resource}.kubeflow.org", version="v1beta1")
    entitle(lab, bob, ["create"], "experiments.kubeflow.org")
    top = make(lab, bob, custom("Experiment", "kubeflow.org/v1beta1", "search", at))
    trial = custom("Trial", "kubeflow.org/v1beta1", "search-1", at)
    trial["metadata"] |= {"ownerReferences": [reference(top)], "annotations": {STAMP: "user:nobody"}}
    job = workload("Job", "search-1", at)
    job["metadata"]["ownerReferences"] = [reference(make(lab, katib, trial))]
    make(lab, katib, job)
    await belong(lab, at, lab.owner(bob))


async def test_what_is_trained_from_a_notebook_is_the_profiles_owners(lab: World, profile: Manifest) -> None:
    alice, at = lab.user("alice"), where(profile)
    define(lab, "PyTorchJob", "pytorchjobs.kubeflow.org")
    editor = lab.plane.service_account(at, "default-editor", role="edit")
    entitle(lab, editor, ["create"], "pytorchjobs.kubeflow.org")
    top = make(lab, editor, custom("PyTorchJob", "kubeflow.org/v1", "train", at))
    worker = held("train-worker-0", at)
    worker["metadata"]["ownerReferences"] = [{**reference(top), "blockOwnerDeletion": True}]
    make(lab, as_(lab, "training-operator"), worker)
    await belong(lab, at, lab.owner(alice))


async def test_what_is_kept_in_every_profile_belongs_to_its_owner(lab: World, profile: Manifest) -> None:
    """The pipelines' controller makes Deployments that the namespace controls, which the Profile controls."""
    alice, at = lab.user("alice"), where(profile)
    made = workload("Deployment", "ml-pipeline-ui-artifact", at)
    made["metadata"]["ownerReferences"] = [reference(profile)]
    make(lab, as_(lab, "meta-controller-service"), made)
    await belong(lab, at, lab.owner(alice))


async def test_a_service_that_is_deployed_from_a_model_is_its_creators_and_its_controller_gets_on(
    lab: World, profile: Manifest
) -> None:
    """KServe hands the annotations of an InferenceService down, and applies them again whenever it looks."""
    bob, at, kserve = lab.user("bob"), where(profile), as_(lab, "kserve-controller-manager")
    define(lab, "InferenceService", "inferenceservices.serving.kserve.io", version="v1beta1")
    entitle(lab, bob, ["create"], "inferenceservices.serving.kserve.io")
    top = make(lab, bob, custom("InferenceService", "serving.kserve.io/v1beta1", "llm", at))
    handed = {STAMP: top["metadata"]["annotations"][STAMP]}
    made = workload("Deployment", "llm-predictor", at, annotations=handed)
    made["metadata"] |= {"ownerReferences": [reference(top)], "annotations": handed}
    path = lab.plane.client.path_of(make(lab, kserve, made))
    for _ in range(2):
        status, answer = kserve.client().call("PATCH", path, made, "application/merge-patch+json")
        assert (status, owners({**answer, "kind": "Deployment"})) == (200, [lab.owner(bob), None]), answer
    await belong(lab, at, lab.owner(bob))


def test_marks_that_a_user_writes_are_nothing(lab: World) -> None:
    bob = lab.user("bob")
    entitle(lab, bob, ["create"], "namespaces", "notebooks.kubeflow.org")
    own = place(lab, bob, "own", annotations={OWNER: lab.name("alice")}, labels=PARTS)
    assert owners(own) == [lab.owner(bob)]
    assert owners(make(lab, bob, notebook(lab, where(own), "nb", lab.name("alice")))) == [lab.owner(bob)]
    meta: dict[str, Any] = {"name": "profiles-controller-service-account", "namespace": where(own)}
    make(lab, bob, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    namesake = lab.plane.account(where(own), meta["name"], role="cluster-admin")
    assert owners(place(lab, namesake, "second", annotations={OWNER: lab.name("alice")})) == [lab.owner(bob)]
    assert templates(own) == []


def test_a_pod_default_writes_no_owner_on_the_pods_that_it_matches(lab: World, profile: Manifest) -> None:
    """Kubeflow's webhook copies its annotations to pods after they are stamped, where it finds none."""
    bob = lab.user("bob")
    define(lab, "PodDefault", "poddefaults.kubeflow.org", version="v1alpha1")
    entitle(lab, bob, ["create", "patch"], "poddefaults.kubeflow.org")
    for field, key in (("annotations", STAMP), ("labels", "labquota.dev/user")):
        selected = {"selector": {"matchLabels": {"app": "nb"}}}
        wrong = {**selected, field: {key: "user:nobody", "mine": "1"}}
        made = custom("PodDefault", "kubeflow.org/v1alpha1", field, where(profile), wrong)
        with pytest.raises(
            ApiError, match=r"OWNER_FORGED: leave what begins with labquota\.dev/ out of what"
        ):
            make(lab, bob, made)
        made["spec"] = {**selected, field: {"mine": "1"}}
        path = lab.plane.client.path_of(make(lab, bob, made))
        patch = {"spec": {field: {key: "user:nobody"}}}
        status, answer = bob.client().call("PATCH", path, patch, "application/merge-patch+json")
        assert (status, "OWNER_FORGED" in answer["message"]) == (403, True)
