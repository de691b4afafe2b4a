"""Every way to write labquota's resources wrong is refused by the API server, with the field's path and a remedy."""

from typing import Any

import pytest

from cluster.schema_objects import Object, Resources, Wrong, group, ledger, override, usage
from controlplane import ControlPlane


def subject(kind: str, name: str, **more: str) -> Object:
    return group(subjects=[{"kind": kind, "name": name, **more}])


def expression(operator: str, **more: Any) -> Object:
    return group(namespaceSelector={"matchExpressions": [{"key": "team", "operator": operator, **more}]})


def without(body: Object, field: str) -> Object:
    return {**body, "spec": {name: value for name, value in body["spec"].items() if name != field}}


ALICE = {"kind": "User", "name": "alice"}
TYPE, TIME = "must be of type", "spec.expiresAt in body should match"

WRONG = [
    # Words
    Wrong(
        "a misspelt enforcement",
        group(enforcement="Enforced"),
        "spec.enforcement",
        '"Enforce", "Off", "Warn"',
    ),
    Wrong("a misspelt whenUnset", group(whenUnset="refuse"), "spec.whenUnset", '"Ignore", "Refuse"'),
    Wrong("a misspelt onError", group(onError="Fail"), "spec.onError", '"Allow", "Deny"'),
    Wrong(
        "an unknown owner kind", group(defaultFor=["Group"]), "spec.defaultFor[0]", '"ServiceAccount", "User"'
    ),
    Wrong(
        "the same owner kind twice",
        group(defaultFor=["User", "User"]),
        "spec.defaultFor[1]",
        "Duplicate value",
    ),
    Wrong("an unknown field", group(agregate={"gpu": 1}), 'unknown field "spec.agregate"', "strict decoding"),
    Wrong(
        "an unknown field of an override",
        override(until="x"),
        'unknown field "spec.until"',
        "strict decoding",
    ),
    Wrong("a word for yes", group(allowWholeGPU="no"), "spec.allowWholeGPU", TYPE),
    Wrong("no spec", {**group(), "spec": None}, "spec", "Required value"),
    # Who
    Wrong("the same subject twice", group(subjects=[ALICE, ALICE]), "spec.subjects[1]", "Duplicate value"),
    Wrong(
        "a misspelt subject kind", subject("user", "a"), "spec.subjects[0].kind", '"Group", "ServiceAccount"'
    ),
    Wrong(
        "a subject without a name",
        group(subjects=[{"kind": "User"}]),
        "spec.subjects[0].name",
        "Required value",
    ),
    Wrong(
        "a subject with an empty name", subject("User", ""), "spec.subjects[0].name", "at least 1 chars long"
    ),
    Wrong(
        "an endless subject",
        subject("User", "x" * 513),
        "spec.subjects[0].name",
        "not be more than 512 bytes",
    ),
    Wrong(
        "a service account without its namespace",
        subject("ServiceAccount", "runner"),
        "spec.subjects[0].namespace",
        "a subject of kind ServiceAccount needs its namespace",
    ),
    Wrong(
        "a user in a namespace",
        subject("User", "a", namespace="b"),
        "spec.subjects[0].namespace",
        "remove it",
    ),
    Wrong(
        "a group in a namespace",
        subject("Group", "a", namespace="b"),
        "spec.subjects[0].namespace",
        "remove it",
    ),
    Wrong(
        "a service account as a user",
        subject("User", "system:serviceaccount:ci:runner"),
        "spec.subjects[0].name",
        "write kind ServiceAccount with its namespace and name",
    ),
    Wrong(
        "a subject of RBAC's API group",
        subject("User", "a", apiGroup="x"),
        "spec.subjects[0].apiGroup",
        "strict",
    ),
    Wrong("too high a priority", group(priority=1_000_001), "spec.priority", "less than or equal to 1000000"),
    Wrong(
        "too low a priority", group(priority=-1_000_001), "spec.priority", "greater than or equal to -1000000"
    ),
    Wrong("a word for a priority", group(priority="high"), "spec.priority", TYPE),
    Wrong(
        "an unknown operator",
        expression("Is", values=["a"]),
        "spec.namespaceSelector.matchExpressions[0].operator",
        '"DoesNotExist", "Exists", "In", "NotIn"',
    ),
    *(
        Wrong(
            f"{operator} with {len(more)} lists of values",
            expression(operator, **more),
            "spec.namespaceSelector.matchExpressions[0].values",
            "In and NotIn need at least one value; Exists and DoesNotExist take none",
        )
        for operator, more in [("In", {}), ("NotIn", {}), ("Exists", {"values": ["a"]})]
    ),
    Wrong(
        "a label key that none can be",
        group(namespaceSelector={"matchLabels": {"my team": "a"}}),
        "spec.namespaceSelector.matchLabels",
        '["my team"] is not a label key',
    ),
    Wrong(
        "a label value that none can be",
        group(namespaceSelector={"matchLabels": {"team": "a b"}}),
        "spec.namespaceSelector.matchLabels[team]",
        "is not a label value",
    ),
    # Overrides
    Wrong("an override of nobody", without(override(), "owner"), "spec.owner", "Required value"),
    Wrong("an override of an empty owner", override(owner=""), "spec.owner", "at least 1 chars long"),
    Wrong(
        "an override of an endless owner",
        override(owner="x" * 1025),
        "spec.owner",
        "may not be more than 1024",
    ),
    *(
        Wrong(
            f"an end at {end}",
            override(notBefore="2026-03-02T08:00:00Z", expiresAt=end),
            "spec.expiresAt",
            "must be after notBefore",
        )
        for end in ("2026-03-01T08:00:00Z", "2026-03-02T08:00:00Z", "2026-03-02T09:00:00+02:00")
    ),
    Wrong("a day for a time", override(expiresAt="2026-03-01"), "spec.expiresAt", TIME),
    Wrong("a time without a zone", override(expiresAt="2026-03-01T08:00:00"), "spec.expiresAt", TIME),
    Wrong("a year that no clock shows", override(expiresAt="0000-01-01T00:00:00Z"), "spec.expiresAt", TIME),
    Wrong(
        "a day that there is not", override(expiresAt="2026-02-30T08:00:00Z"), "spec.expiresAt", "date-time"
    ),
    Wrong(
        "an hour that there is not", override(expiresAt="2026-02-03T25:00:00Z"), "spec.expiresAt", "date-time"
    ),
    Wrong("too long a reason", override(reason="x" * 1025), "spec.reason", "may not be more than 1024 bytes"),
    Wrong(
        "too long an approval",
        override(approvedBy="x" * 257),
        "spec.approvedBy",
        "not be more than 256 bytes",
    ),
    Wrong("a word for suspended", override(suspended="yes"), "spec.suspended", TYPE),
    # What only labquota writes
    Wrong("a budget of nobody", without(usage(), "owner"), "spec.owner", "Required value"),
    Wrong("a ledger of nobody", ledger(ledger="1"), "owner", "Required value"),
    Wrong("a ledger without its string", ledger(owner="user:a"), "ledger", "Required value"),
    Wrong("a ledger of another form", ledger(owner="user:a", ledger=["1"]), "ledger", TYPE),
]


@pytest.fixture(scope="module")
def resources(control_plane: ControlPlane) -> Resources:
    return Resources(control_plane)


@pytest.mark.parametrize("wrong", WRONG, ids=[wrong.name for wrong in WRONG])
def test_what_is_written_wrong_is_refused_with_its_path(resources: Resources, wrong: Wrong) -> None:
    resources.refuses(wrong)
