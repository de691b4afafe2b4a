"""What the view keeps of a pod is what reckoning the whole pod afresh would give, however little of it is read."""

import json
import logging
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labquota.controllers import charges
from labquota.controllers.charges import pack, unpack
from labquota.quota import demand, pods
from labquota.quota.world import World
from unit.builders import ALICE, manifest

UID = "12701a59-8eaf-4d37-ab8a-5b8b69cc7596"
AMOUNTS = st.sampled_from(["1", "500m", "2"])
RESOURCES = st.fixed_dictionaries(
    {},
    optional={
        key: st.dictionaries(st.sampled_from(["cpu", "memory"]), AMOUNTS) for key in ("requests", "limits")
    },
)
CONTAINERS = st.fixed_dictionaries(
    {"name": st.sampled_from("ab"), "resources": RESOURCES}, optional={"restartPolicy": st.just("Always")}
)
STATUSES = st.fixed_dictionaries(
    {"name": st.sampled_from("ab")},
    optional={"resources": RESOURCES, "allocatedResources": st.dictionaries(st.just("cpu"), AMOUNTS)},
)
CONDITIONS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Ready", "PodResizePending"]),
        "reason": st.sampled_from(["Infeasible", "Deferred"]),
        "observedGeneration": st.integers(1, 2),
    }
)
PODS = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {
                "name": st.just("a"),
                "namespace": st.just("lab"),
                "uid": st.just(UID),
                "generation": st.integers(1, 2),
            }
        ),
        "spec": st.fixed_dictionaries(
            {"containers": st.lists(CONTAINERS, min_size=1, max_size=2)},
            optional={
                "initContainers": st.lists(CONTAINERS, max_size=2),
                "resources": RESOURCES,
                "overhead": st.dictionaries(st.just("cpu"), AMOUNTS),
            },
        ),
        "status": st.fixed_dictionaries(
            {"phase": st.sampled_from(["Pending", "Running", "Failed"])},
            optional={
                "conditions": st.lists(CONDITIONS, max_size=1),
                "containerStatuses": st.lists(STATUSES, max_size=2),
                "initContainerStatuses": st.lists(STATUSES, max_size=1),
                "resources": RESOURCES,
                "allocatedResources": st.dictionaries(st.just("cpu"), AMOUNTS),
            },
        ),
    }
)


@given(st.lists(PODS, min_size=1, max_size=3))
def test_what_was_reckoned_once_is_what_would_be_reckoned_now(found: list[dict[str, Any]]) -> None:
    for pod in found:
        raw = json.dumps(pod).encode()
        charge = charges.of(raw, World())
        whole = pods.decode(raw)
        assert charge.amounts == demand.held(whole)
        assert charge.charged == demand.charged(whole)


def asks(cpu: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu}}


def pod(spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None) -> dict[str, Any]:
    """Two containers and a sidecar; the spec and the status with something else in it."""
    containers = [{"name": "a", "resources": asks("1")}, {"name": "b", "resources": asks("2")}]
    sidecar = {"name": "s", "restartPolicy": "Always", "resources": asks("1")}
    return {
        "metadata": {"name": "p", "namespace": "lab", "uid": UID, "generation": 2},
        "spec": {"containers": containers, "initContainers": [sidecar], **(spec or {})},
        "status": {"phase": "Running", **(status or {})},
    }


def running(name: str, cpu: str) -> dict[str, Any]:
    return {"name": name, "resources": asks(cpu), "allocatedResources": {"cpu": cpu}}


UNDER_WAY = {"containerStatuses": [running("a", "1"), running("b", "1")]}
REFUSED = [{"type": "PodResizePending", "reason": "Infeasible", "observedGeneration": 2}]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pod(), pod({"containers": [{"name": "a", "resources": asks("5")}]})),
        (pod(), pod({"initContainers": [{"name": "s", "resources": asks("1")}]})),
        (pod(), pod({"initContainers": []})),
        (pod(), pod({"overhead": {"cpu": "1"}})),
        (pod(), pod({"resources": asks("9")})),
        (pod(), pod(status={"containerStatuses": [running("a", "7")]})),
        (
            pod(status={"containerStatuses": [running("a", "2")]}),
            pod(status={"containerStatuses": [running("b", "2")]}),
        ),
        (
            pod(status={"containerStatuses": [running("a", "1")]}),
            pod(status={"containerStatuses": [{**running("a", "1"), "allocatedResources": {"cpu": "6"}}]}),
        ),
        (pod(), pod(status={"initContainerStatuses": [running("s", "3")]})),
        (
            pod({"resources": asks("9")}),
            pod({"resources": asks("9")}, {"resources": asks("12"), "allocatedResources": {"cpu": "9"}}),
        ),
        (
            pod({"resources": asks("9")}, {"resources": asks("9"), "allocatedResources": {"cpu": "9"}}),
            pod({"resources": asks("9")}, {"resources": asks("9"), "allocatedResources": {"cpu": "11"}}),
        ),
        (pod(status=UNDER_WAY), pod(status={**UNDER_WAY, "conditions": REFUSED})),
    ],
)
def test_whatever_an_amount_is_reckoned_from_is_looked_at(one: dict[str, Any], other: dict[str, Any]) -> None:
    raws = [json.dumps(each).encode() for each in (one, other)]
    held = [demand.held(pods.decode(raw)) for raw in raws]
    assert held[0] != held[1], "the two hold the same: nothing is shown"
    assert [charges.of(raw, World()).amounts for raw in raws] == held


def test_pods_whose_resources_are_written_alike_share_what_they_hold() -> None:
    one, other = (charges.of(json.dumps(manifest(name, gpu=1)).encode(), World()) for name in "ab")
    assert one.amounts is other.amounts


def test_what_a_user_writes_at_length_is_reckoned_and_not_remembered() -> None:
    pod = manifest("a", gpu=1)
    pod["spec"]["containers"] *= 200
    before = len(charges._reckoned)  # noqa: SLF001  what is not kept shows in no other way
    assert charges.of(json.dumps(pod).encode(), World()).amounts["gpu"] == 200
    assert len(charges._reckoned) == before  # noqa: SLF001  as above


def test_a_pod_that_cannot_be_reckoned_counts_as_a_pod_each_time_it_is_seen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raw = json.dumps(manifest("a", cpu="much")).encode()
    with caplog.at_level(logging.WARNING):
        assert [charges.of(raw, World()).amounts for _ in range(2)] == [{"pods": 1}] * 2
    assert [each.message for each in caplog.records] == ["a stored pod cannot be reckoned"] * 2


def test_uids_and_versions_come_back_as_they_are_written() -> None:
    for uid in (UID, "uid-a", "", UID.upper(), UID.replace("-", "_"), " " + UID[1:], "0" * 8 + UID[8:]):
        assert unpack(pack(uid)) == uid
    assert isinstance(pack(UID), int)
    assert len({pack(UID), pack(UID.upper()), pack(UID.replace("-", ""))}) == 3
    for version in ("7", "300", "", "v7", "٣"):
        assert charges.of(json.dumps(manifest("a", version=version)).encode(), World()).version == version


def test_owner_stamp_node_and_deadline_are_read() -> None:
    pod = manifest("a")
    pod["spec"]["nodeName"] = "gpu-1"
    pod["metadata"]["deletionTimestamp"] = "2026-03-01T08:00:30Z"
    charge = charges.of(json.dumps(pod).encode(), World())
    assert (charge.owner, charge.stamped, charge.node, charge.deadline) == (
        ALICE,
        True,
        "gpu-1",
        1772352030.0,
    )
    assert repr(charge) == "Charge(lab/a, user:alice, {'pods': 1})"


def test_what_is_no_pod_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        charges.of(b'{"spec": 7}', World())
