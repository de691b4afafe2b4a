"""What a running control plane does: users and groups, fake nodes, Jobs, two API servers, faults on request."""

import http.client
from typing import Any

import pytest

from controlplane import ApiError, ControlPlane, User
from controlplane.process import wait_until

PODS = "/api/v1/namespaces/default/pods"
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def pod(name: str, **resources: str) -> dict[str, Any]:
    container = {"name": "main", "image": "none", "resources": {"limits": resources}}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}


def phase(plane: ControlPlane, name: str) -> str:
    return str(plane.client.get(f"{PODS}/{name}")["status"]["phase"])


def who(user: User) -> dict[str, Any]:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    found: dict[str, Any] = user.client().create(REVIEWS, review)["status"]["userInfo"]
    return found


def test_a_users_groups_reach_the_api_server(control_plane: ControlPlane) -> None:
    seen = who(control_plane.user("parts-alice", ["oidc:students", "vision"]))
    assert seen["username"] == "parts-alice"
    assert seen["groups"] == ["oidc:students", "vision", "system:authenticated"]


def test_a_service_account_is_taken_for_one(control_plane: ControlPlane) -> None:
    seen = who(control_plane.service_account("ci", "runner"))
    assert seen["username"] == "system:serviceaccount:ci:runner"
    assert "system:serviceaccounts:ci" in seen["groups"]


def test_a_user_without_a_role_may_do_nothing(control_plane: ControlPlane) -> None:
    nobody = control_plane.user("parts-nobody", role=None)
    with pytest.raises(ApiError, match='403 pods is forbidden: User "parts-nobody" cannot list'):
        nobody.client().get(PODS)


def test_a_pod_with_gpus_runs_on_a_fake_node_and_is_deleted_at_once(control_plane: ControlPlane) -> None:
    client = control_plane.user("parts-alice", ["oidc:students", "vision"]).client()
    client.create(PODS, pod("parts-gpu", **{"nvidia.com/gpu": "2", "nvidia.com/mig-1g.10gb": "1"}))
    assert wait_until(lambda: phase(control_plane, "parts-gpu") == "Running", 10)
    client.delete(f"{PODS}/parts-gpu")
    assert wait_until(lambda: client.call("GET", f"{PODS}/parts-gpu")[0] == 404, 5)


def test_a_jobs_pod_completes(control_plane: ControlPlane) -> None:
    template = pod("ignored")
    job = {
        "metadata": {"name": "parts-job"},
        "spec": {"completions": 2, "template": {"spec": {**template["spec"], "restartPolicy": "Never"}}},
    }
    jobs = "/apis/batch/v1/namespaces/default/jobs"
    control_plane.client.create(jobs, job)
    try:
        done = lambda: control_plane.client.get(f"{jobs}/parts-job")["status"].get("succeeded") == 2  # noqa: E731
        assert wait_until(done, 20)
    finally:
        control_plane.client.delete(f"{jobs}/parts-job", propagationPolicy="Background")


def test_a_held_pod_stays_pending_and_an_outcome_ends_a_running_one(control_plane: ControlPlane) -> None:
    held, failing = pod("parts-held"), pod("parts-failing")
    held["metadata"]["annotations"] = {"controlplane/hold": "true"}
    failing["metadata"]["annotations"] = {"controlplane/outcome": "Failed"}
    for each in (held, failing):
        control_plane.client.create(PODS, each)
    try:
        assert wait_until(lambda: phase(control_plane, "parts-failing") == "Failed", 10)
        assert phase(control_plane, "parts-held") == "Pending"
    finally:
        for each in (held, failing):
            control_plane.client.delete(f"{PODS}/{each['metadata']['name']}", gracePeriodSeconds=0)


def test_kubectl_speaks_as_the_user(control_plane: ControlPlane) -> None:
    user = control_plane.user("parts-alice", ["oidc:students", "vision"])
    answer = control_plane.kubectl(user, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    assert (answer.stdout, answer.stderr, answer.returncode) == ("parts-alice", "", 0)


def test_two_api_servers_see_each_others_writes_and_one_may_be_frozen_or_restarted() -> None:
    with ControlPlane(apiservers=2, audited=True) as plane:
        first, second = plane.admin.client(0), plane.admin.client(1)
        first.create("/api/v1/namespaces", {"metadata": {"name": "shared"}})
        assert second.get("/api/v1/namespaces/shared")["metadata"]["name"] == "shared"

        plane.apiserver(0).pause()
        second.create("/api/v1/namespaces", {"metadata": {"name": "meanwhile"}})
        plane.apiserver(0).resume()
        assert first.get("/api/v1/namespaces/meanwhile")["metadata"]["name"] == "meanwhile"

        plane.apiserver(0).kill()
        with pytest.raises((OSError, http.client.HTTPException)):
            first.get("/api/v1/namespaces/shared")
        plane.apiserver(0).restart()
        assert first.get("/api/v1/namespaces/shared")["metadata"]["name"] == "shared"

        writers = {(each["user"]["username"], each["verb"]) for each in plane.audit_events()}
        assert ("admin", "create") in writers
