"""`labquota limits` without a cluster."""

import json
from pathlib import Path

import pytest
import yaml

from labquota_process import ROOT, SAMPLES, error, run


def test_limits_are_shown_with_the_object_that_sets_each() -> None:
    done = run("limits", "alice", "--config", SAMPLES)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Owner:       user:alice\n"
        "Group:       student (default for User)\n"
        "\n"
        "RESOURCE          LIMIT   SET BY                       PER POD   PER POD SET BY\n"
        "gpu                   3   ResourceLimitGroup/student         3   ResourceLimitGroup/student\n"
        "pods                  3   ResourceLimitGroup/student\n"
        "requests.cpu         96   ResourceLimitGroup/student        32   ResourceLimitGroup/student\n"
        "requests.memory    96Gi   ResourceLimitGroup/student      32Gi   ResourceLimitGroup/student\n"
    )


def test_the_older_limiters_folder_answers_as_well() -> None:
    old = run("limits", "alice", "--config", str(ROOT / "config"), "-o", "json")
    new = run("limits", "alice", "--config", SAMPLES, "-o", "json")
    assert (old.returncode, new.returncode) == (0, 0), old.stderr
    assert json.loads(old.stdout) == json.loads(new.stdout)


def test_json_and_yaml_have_one_shape() -> None:
    as_json = json.loads(run("limits", "alice", "--config", SAMPLES, "-o", "json").stdout)
    as_yaml = yaml.safe_load(run("limits", "alice", "--config", SAMPLES, "-o", "yaml").stdout)
    assert as_json == as_yaml
    assert as_json["aggregate"]["gpu"] == {"limit": "3", "source": "ResourceLimitGroup/student"}
    assert sorted(as_json) == [
        "aggregate",
        "allowWholeGPU",
        "enforcement",
        "group",
        "identity",
        "onError",
        "owner",
        "perPod",
        "suspended",
        "whenUnset",
        "why",
    ]


def test_the_aggregate_section_is_the_older_limiters() -> None:
    done = run("limits", "alice", "--config", SAMPLES, "--aggregate")
    assert json.loads(done.stdout) == {"cpu_quota": "9600%", "memory_max": "96G", "gpu_limit": 3}


def test_without_a_group_the_aggregate_section_is_null_and_the_gpu_limit_unlimited() -> None:
    assert run("limits", "namespace:vision", "--config", SAMPLES, "--aggregate").stdout == "null\n"
    done = run("limits", "namespace:vision", "--config", SAMPLES, "--aggregate-gpu-limit")
    assert done.stdout == "unlimited\n"


def test_the_gpu_limit_alone_is_a_number() -> None:
    assert run("limits", "alice", "--config", SAMPLES, "--aggregate-gpu-limit").stdout == "3\n"


@pytest.mark.parametrize(
    ("named", "owner"),
    [
        ("alice", "user:alice"),
        ("user:alice", "user:alice"),
        ("oidc:alice", "user:oidc:alice"),
        ("serviceaccount:ci/runner", "serviceaccount:ci/runner"),
        ("system:serviceaccount:ci:runner", "serviceaccount:ci/runner"),
        ("namespace:vision", "namespace:vision"),
    ],
)
def test_an_owner_may_be_named_in_several_ways(named: str, owner: str) -> None:
    done = run("limits", named, "--config", SAMPLES, "-o", "json")
    assert json.loads(done.stdout)["owner"] == owner


def test_a_users_groups_count_when_they_are_given(tmp_path: Path) -> None:
    (tmp_path / "staff.yaml").write_text(
        "apiVersion: labquota.dev/v1alpha1\n"
        "kind: ResourceLimitGroup\n"
        "metadata: {name: staff}\n"
        "spec: {subjects: [{kind: Group, name: staff}], aggregate: {gpu: 5}, allowWholeGPU: false}\n"
        "---\n"
        "apiVersion: labquota.dev/v1alpha1\n"
        "kind: ResourceLimitOverride\n"
        "metadata: {name: bob}\n"
        "spec: {owner: 'user:bob', aggregate: {gpu: unlimited}, suspended: true}\n"
    )
    done = run("limits", "--as", "bob", "--as-group", "staff", "--config", str(tmp_path))
    assert done.stdout.splitlines() == [
        "User:        bob",
        "User groups: staff",
        "Owner:       user:bob",
        "Group:       staff (subject group staff)",
        "Suspended:   by ResourceLimitOverride/bob: no new pods",
        "Whole GPUs:  not allowed (ResourceLimitGroup/staff)",
        "",
        "RESOURCE       LIMIT   SET BY",
        "gpu        unlimited   ResourceLimitOverride/bob",
    ]
    alone = run("limits", "carol", "--config", str(tmp_path))
    assert alone.stdout.splitlines()[1:] == [
        "Group:       none (no group matches, and none is the default)",
        "Limits:      none: not limited",
    ]


def test_bad_input_is_one_clear_line(tmp_path: Path) -> None:
    assert error("limits", "--config", SAMPLES, code=2) == (
        "with --config, say whose limits: labquota limits OWNER --config DIR, or --as USER"
    )
    assert error("limits", "serviceaccount:x", "--config", SAMPLES, code=2) == (
        'owner "serviceaccount:x" is not of the form serviceaccount:NAMESPACE/NAME'
    )
    assert error("limits", "alice", "--config", str(tmp_path), code=2) == (
        f"{tmp_path}: holds neither resource-limits.yaml nor a manifest of a ResourceLimitGroup"
    )
