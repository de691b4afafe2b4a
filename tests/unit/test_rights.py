"""What may not be read is said at the start."""

import json
from typing import Any

import pytest

from labquota.kube import errors, rights
from labquota.kube.rights import MissingRights
from labquota.quota.trust import Trust
from unit.simulated import Cluster, Fault, run

TRUST = Trust(kinds=("rayclusters.ray.io", "jobsets.jobset.x-k8s.io"))


class Permitting(Cluster):
    """Answers SelfSubjectAccessReviews; some rights come only after so many questions."""

    def __init__(self, **after: int) -> None:
        super().__init__()
        self.after = after

    async def create(
        self,
        path: str,
        body: bytes,
        params: Any = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as in Api
    ) -> bytes:
        del params, timeout
        self.calls.append(("create", path))
        asked = json.loads(body)["spec"]["resourceAttributes"]
        watched = "nodes" in asked["resource"] or asked["resource"] == "gpuallocations"
        assert asked["verb"] == ("list" if watched else "get")
        left = self.after.get(asked["resource"], 0)
        self.after[asked["resource"]] = left - 1
        return json.dumps({"status": {"allowed": left <= 0}}).encode()


def test_whoever_may_read_everything_starts_at_once() -> None:
    cluster = Permitting()
    run(rights.check(cluster, TRUST))
    assert cluster.count("create", "selfsubjectaccessreviews") == 12


def test_a_right_that_has_just_been_granted_is_waited_for() -> None:
    run(rights.check(Permitting(jobs=5), TRUST))


def test_a_kind_without_a_right_is_named_with_what_to_do() -> None:
    with pytest.raises(MissingRights) as caught:
        run(rights.check(Permitting(rayclusters=10**6), TRUST))
    assert str(caught.value) == (
        "rayclusters.ray.io may not be read, so owners cannot be found by them: apply what `labquota policies` prints "
        "for these settings (LABQUOTA_OWNERS), or leave them out of `kinds`"
    )


def test_an_api_server_that_does_not_answer_keeps_nobody_from_starting() -> None:
    cluster = Cluster()
    cluster.plan("create", *(Fault(errors.Unreachable("refused")) for _ in range(20)))
    run(rights.check(cluster, TRUST))


def test_whoever_may_not_list_nodes_does_not_pretend_to_know_what_gpus_cost() -> None:
    cluster = Permitting()
    run(rights.check_nodes(cluster))
    assert cluster.count("create", "selfsubjectaccessreviews") == 2
    run(rights.check_nodes(Permitting(gpunodes=3)))
    with pytest.raises(MissingRights) as caught:
        run(rights.check_nodes(Permitting(nodes=10**6)))
    assert str(caught.value) == (
        "nodes may not be listed, so nobody knows which GPUs there are and what they cost: "
        "apply config/install/rbac.yaml of this release"
    )


def test_whoever_may_not_list_allocations_does_not_pretend_to_know_what_is_held() -> None:
    run(rights.check_holds(Permitting(gpuallocations=2)))
    with pytest.raises(MissingRights) as caught:
        run(rights.check_holds(Permitting(gpuallocations=10**6)))
    assert str(caught.value) == (
        "gpuallocations.labquota.dev may not be listed, so nobody knows what is held without a pod: "
        "apply config/install/allocations.yaml of this release"
    )
