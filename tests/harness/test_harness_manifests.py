"""The builders make what the API server reads."""

from harness import manifests


def test_a_pod_asks_for_the_same_as_request_and_limit() -> None:
    made = manifests.pod("a", "ns", cpu="500m", memory="1Gi", gpu=1, mig={"1g.10gb": 2})
    asked = {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": "1", "nvidia.com/mig-1g.10gb": "2"}
    assert made["metadata"] == {"name": "a", "namespace": "ns"}
    assert made["spec"]["containers"][0]["resources"] == {"requests": asked, "limits": asked}


def test_requests_alone_leave_limits_unset() -> None:
    resources = manifests.container(requests={"cpu": 1})["resources"]
    assert resources == {"requests": {"cpu": "1"}}


def test_a_group_writes_fields_as_the_api_spells_them() -> None:
    made = manifests.group(
        "g",
        subjects=["user:alice", "group:oidc:students", "serviceaccount:ci/runner"],
        default_for=["User"],
        aggregate={"gpu": 3},
        per_pod={"gpu": 2},
        when_unset="Ignore",
        allow_whole_gpu=False,
    )
    assert made["spec"] == {
        "subjects": [
            {"kind": "User", "name": "alice"},
            {"kind": "Group", "name": "oidc:students"},
            {"kind": "ServiceAccount", "namespace": "ci", "name": "runner"},
        ],
        "defaultFor": ["User"],
        "whenUnset": "Ignore",
        "allowWholeGPU": False,
        "aggregate": {"gpu": 3},
        "perPod": {"gpu": 2},
    }


def test_a_jobs_template_keeps_only_what_a_template_has() -> None:
    made = manifests.job("j", "ns", completions=3, gpu=1, annotations={"a": "b"})
    template = made["spec"]["template"]
    assert made["metadata"] == {"name": "j", "namespace": "ns"}
    assert template["metadata"] == {"annotations": {"a": "b"}}
    assert template["spec"]["restartPolicy"] == "Never"
    assert template["spec"]["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "1"}
