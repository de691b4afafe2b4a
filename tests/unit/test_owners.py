import re

import pytest

from labquota.quota import owners
from labquota.quota.owners import OWNER_ANNOTATION, Owner, OwnerError

FORM = "is not of the form user:NAME, serviceaccount:NAMESPACE/NAME or namespace:NAME"


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("user:alice", "User", "alice"),
        ("user:oidc:alice@uni.example", "User", "oidc:alice@uni.example"),
        ("user:a/b c", "User", "a/b c"),
        ("serviceaccount:ci/runner", "ServiceAccount", "ci/runner"),
        ("namespace:vision", "Namespace", "vision"),
    ],
)
def test_an_owner_is_written_as_kind_and_name(text: str, kind: str, name: str) -> None:
    owner = owners.parse(text)
    assert (owner, owners.kind(owner), owners.name(owner)) == (text, kind, name)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", f'owner "" {FORM}'),
        ("alice", f'owner "alice" {FORM}'),
        ("user:", f'owner "user:" {FORM}'),
        ("User:alice", f'owner "User:alice" {FORM}'),
        ("group:students", f'owner "group:students" {FORM}'),
        ("user:" + "a" * 1020, f'owner "user:{"a" * 75}" {FORM}'),
        ("serviceaccount:ci", 'owner "serviceaccount:ci" is not of the form serviceaccount:NAMESPACE/NAME'),
        ("serviceaccount:/x", 'owner "serviceaccount:/x" is not of the form serviceaccount:NAMESPACE/NAME'),
        ("serviceaccount:x/", 'owner "serviceaccount:x/" is not of the form serviceaccount:NAMESPACE/NAME'),
        (
            "serviceaccount:a/b/c",
            'owner "serviceaccount:a/b/c" is not of the form serviceaccount:NAMESPACE/NAME',
        ),
    ],
)
def test_any_other_text_names_no_owner_and_the_line_says_which_form_does(text: str, line: str) -> None:
    with pytest.raises(OwnerError, match=f"^{re.escape(line)}$"):
        owners.parse(text)


def test_the_longest_owner_is_of_1024_characters() -> None:
    text = "user:" + "a" * 1019
    assert owners.parse(text) == text


@pytest.mark.parametrize(
    ("username", "owner"),
    [
        ("alice", "user:alice"),
        ("system:serviceaccount:ci:runner", "serviceaccount:ci/runner"),
        ("system:node:gpu-1", "user:system:node:gpu-1"),
        ("system:serviceaccounts", "user:system:serviceaccounts"),
    ],
)
def test_who_acts_for_themselves_is_their_own_owner(username: str, owner: str) -> None:
    assert owners.of_requester(username) == owner


@pytest.mark.parametrize(
    "username",
    [
        "system:kube-controller-manager",
        "system:serviceaccount:kube-system:job-controller",
        "system:serviceaccount:kube-system:replicaset-controller",
    ],
)
def test_a_built_in_controller_makes_pods_for_others(username: str) -> None:
    assert owners.is_controller(username)


@pytest.mark.parametrize(
    "username",
    [
        "alice",
        "job-controller",
        "system:serviceaccount:kube-system:default",
        "system:serviceaccount:lab:job-controller",
        "system:serviceaccount:kube-system-2:job-controller",
        "system:kube-scheduler",
    ],
)
def test_nobody_else_is_a_controller(username: str) -> None:
    assert not owners.is_controller(username)


def test_a_pod_belongs_to_its_stamp_then_to_its_namespaces_owner_then_to_the_namespace() -> None:
    stamp, noted = {OWNER_ANNOTATION: "user:alice"}, {OWNER_ANNOTATION: "user:bob"}
    assert owners.of_pod(stamp, "lab", noted) == "user:alice"
    assert owners.of_pod({}, "lab", noted) == "user:bob"
    assert owners.of_pod({}, "lab", {}) == "namespace:lab"
    assert owners.of_namespace("lab", noted) == "user:bob"


@pytest.mark.parametrize("nobody", ["", "alice", "group:x", "serviceaccount:ci", "user:"])
def test_an_annotation_that_names_nobody_is_none_and_the_chain_goes_on(nobody: str) -> None:
    wrong = {OWNER_ANNOTATION: nobody}
    assert owners.of_pod(wrong, "lab", {OWNER_ANNOTATION: "user:bob"}) == "user:bob"
    assert owners.of_pod(wrong, "lab", wrong) == "namespace:lab"


@pytest.mark.parametrize(
    ("owner", "slug"),
    [
        ("user:alice", "alice"),
        ("user:Alice.Smith@Uni.Example", "alice-smith-uni-example"),
        ("serviceaccount:ci/runner", "ci-runner"),
        ("user:--x--", "x"),
        ("user:" + "a" * 500, "a" * 38),
        ("user:" + "a" * 37 + "-b", "a" * 37),
    ],
)
def test_objects_are_named_so_that_people_recognise_the_owner(owner: str, slug: str) -> None:
    name = owners.object_name(Owner(owner))
    assert re.fullmatch(rf"{slug}-[0-9a-f]{{24}}", name)
    assert len(name) <= 63


@pytest.mark.parametrize("owner", ["user:Ωμέγα", "user:日本", "user:\udc80", "user:\n"])
def test_an_owner_without_a_single_plain_character_still_has_a_legal_name(owner: str) -> None:
    assert re.fullmatch(r"([a-z0-9]([-a-z0-9]*[a-z0-9])?-)?[0-9a-f]{24}", owners.object_name(Owner(owner)))


def test_owners_that_slug_alike_have_names_of_their_own() -> None:
    alike = [
        "user:a.b@x",
        "user:a-b-x",
        "user:A.B@X",
        "namespace:a-b-x",
        "serviceaccount:a/b-x",
        "user:a b x",
    ]
    names = {owners.object_name(Owner(owner)) for owner in alike}
    assert len(names) == len(alike)
    assert {name.rpartition("-")[0] for name in names} == {"a-b-x"}


def test_kubernetes_own_users_are_told_from_people() -> None:
    assert owners.is_reserved(Owner("user:system:node:gpu-1"))
    assert not owners.is_reserved(Owner("user:systems"))
    assert not owners.is_reserved(Owner("serviceaccount:kube-system/default"))
