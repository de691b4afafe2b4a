"""The gate, where what a pod reaches has to be read first."""

import json
from typing import Any

import pytest

from labquota.kube import errors
from labquota.kube.lookups import Lookups
from labquota.webhook import review
from labquota.webhook.gate import Gate
from labquota.webhook.holders import Holders
from labquota.webhook.makers import Makers
from unit.builders import group
from unit.reached import body, case, container, pod
from unit.replicas import held, replica, whose
from unit.simulated import Cluster, Fault, run

TAKES = pod(container(envFrom=[{"configMapRef": {"name": "env"}}]))
WHERE = "/api/v1/namespaces/lab/configmaps/env"
CLAIMS = pod(resourceClaims=[{"name": "dev", "resourceClaimTemplateName": "each"}])
TEMPLATE = "/apis/resource.k8s.io/v1/namespaces/lab/resourceclaimtemplates/each"
CLASS = "/apis/resource.k8s.io/v1/deviceclasses/fast"


class Door:
    def __init__(self, **spec: Any) -> None:
        self.cluster = Cluster()
        self.one = one = replica(self.cluster, group(aggregate={"gpu": 3, "pods": 5}, **spec))
        lookups, holders = Lookups(self.cluster, one.clock), Holders(self.cluster, one.clock)
        whom = whose(self.cluster, one)
        self.gate = Gate(one.world, one.store, one.admissions, holders, whom, lookups, one.clock, 44)

    async def asks(self, manifest: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(await self.gate.answer(body(manifest, **more), 10))["response"]
        return answer


@pytest.mark.parametrize(("value", "allowed"), [("all", False), ("void", True)])
def test_a_config_map_is_read_and_the_pod_judged_by_it(
    value: str,
    allowed: bool,  # noqa: FBT001  a column of the table
) -> None:
    async def scenario() -> None:
        door = Door()
        door.cluster.store(WHERE, {"metadata": {}, "data": {"NVIDIA_VISIBLE_DEVICES": value}})
        response = await door.asks(TAKES)
        assert response["allowed"] is allowed
        assert bool(held(door.cluster).reservations) is allowed
        if not allowed:
            assert response["status"]["message"].startswith(
                'GPU_NOT_REQUESTED: container main sets NVIDIA_VISIBLE_DEVICES to "all" by ConfigMap env'
            )
            [cause] = response["status"]["details"]["causes"]
            assert cause["field"] == "spec.containers[main].envFrom[NVIDIA_VISIBLE_DEVICES]"

    run(scenario())


def test_a_claim_is_followed_to_its_class() -> None:
    async def scenario() -> None:
        door = Door()
        exactly = {"deviceClassName": "fast"}
        spec = {"devices": {"requests": [{"name": "a", "exactly": exactly}]}}
        door.cluster.store(TEMPLATE, {"metadata": {}, "spec": {"spec": spec}})
        selectors = [{"cel": {"expression": "device.driver == 'gpu.nvidia.com'"}}]
        door.cluster.store(CLASS, {"metadata": {"name": "fast"}, "spec": {"selectors": selectors}})
        response = await door.asks(CLAIMS)
        assert response["status"]["message"].startswith(
            "DRA_NOT_COUNTED: claim dev (ResourceClaimTemplate each) is for GPUs (DeviceClass fast)"
        )

    run(scenario())


@pytest.mark.parametrize(("on_error", "allowed"), [("Allow", True), ("Deny", False)])
def test_an_api_server_that_does_not_answer_is_an_outage_as_the_group_says(
    on_error: str,
    allowed: bool,  # noqa: FBT001  a column of the table
) -> None:
    async def scenario() -> None:
        door = Door(onError=on_error)
        door.cluster.plan("get", Fault(errors.Unreachable("refused")))
        response = await door.asks(TAKES)
        why = "it cannot be told which GPUs the pod can reach: configmaps env cannot be read: refused"
        assert response["allowed"] is allowed
        if allowed:
            assert response["auditAnnotations"] == {"unchecked": why}
        else:
            assert why in response["status"]["message"]

    run(scenario())


def test_a_read_that_hangs_ends_before_the_answer_is_due() -> None:
    async def scenario() -> None:
        door = Door(onError="Deny")
        door.cluster.plan("get", Fault(wait=None))
        response = await door.asks(TAKES)
        assert "which GPUs the pod can reach: the API server does not answer" in response["status"]["message"]

    run(scenario())


def test_no_pod_of_a_users_makes_an_outage_however_much_it_names() -> None:
    async def scenario() -> None:
        door = Door()
        many = [{"configMapRef": {"name": f"env-{number}"}} for number in range(5000)]
        response = await door.asks(pod(container(envFrom=many)))
        assert response["status"]["message"].startswith(
            "GPU_NOT_REQUESTED: its containers take variables from 5000"
        )
        assert door.cluster.count("get", "configmaps") == 0
        claims = [{"name": f"c{number}", "resourceClaimName": f"c{number}"} for number in range(5000)]
        response = await door.asks(pod(resourceClaims=claims))
        assert response["status"]["message"].startswith("DRA_NOT_COUNTED: ")
        assert door.cluster.count("get", "resourceclaims") == 0

    run(scenario())


def test_an_ephemeral_container_is_refused_without_a_ledger() -> None:
    async def scenario() -> None:
        door = Door()
        late = container("late", securityContext={"privileged": True})
        new = pod(ephemeralContainers=[late])
        response = await door.asks(new, old=pod(), sub="ephemeralcontainers", user="bob")
        assert response["status"]["message"].startswith("GPU_NOT_REQUESTED: container late is privileged")
        harmless = pod(ephemeralContainers=[container("late")])
        assert await door.asks(harmless, old=pod(), sub="ephemeralcontainers") == {
            "uid": "review-1",
            "allowed": True,
        }
        assert held(door.cluster).reservations == ()

    run(scenario())


def test_of_a_refused_pod_that_is_remembered_nothing_is_kept_that_leads_out_of_it() -> None:
    many = [{"configMapRef": {"name": f"env-{number}"}} for number in range(5000)]
    settled = container(envFrom=many, env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}])
    made = pod(settled)
    maker = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web",
        "uid": "uid-web",
        "controller": True,
    }
    made["metadata"]["ownerReferences"] = [maker]
    judged = case(review.decode(body(made)))
    assert judged.request.access is not None
    makers = Makers()
    assert makers.refused(judged, 0.0)
    [kept] = makers.of(judged.owner)
    assert (kept.request.access, kept.request.facts) == (None, {})
