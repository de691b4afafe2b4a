"""What is stamped on a new object, by whom it is made; and the patches that put it there."""

import json
from typing import Any

import pytest

from labquota.quota import stamping
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.stamping import USER_LABEL
from labquota.quota.trust import Naming, Trust
from labquota.webhook.patching import Stamp, patches

HUB = "system:serviceaccount:hub:hub"
OPERATOR = "system:serviceaccount:ray:operator"
RUNNER = "system:serviceaccount:ci:runner"
CARRIER = "system:serviceaccount:kube-system:replicaset-controller"
ENDPOINTS = "system:serviceaccount:kube-system:endpoint-controller"
TRUST = Trust(controllers=frozenset({OPERATOR}), sources={HUB: Naming("hub/user", "oidc:")})
FORGED = {OWNER_ANNOTATION: "user:bob"}


@pytest.mark.parametrize(
    ("user", "kind", "written", "wanted"),
    [
        ("alice", "pods", FORGED, "user:alice"),
        ("alice", "deployments.apps", FORGED, "user:alice"),
        ("alice", "namespaces", FORGED, "user:alice"),
        ("system:node:one", "pods", {}, "user:system:node:one"),
        (RUNNER, "pods", FORGED, "follow"),
        (RUNNER, "namespaces", FORGED, "follow"),
        (CARRIER, "pods", FORGED, "keep"),
        (ENDPOINTS, "pods", FORGED, "follow"),
        (OPERATOR, "pods", FORGED, "follow"),
        (OPERATOR, "namespaces", FORGED, None),
        ("system:apiserver", "namespaces", FORGED, None),
        (HUB, "pods", FORGED, "user:bob"),
        (HUB, "pods", {"hub/user": "eve"}, "user:oidc:eve"),
        (HUB, "pods", {}, "follow"),
        (HUB, "namespaces", {"hub/user": "eve"}, "user:oidc:eve"),
        (HUB, "namespaces", {}, None),
    ],
)
def test_the_stamp_follows_from_who_creates_it(
    user: str, kind: str, written: dict[str, str], wanted: str | None
) -> None:
    assert stamping.wanted(TRUST, user, ("system:authenticated",), kind, written) == wanted


def test_what_an_administrator_makes_of_places_is_whose_they_say_or_nobodys() -> None:
    groups = ("system:masters",)
    assert stamping.wanted(TRUST, "root", groups, "namespaces", FORGED) == "user:bob"
    assert stamping.wanted(TRUST, "root", groups, "serviceaccounts", {}) is None
    assert stamping.wanted(TRUST, "root", groups, "pods", FORGED) == "user:root"


@pytest.mark.parametrize(
    ("owner", "label"),
    [
        ("user:alice", "alice"),
        ("user:a.b_c-1", "a.b_c-1"),
        ("user:alice@uni.example", ""),
        ("user:oidc:alice", ""),
        ("user:-a", ""),
        ("user:" + "a" * 63, "a" * 63),
        ("user:" + "a" * 64, ""),
        ("user:älice", ""),
        ("serviceaccount:ci/runner", ""),
        ("namespace:vision", ""),
        ("", ""),
    ],
)
def test_the_label_is_a_users_name_where_that_is_legal(owner: str, label: str) -> None:
    assert stamping.label_of(owner) == label


def changed(kind: str, new: dict[str, Any], old: dict[str, Any] | None, stamp: Stamp) -> dict[str, Any]:
    """The object with its patches applied, as the API server applies them."""
    result: dict[str, Any] = json.loads(json.dumps(new))
    for patch in patches(kind, json.loads(json.dumps(new)), old, stamp):
        *way, last = [part.replace("~1", "/") for part in patch["path"].split("/")[1:]]
        place = result
        for part in way:
            place = place[part]
        if patch["op"] == "remove":
            del place[last]
        else:
            place[last] = patch["value"]
    return result


STAMPED = {"annotations": {OWNER_ANNOTATION: "user:alice"}, "labels": {USER_LABEL: "alice"}}


def test_a_pod_gets_stamp_and_label_over_what_was_written() -> None:
    new = {"metadata": {"name": "a", "annotations": {**FORGED, "mine": "1"}}}
    found = changed("pods", new, None, Stamp("user:alice", "user:alice"))["metadata"]
    assert found == {"name": "a", **STAMPED, "annotations": {**STAMPED["annotations"], "mine": "1"}}


def test_every_template_of_a_cronjob_is_stamped_even_where_it_has_no_metadata() -> None:
    new: dict[str, Any] = {"metadata": {}, "spec": {"jobTemplate": {"spec": {"template": {"spec": {}}}}}}
    found = changed("cronjobs.batch", new, None, Stamp("user:alice", "user:alice"))
    template = found["spec"]["jobTemplate"]
    assert found["metadata"] == {"annotations": STAMPED["annotations"]}
    assert template["metadata"] == STAMPED
    assert template["spec"]["template"]["metadata"] == STAMPED


def test_the_template_of_what_a_controller_makes_loses_what_a_user_wrote_and_gets_nothing() -> None:
    new = {"metadata": {}, "spec": {"template": {"metadata": {"annotations": FORGED}}}}
    found = changed("jobs.batch", new, None, Stamp("user:alice"))
    assert found["metadata"] == {"annotations": STAMPED["annotations"]}
    assert found["spec"]["template"]["metadata"] == {"annotations": {}}


def test_an_update_gets_back_what_it_leaves_out_and_keeps_what_it_says() -> None:
    old = {"metadata": STAMPED, "spec": {"template": {"metadata": STAMPED}}}
    sent: list[dict[str, Any]] = [{"metadata": {}}, {}]
    for template in sent:
        new = {"metadata": {}, "spec": {"template": template}}
        found = changed("deployments.apps", new, old, Stamp())
        assert found["metadata"] == {"annotations": STAMPED["annotations"]}
        assert found["spec"]["template"]["metadata"] == STAMPED
    forged = {"metadata": {"annotations": FORGED}, "spec": {}}
    assert changed("deployments.apps", forged, old, Stamp()) == forged, "the guard refuses it"


def test_an_update_of_what_never_had_a_stamp_changes_nothing() -> None:
    bare = {"metadata": {"name": "a"}, "spec": {"template": {"metadata": {"labels": {"app": "a"}}}}}
    assert list(patches("deployments.apps", bare, bare, Stamp())) == []


def test_what_is_stamped_as_it_should_be_needs_no_patch() -> None:
    whole = {"metadata": STAMPED, "spec": {}}
    assert list(patches("pods", whole, None, Stamp("user:alice", "user:alice"))) == []
