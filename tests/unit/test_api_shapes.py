"""Reading and writing labquota's own resources."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from labquota import api
from labquota.api import schema

GROUP = {
    "apiVersion": "labquota.dev/v1alpha1",
    "kind": "ResourceLimitGroup",
    "metadata": {"name": "student", "managedFields": [{"manager": "kubectl"}], "resourceVersion": "7"},
    "spec": {
        "subjects": [{"kind": "ServiceAccount", "namespace": "ci", "name": "runner"}],
        "aggregate": {"gpu": 3, "memory": "96Gi"},
        "allowWholeGPU": False,
        "ofTheNextVersion": True,
    },
}


def read(body: Any, kind: type[msgspec.Struct]) -> Any:
    return msgspec.json.decode(json.dumps(body), type=kind)


def written(shape: msgspec.Struct) -> Any:
    return json.loads(msgspec.json.encode(shape))


def test_a_group_is_read_and_fields_of_a_newer_version_are_skipped() -> None:
    group = read(GROUP, api.ResourceLimitGroup)
    assert group.metadata.name == "student"
    assert group.metadata.resource_version == "7"
    assert group.spec.subjects == (api.Subject(kind="ServiceAccount", namespace="ci", name="runner"),)
    assert group.spec.aggregate == {"gpu": 3, "memory": "96Gi"}
    assert group.spec.allow_whole_gpu is False


def test_what_is_written_names_its_kind_and_leaves_out_defaults() -> None:
    group = api.ResourceLimitGroup(
        metadata=api.ObjectMeta(name="student"),
        spec=api.ResourceLimitGroupSpec(allow_whole_gpu=False, per_pod={"gpu": 1}),
    )
    assert written(group) == {
        "apiVersion": "labquota.dev/v1alpha1",
        "kind": "ResourceLimitGroup",
        "metadata": {"name": "student"},
        "spec": {"allowWholeGPU": False, "perPod": {"gpu": 1}},
    }


def test_a_status_writes_its_zeros_so_that_a_patch_resets_them() -> None:
    assert written(api.ResourceLimitGroupStatus()) == {
        "conditions": [],
        "observedGeneration": 0,
        "owners": 0,
        "overLimit": 0,
    }


def test_times_have_a_zone() -> None:
    spec = read({"owner": "user:a", "expiresAt": "2026-03-01T10:00:00+02:00"}, api.ResourceLimitOverrideSpec)
    assert spec.expires_at == datetime(2026, 3, 1, 8, tzinfo=UTC)
    with pytest.raises(msgspec.ValidationError, match=r"\$.expiresAt"):
        read({"owner": "user:a", "expiresAt": "2026-03-01T10:00:00"}, api.ResourceLimitOverrideSpec)


def test_a_misspelt_word_is_named_with_its_path() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"'enforce' - at `\$.enforcement`"):
        read({"enforcement": "enforce"}, api.ResourceLimitGroupSpec)


@pytest.mark.parametrize("kind", [api.ResourceLimitGroup, api.ResourceLimitOverride])
def test_the_api_server_fills_in_what_the_code_would_assume(kind: type[msgspec.Struct]) -> None:
    fields = schema.of(kind)["properties"]["spec"]["properties"]
    filled = {name: field["default"] for name, field in fields.items() if "default" in field}
    spec = next(field.type for field in msgspec.structs.fields(kind) if field.name == "spec")
    spec = getattr(spec, "__origin__", spec)
    assert filled
    assert read({"owner": "user:a", **filled}, spec) == read({"owner": "user:a"}, spec)
