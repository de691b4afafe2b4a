from datetime import UTC, datetime

import msgspec
import pytest

from labquota.quota import pods


def test_a_pod_is_read_as_far_as_it_matters() -> None:
    pod = pods.decode(
        b"""{"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "a", "namespace": "b", "uid": "c", "resourceVersion": "7", "generation": 2,
            "deletionTimestamp": "2026-01-02T03:04:05Z",
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u", "controller": true}]},
        "spec": {"nodeName": "n", "containers": [{"name": "main", "image": "x"}], "volumes": [{"name": "v"}]},
        "status": {"phase": "Running"}}""",
    )
    assert (pod.metadata.name, pod.metadata.resource_version, pod.metadata.generation) == ("a", "7", 2)
    assert pod.metadata.deletion_timestamp == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert pod.spec.containers[0].resources == pods.Resources()
    assert (pod.spec.node_name, pod.status.phase) == ("n", "Running")


def test_an_empty_object_is_an_empty_pod() -> None:
    assert pods.decode(msgspec.Raw(b"{}")) == pods.Pod()


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (
            b'{"spec": {"containers": [{"name": 3}]}}',
            r"Expected `str`, got `int` - at `\$.spec.containers\[0\].name`",
        ),
        (b'{"metadata": {"uid": "\xff"}}', "invalid"),
        (b'{"x": ' + b"[" * 200_000, "the pod is nested too deeply to be read"),
        (
            b'{"metadata": {"managedFields": ' + b'{"f:a":' * 200_000,
            "the pod is nested too deeply to be read",
        ),
    ],
    ids=["nothing", "list", "wrong type", "no utf-8", "deep list", "deep object"],
)
def test_what_is_no_pod_is_refused_by_one_kind_of_error(raw: bytes, line: str) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError), match=line):
        pods.decode(raw)


def test_a_manifest_may_leave_fields_empty() -> None:
    pod = pods.convert(
        {
            "metadata": {"annotations": None, "labels": {"a": None, "b": "c"}},
            "spec": {"initContainers": None, "containers": [{"name": "main", "resources": {"limits": None}}]},
            "status": None,
        },
    )
    assert pod.metadata.labels == {"b": "c"}
    assert pod.spec.containers == [pods.Container("main")]


def test_an_empty_quantity_of_a_manifest_stays_a_zero() -> None:
    pod = pods.convert(
        {"spec": {"overhead": {"cpu": None}, "containers": [{"resources": {"requests": {"cpu": None}}}]}}
    )
    assert pod.spec.overhead == {"cpu": None}
    assert pod.spec.containers[0].resources.requests == {"cpu": None}


def test_a_manifest_that_contains_itself_is_refused() -> None:
    manifest: dict[str, object] = {}
    manifest["spec"] = manifest
    with pytest.raises(msgspec.ValidationError, match="the pod is nested too deeply to be read"):
        pods.convert(manifest)
