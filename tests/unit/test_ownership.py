"""The owners' settings: read, and refused with one clear line."""

from pathlib import Path

import pytest

from labquota import ownership
from labquota.ownership import OwnershipError
from labquota.quota.trust import DEFAULT, LISTED_KINDS, Naming

HUB = "system:serviceaccount:jhub:hub"


def test_without_a_file_nobody_is_believed() -> None:
    assert ownership.load("") == DEFAULT
    assert DEFAULT.sources == {}
    assert DEFAULT.controllers == frozenset()


def test_an_empty_file_says_the_same_as_none(tmp_path: Path) -> None:
    (tmp_path / "owners.yaml").write_text("# nothing yet\n")
    found = ownership.load(str(tmp_path / "owners.yaml"))
    assert found.kinds == tuple(sorted(LISTED_KINDS))
    assert found.administrator_groups == DEFAULT.administrator_groups
    assert (found.sources, found.controllers) == ({}, frozenset())


def test_all_that_can_be_set_is_read() -> None:
    trust = ownership.read("""
        administrators: {users: [olga], groups: [admins]}
        controllers: ["system:serviceaccount:ray-system:kuberay-operator"]
        identitySources:
          - {principal: "system:serviceaccount:argocd:argocd-application-controller"}
          - {principal: portal, annotation: portal.example.org/user, prefix: "oidc:"}
        kinds: [rayclusters.ray.io]
        serviceAccounts: {ci/runner: "user:alice"}
    """)
    assert trust.administers("olga", ())
    assert trust.administers("anybody", ("admins",))
    assert not trust.administers("anybody", ("system:masters",))
    assert trust.role("system:serviceaccount:ray-system:kuberay-operator") == "controller"
    assert trust.sources["portal"] == Naming("portal.example.org/user", "oidc:")
    assert trust.named("portal", {"portal.example.org/user": "eve"}) == "user:oidc:eve"
    assert trust.stamps("rayclusters.ray.io")
    assert not trust.stamps("rayjobs.ray.io")
    assert trust.accounts == {"ci/runner": "user:alice"}


def test_a_preset_lists_what_its_platform_needs() -> None:
    trust = ownership.read("presets: {jupyterhub: {namespace: jhub, prefix: 'oidc:'}, openshift: {}}")
    assert trust.named(HUB, {"hub.jupyter.org/username": "eve"}) == "user:oidc:eve"
    project = "system:serviceaccount:openshift-apiserver:openshift-apiserver-sa"
    assert trust.named(project, {"openshift.io/requester": "eve"}) == "user:eve"
    assert trust.role("system:serviceaccount:openshift-infra:deploymentconfig-controller") == "controller"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("controllers: [", "no YAML"),
        ("[]", "Expected `object`, got `array`"),
        ("controler: []", "unknown field `controler`"),
        ("controllers: {a: b}", "Expected `array`, got `object` - at `$.controllers`"),
        (
            "presets: {jupyter: {}}",
            "presets: no preset is called jupyter; there are jupyterhub, kubeflow, openshift",
        ),
        ("kinds: [RayCluster]", 'kinds[0]: "RayCluster" is not RESOURCE.GROUP, as in rayclusters.ray.io'),
        ('controllers: [""]', 'controllers[0]: "" is no user'),
        ("controllers: ['system:serviceaccount:x']", 'controllers[0]: "system:serviceaccount:x" is no user'),
        (
            "identitySources: [{principal: 'system:anonymous'}]",
            "identitySources[0].principal: system:anonymous is anybody",
        ),
        ("identitySources: [{principal: a, annotation: ''}]", "identitySources[0].annotation is empty"),
        (
            "{controllers: [a], identitySources: [{principal: a}]}",
            "a is among controllers and identitySources",
        ),
        ("serviceAccounts: {runner: 'user:a'}", 'serviceAccounts: "runner" is not NAMESPACE/NAME'),
        (
            "serviceAccounts: {ci/runner: alice}",
            'serviceAccounts.ci/runner: owner "alice" is not of the form',
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "owners.yaml"
    path.write_text(text)
    with pytest.raises(OwnershipError) as caught:
        ownership.load(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(
        OwnershipError, match=r"^/nowhere/owners.yaml cannot be read: No such file or directory$"
    ):
        ownership.load("/nowhere/owners.yaml")
