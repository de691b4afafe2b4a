"""What pods take from, when somebody writes it: read as an update that opens a way to GPUs."""

import base64
import json
from typing import Any

import pytest

from labquota.quota.lookups import Found, Lookup
from labquota.webhook import sources
from labquota.webhook.review import Unreadable
from unit.reached import LIMITED, case, limited

VISIBLE = "NVIDIA_VISIBLE_DEVICES"


def body(resource: str, new: dict[str, Any], old: dict[str, Any] | None = None, user: str = "alice") -> bytes:
    asked = {
        "uid": "review-1",
        "operation": "CREATE" if old is None else "UPDATE",
        "resource": {"group": "", "version": "v1", "resource": resource},
        "namespace": "lab",
        "name": "env",
        "userInfo": {"username": user},
        "object": new,
        "oldObject": old,
    }
    return json.dumps({"request": asked}).encode()


def found(
    resource: str, new: dict[str, Any], old: dict[str, Any] | None = None, user: str = "alice"
) -> list[str]:
    judged = case(sources.decode(body(resource, new, old, user)))
    assert judged.unread == ()
    assert not judged.is_counted, "nothing is charged for it"
    return [each.text for each in judged.refusals]


def config(value: str, **more: str) -> dict[str, Any]:
    return {"data": {VISIBLE: value, **more}}


def test_a_config_map_that_names_gpus_is_refused_and_one_that_names_none_is_not() -> None:
    [line] = found("configmaps", config("all"))
    assert line == (
        f'ConfigMap env sets {VISIBLE} to "all", by which containers that take their variables from it reach GPUs '
        "that they do not ask for; set it to void or leave it out: ask for nvidia.com/gpu or a MIG slice under "
        "resources.limits"
    )
    assert found("configmaps", config("void")) == []
    assert found("configmaps", {"data": {"OTHER": "all"}}) == []


def test_what_was_there_before_is_nobodys_fault_who_writes_the_rest() -> None:
    assert found("configmaps", config("all", OTHER="new"), config("all")) == []
    assert len(found("configmaps", config("all"), config("void"))) == 1
    assert len(found("configmaps", config("0,1"), config("all"))) == 1


def test_the_value_of_a_secret_is_told_to_nobody() -> None:
    [line] = found("secrets", {"data": {VISIBLE: base64.b64encode(b"GPU-1").decode()}})
    assert line.startswith(f"Secret env sets {VISIBLE}, by which containers")


def claim(name: str) -> dict[str, Any]:
    return {"spec": {"devices": {"requests": [{"name": "a", "exactly": {"deviceClassName": name}}]}}}


def test_a_claim_of_gpus_is_refused_where_it_is_made() -> None:
    for resource, made, kind in (
        ("resourceclaims", claim("gpu.nvidia.com"), "ResourceClaim"),
        ("resourceclaimtemplates", {"spec": claim("gpu.nvidia.com")}, "ResourceClaimTemplate"),
    ):
        [line] = found(resource, made)
        assert line.startswith(f"{kind} env is for GPUs (DeviceClass gpu.nvidia.com), which are not counted")


def test_the_class_of_a_claim_is_read_where_it_is_not_listed() -> None:
    request = sources.decode(body("resourceclaims", claim("fpga")))
    every = Lookup("deviceclasses", "", "")
    assert case(request).unread == (every,)
    assert case(request, facts={every: Found()}).refusals != ()


def test_who_is_not_limited_writes_what_they_like() -> None:
    request = sources.decode(body("configmaps", config("all"), user="system:kube-scheduler"))
    assert case(request, limited(None, LIMITED)).refusals == ()


def test_a_service_account_is_whoever_it_belongs_to() -> None:
    request = sources.decode(body("configmaps", config("all"), user="system:serviceaccount:lab:runner"))
    assert request.stored.annotations == {"labquota.dev/owner": "serviceaccount:lab/runner"}


@pytest.mark.parametrize("raw", [b"", b"{}", body("pods", {}), body("configmaps", {"data": [1]})])
def test_a_body_that_cannot_be_read_is_refused(raw: bytes) -> None:
    with pytest.raises(Unreadable, match="the AdmissionReview cannot be read"):
        sources.decode(raw)
