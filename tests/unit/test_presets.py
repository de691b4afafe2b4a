"""Presets: what a platform adds to whom labquota believes, and what it never adds."""

import re

import pytest

from labquota import ownership
from labquota.quota import presets
from labquota.quota.trust import LISTED_KINDS

ACCOUNT = re.compile(r"system:serviceaccount:[a-z0-9-]+:[a-z0-9-]+")
KIND = re.compile(r"[a-z]+(\.[a-z0-9-]+)+")


@pytest.mark.parametrize("name", list(presets.PRESETS))
def test_what_a_preset_lists_could_be_listed_by_hand(name: str) -> None:
    make, namespace = presets.PRESETS[name]
    preset = make(namespace, "oidc:")
    for account in (*preset.controllers, *preset.sources):
        assert ACCOUNT.fullmatch(account), account
    for kind in (*preset.kinds, *preset.steps):
        assert KIND.fullmatch(kind), kind
    assert not set(preset.controllers) & set(preset.sources), "an account has one kind of trust"
    assert not set(preset.kinds) & set(preset.steps), "a kind is stamped, or only read"
    assert {each.prefix for each in preset.sources.values()} == {"oidc:"}


def test_a_preset_keeps_its_kinds_whichever_an_administrator_lists() -> None:
    trust = ownership.read("presets: {kubeflow: {}}\nkinds: [gadgets.example.org]")
    assert trust.stamps("gadgets.example.org")
    assert trust.stamps("notebooks.kubeflow.org")
    assert not trust.stamps("rayclusters.ray.io"), "the default list is replaced"


@pytest.mark.parametrize("kind", ["deploymentconfigs.apps.openshift.io", "builds.build.openshift.io"])
def test_what_openshifts_own_api_server_keeps_is_read_and_never_believed(kind: str) -> None:
    trust = ownership.read("presets: {openshift: {}}")
    assert kind in trust.steps
    assert not trust.stamps(kind)


def test_a_kind_that_an_administrator_lists_is_no_mere_step() -> None:
    trust = ownership.read("presets: {kubeflow: {}}\nkinds: [trials.kubeflow.org]")
    assert trust.stamps("trials.kubeflow.org")
    assert "trials.kubeflow.org" not in trust.steps


def test_without_presets_there_are_no_steps_and_no_platforms_accounts() -> None:
    trust = ownership.read("")
    assert (trust.steps, trust.controllers, trust.sources) == ((), frozenset(), {})
    assert trust.kinds == tuple(sorted(LISTED_KINDS))
