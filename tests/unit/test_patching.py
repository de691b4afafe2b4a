"""Patches of an update by a controller: whatever it says of stamps and labels, they stay as they were."""

import json
from typing import Any

import pytest

from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.stamping import USER_LABEL
from labquota.webhook.patching import Stamp, patches

ALICE = {"annotations": {OWNER_ANNOTATION: "user:alice"}, "labels": {USER_LABEL: "alice"}}
BOB = {"annotations": {OWNER_ANNOTATION: "user:bob"}, "labels": {USER_LABEL: "bob"}}
NONE: dict[str, Any] = {"annotations": {"mine": "1"}, "labels": {"app": "a"}}


def workload(own: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(
        json.dumps({"metadata": own, "spec": {"template": {"metadata": template}}})
    )
    return made


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (workload(ALICE, ALICE), workload(ALICE, NONE)),
        (workload(BOB, BOB), workload(ALICE, NONE)),
        (workload(BOB, BOB), workload(ALICE, ALICE)),
        (workload(NONE, NONE), workload(ALICE, ALICE)),
        (workload(BOB, NONE), workload(NONE, NONE)),
    ],
)
def test_what_a_controller_hands_down_changes_no_stamp(sent: dict[str, Any], stored: dict[str, Any]) -> None:
    found = list(patches("deployments.apps", sent, stored, Stamp(), restore=True))
    # `patches` applies each to what was sent, since the next one builds on it
    for place in ((), ("spec", "template")):
        now, before = sent, stored
        for part in place:
            now, before = now[part], before[part]
        assert now["metadata"]["annotations"].get(OWNER_ANNOTATION) == before["metadata"]["annotations"].get(
            OWNER_ANNOTATION
        )
    label = stored["spec"]["template"]["metadata"]["labels"].get(USER_LABEL)
    assert sent["spec"]["template"]["metadata"]["labels"].get(USER_LABEL) == label
    assert all(each["op"] in ("add", "remove") for each in found)


def test_an_update_that_says_the_same_needs_no_patch() -> None:
    assert (
        list(
            patches("deployments.apps", workload(ALICE, ALICE), workload(ALICE, ALICE), Stamp(), restore=True)
        )
        == []
    )


def test_what_a_person_writes_over_a_stamp_stays_for_the_guard_to_refuse() -> None:
    assert list(patches("deployments.apps", workload(BOB, BOB), workload(ALICE, ALICE), Stamp())) == []
