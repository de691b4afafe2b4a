"""The first look at a pod under review: it misses nothing that is looked at properly, and keeps nothing."""

from typing import Any

import msgspec
import pytest

from labquota.quota import glance
from labquota.webhook import review
from labquota.webhook.review import Unreadable
from unit.reached import body, container, pod, variable

READS_ITSELF = {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
PLAIN = pod(
    container(
        env=[variable("x", f"V{number}") for number in range(20)] + [READS_ITSELF],
        securityContext={"runAsNonRoot": True, "allowPrivilegeEscalation": False},
        volumeMounts=[{"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
    ),
    annotations={"example.com/note": "cdi"},
    volumes=[{"name": "token", "projected": {"sources": []}}],
)


def test_an_ordinary_pod_is_not_looked_at_twice() -> None:
    assert review.decode(body(PLAIN)).access is None


@pytest.mark.parametrize(
    "manifest",
    [
        pod(container(env=[variable("all")])),
        pod(container(env=[variable("11", "CUDA_VERSION")])),
        pod(container(envFrom=[{"configMapRef": {"name": "env"}}])),
        pod(container(securityContext={"privileged": True})),
        pod(volumes=[{"name": "dev", "hostPath": {"path": "/dev"}}]),
        pod(annotations={"cdi.k8s.io/a": "nvidia.com/gpu=0"}),
        pod(runtimeClassName="nvidia"),
        pod(resourceClaims=[{"name": "gpu", "resourceClaimName": "gpu"}]),
        pod(container(), initContainers=[container("first", env=[variable("all")])]),
    ],
)
def test_whatever_may_lead_to_a_gpu_has_the_pod_looked_at(manifest: dict[str, Any]) -> None:
    assert review.decode(body(manifest)).access is not None


def test_an_update_is_looked_at_unless_it_is_a_resize() -> None:
    assert review.decode(body(PLAIN, PLAIN, "ephemeralcontainers")).access is not None
    assert review.decode(body(PLAIN, PLAIN)).access is not None
    assert review.decode(body(PLAIN, PLAIN, "resize")).access is None


def test_nothing_of_it_is_kept() -> None:
    manifest = pod(
        container(env=[variable("all")], envFrom=[{}], securityContext={"privileged": False}),
        volumes=[{"name": "dev", "hostPath": {"path": "/dev"}}],
        resourceClaims=[{"name": "gpu", "resourceClaimName": "gpu"}],
    )
    request = review.decode(body(manifest))
    assert isinstance(request.pod, glance.Pod)
    kept = msgspec.json.encode(request.pod.spec)
    assert kept == b'{"containers":[{"name":"main","resources":{}}]}'


def test_variables_that_mean_nothing_are_let_go() -> None:
    many = [variable("x" * 1000, f"V{number}") for number in range(100)]
    access = review.decode(body(pod(container(env=[*many, variable("all")])))).access
    assert access is not None
    assert [each.name for each in access.containers[0].env] == ["NVIDIA_VISIBLE_DEVICES"]


def test_what_has_the_wrong_type_is_refused_and_not_overlooked() -> None:
    with pytest.raises(Unreadable, match="privileged"):
        review.decode(body(pod(container(securityContext={"privileged": "yes"}))))
    with pytest.raises(Unreadable):
        review.decode(body(pod(container(env=[variable("all")], envFrom={"configMapRef": 1}))))
