"""Devices that are claimed: GPUs among them are refused by name until they are counted."""

from typing import Any

import pytest

from labquota.quota.gpusettings import GPUSettings
from labquota.quota.lookups import GONE, HIDDEN, DeviceClass, Found, Lookup
from unit.builders import group
from unit.reached import container, found, limited, lines, pod, unread

CODE = "DRA_NOT_COUNTED"
CLAIM = Lookup("resourceclaims", "lab", "mine")
TEMPLATE = Lookup("resourceclaimtemplates", "lab", "each")
CLASSES = Lookup("deviceclasses", "", "")
BY_CLAIM = pod(resourceClaims=[{"name": "dev", "resourceClaimName": "mine"}])
BY_TEMPLATE = pod(resourceClaims=[{"name": "dev", "resourceClaimTemplateName": "each"}])


def given(name: str, *selectors: str, extended: str = "") -> Found:
    return Found(device_classes=(DeviceClass(name, selectors, extended),))


@pytest.mark.parametrize(("manifest", "lookup"), [(BY_CLAIM, CLAIM), (BY_TEMPLATE, TEMPLATE)])
def test_a_claim_is_read_and_refused_where_it_is_for_gpus(manifest: dict[str, Any], lookup: Lookup) -> None:
    assert unread(manifest) == [lookup]
    for name in ("gpu.nvidia.com", "mig.nvidia.com"):
        facts = {lookup: Found(classes=(name,))}
        assert found(manifest, facts=facts) == [(CODE, "spec.resourceClaims[dev]")]


def test_the_line_names_the_claim_the_class_and_what_to_do() -> None:
    [line] = lines(BY_TEMPLATE, facts={TEMPLATE: Found(classes=("gpu.nvidia.com",))})
    assert line == (
        "claim dev (ResourceClaimTemplate each) is for GPUs (DeviceClass gpu.nvidia.com), which are not counted "
        "when they are claimed; ask for nvidia.com/gpu or a MIG slice under resources.limits"
    )


def test_a_class_of_another_name_is_read_and_known_by_its_selectors() -> None:
    facts = {CLAIM: Found(classes=("fpga",))}
    assert unread(BY_CLAIM, facts=facts) == [CLASSES]
    assert (
        found(BY_CLAIM, facts={**facts, CLASSES: given("fpga", "device.driver == 'fpga.example.com'")}) == []
    )
    assert found(BY_CLAIM, facts={**facts, CLASSES: given("fpga", "device.driver == 'gpu.nvidia.com'")}) != []
    assert found(BY_CLAIM, facts={**facts, CLASSES: given("fpga")}) != [], "it gives any device"
    settings = GPUSettings(device_classes=frozenset({"fpga"}))
    assert found(BY_CLAIM, limited(settings), facts) == [(CODE, "spec.resourceClaims[dev]")]


def test_a_claim_of_no_class_at_all_passes() -> None:
    assert found(BY_CLAIM, facts={CLAIM: Found()}) == []


def test_what_cannot_be_read_is_refused_and_the_line_says_why() -> None:
    assert lines(BY_CLAIM, facts={CLAIM: GONE}) == [
        "claim dev (ResourceClaim mine) is not there, so nobody can tell whether it is for a GPU; create it first"
    ]
    [line] = lines(BY_CLAIM, facts={CLAIM: HIDDEN})
    assert line == (
        "claim dev (ResourceClaim mine) may not be read by labquota, so nobody can tell whether it is for a GPU; "
        "have an administrator apply config/install/rbac.yaml"
    )
    facts = {CLAIM: Found(classes=("fpga",)), CLASSES: GONE}
    assert lines(BY_CLAIM, facts=facts) == [
        "claim dev (ResourceClaim mine) asks for DeviceClass fpga, which is not there; use one that is there"
    ]


def asks(name: str) -> dict[str, Any]:
    return pod(container(resources={"requests": {name: "1"}, "limits": {name: "1"}}))


def test_a_class_by_its_resource_name_is_refused_like_a_claim() -> None:
    name = "deviceclass.resource.kubernetes.io/gpu.nvidia.com"
    assert found(asks(name)) == [(CODE, f"spec.containers[].resources.limits[{name}]")]
    other = asks("deviceclass.resource.kubernetes.io/fpga")
    assert unread(other) == [CLASSES]
    assert found(other, facts={CLASSES: given("fpga", "device.driver == 'gpu.nvidia.com'")}) != []
    assert found(other, facts={CLASSES: given("fpga", "device.driver == 'fpga.example.com'")}) == []


def test_an_extended_resource_by_whose_name_a_class_goes_is_refused() -> None:
    assert unread(asks("example.com/fast")) == [CLASSES]
    classes = Found(
        device_classes=(
            DeviceClass("a", ("device.driver == 'fpga.example.com'",), "example.com/slow"),
            DeviceClass("b", ("device.driver == 'gpu.nvidia.com'",), "example.com/fast"),
        )
    )
    assert found(asks("example.com/slow"), facts={CLASSES: classes}) == []
    [line] = lines(asks("example.com/fast"), facts={CLASSES: classes})
    assert line.startswith("resource example.com/fast is for GPUs (DeviceClass b), which are not counted")
    assert found(asks("example.com/fast"), facts={CLASSES: GONE}) == [], "the cluster knows no classes"
    [line] = lines(asks("example.com/fast"), facts={CLASSES: HIDDEN})
    assert line == (
        "DeviceClasses may not be read by labquota, so nobody can tell whether resource example.com/fast is for GPUs; "
        "have an administrator apply config/install/rbac.yaml"
    )


def test_a_gpu_by_its_own_name_needs_no_look_at_classes() -> None:
    assert unread(asks("nvidia.com/gpu")) == []


def test_claims_are_refused_whatever_is_said_of_gpus_that_nobody_asked_for() -> None:
    facts = {CLAIM: Found(classes=("gpu.nvidia.com",))}
    for settings in (GPUSettings(not_requested="Off"), GPUSettings(trusted_namespaces=frozenset({"lab"}))):
        assert found(BY_CLAIM, limited(settings), facts) == [(CODE, "spec.resourceClaims[dev]")]


def test_who_may_hold_any_number_of_gpus_may_claim_them() -> None:
    of = limited(None, group(aggregate={"requests.cpu": 4}))
    assert found(BY_CLAIM, of) == []
    assert found(asks("deviceclass.resource.kubernetes.io/gpu.nvidia.com"), of) == []
