"""Builders for the objects that tests and demo make: each call shows only what matters to it."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "Manifest",
    "container",
    "deployment",
    "group",
    "job",
    "namespace",
    "override",
    "pod",
    "resize",
    "resource_quota",
    "subject",
]

Manifest = dict[str, Any]
Amount = str | int | float

API = "labquota.dev/v1alpha1"


def container(
    name: str = "main",
    *,
    cpu: Amount | None = None,
    memory: Amount | None = None,
    gpu: int | None = None,
    mig: Mapping[str, int] | None = None,
    requests: Mapping[str, Amount] | None = None,
    limits: Mapping[str, Amount] | None = None,
    **fields: Any,
) -> Manifest:
    """A container.

    Args:
        name: its name.
        cpu: CPU, as request and limit alike.
        memory: memory, as request and limit alike.
        gpu: whole GPUs.
        mig: MIG slices by profile, as in `{"1g.10gb": 2}`.
        requests: more requests, which win over those above.
        limits: more limits, which win over those above.
        fields: anything else of the container.
    """
    devices: dict[str, Amount] = {
        f"nvidia.com/mig-{profile}": count for profile, count in (mig or {}).items()
    }
    if gpu is not None:
        devices["nvidia.com/gpu"] = gpu
    both = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value is not None}
    resources = {}
    for kind, more in (("requests", requests), ("limits", limits)):
        amounts = {**both, **devices, **(more or {})}
        if amounts:
            resources[kind] = {key: str(value) for key, value in amounts.items()}
    return {"name": name, "image": "none", "resources": resources, **fields}


def pod(
    name: str,
    namespace: str = "default",
    *,
    containers: Sequence[Manifest] | None = None,
    generate_name: bool = False,
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    owner_references: Sequence[Manifest] = (),
    spec: Mapping[str, Any] | None = None,
    **resources: Any,
) -> Manifest:
    """A pod with one container that asks for `resources` (see `container`), or with `containers`.

    Args:
        name: its name, or the start of it with `generate_name`.
        namespace: where it goes.
        containers: all its containers instead of the one.
        generate_name: let the API server complete the name.
        annotations: its annotations; `controlplane/hold` and `controlplane/outcome` steer the fake kubelet.
        labels: its labels.
        owner_references: what it belongs to.
        spec: more fields of the spec.
        resources: what the one container asks for.
    """
    metadata: Manifest = {"generateName" if generate_name else "name": name, "namespace": namespace}
    for key, value in (
        ("annotations", annotations),
        ("labels", labels),
        ("ownerReferences", owner_references),
    ):
        if value:
            metadata[key] = value
    body = {
        "containers": list(containers) if containers is not None else [container(**resources)],
        **(spec or {}),
    }
    body.setdefault("terminationGracePeriodSeconds", 0)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}


def job(name: str, namespace: str = "default", *, completions: int = 1, **pod_fields: Any) -> Manifest:
    """A Job whose pods, all at once, are what `pod` makes of the rest; the fake kubelet completes them."""
    spec = {
        "completions": completions,
        "parallelism": completions,
        "template": _template(name, {"restartPolicy": "Never"}, pod_fields),
    }
    return _object("batch/v1", "Job", name, spec, namespace)


def deployment(name: str, namespace: str = "default", *, replicas: int = 1, **pod_fields: Any) -> Manifest:
    """A Deployment whose pods are what `pod` makes of the rest."""
    labels = {"app": name}
    pod_fields["labels"] = {**labels, **pod_fields.get("labels", {})}
    template = _template(name, {}, pod_fields)
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return _object("apps/v1", "Deployment", name, spec, namespace)


def resize(containers: Mapping[str, Mapping[str, Amount]]) -> Manifest:
    """The patch for `pods/NAME/resize` that gives containers these requests and limits alike."""
    texts = {name: {key: str(value) for key, value in each.items()} for name, each in containers.items()}
    changed = [
        {"name": name, "resources": {"requests": each, "limits": each}} for name, each in texts.items()
    ]
    return {"spec": {"containers": changed}}


def namespace(name: str, *, owner: str | None = None, labels: Mapping[str, str] | None = None) -> Manifest:
    """A Namespace; `owner` is whom its controllers' pods are charged to."""
    metadata: Manifest = {"name": name, "labels": dict(labels or {})}
    if owner is not None:
        metadata["annotations"] = {"labquota.dev/owner": owner}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def resource_quota(name: str, namespace: str, **hard: Amount) -> Manifest:
    """A ResourceQuota; in keys `__` stands for `.` (`requests__cpu`)."""
    limits = {key.replace("__", "."): str(value) for key, value in hard.items()}
    return _object("v1", "ResourceQuota", name, {"hard": limits}, namespace)


def group(
    name: str,
    *,
    subjects: Sequence[str | Manifest] = (),
    default_for: Sequence[str] = (),
    aggregate: Mapping[str, Amount] | None = None,
    per_pod: Mapping[str, Amount] | None = None,
    **fields: Any,
) -> Manifest:
    """A ResourceLimitGroup.

    Args:
        name: its name.
        subjects: whom it is for, as `subject` reads them.
        default_for: the kinds of owner that match no other group.
        aggregate: limits per owner.
        per_pod: limits per pod.
        fields: anything else of the spec, in snake_case (`when_unset="Ignore"`, `allow_whole_gpu=False`).
    """
    spec: Manifest = {}
    if subjects:
        spec["subjects"] = [subject(each) if isinstance(each, str) else each for each in subjects]
    if default_for:
        spec["defaultFor"] = list(default_for)
    spec |= _limits(aggregate, per_pod, fields)
    return _object(API, "ResourceLimitGroup", name, spec)


def override(
    name: str,
    owner: str,
    *,
    aggregate: Mapping[str, Amount] | None = None,
    per_pod: Mapping[str, Amount] | None = None,
    **fields: Any,
) -> Manifest:
    """A ResourceLimitOverride for an owner (`user:alice`); `fields` as in `group` (`expires_at=...`)."""
    return _object(
        API, "ResourceLimitOverride", name, {"owner": owner, **_limits(aggregate, per_pod, fields)}
    )


def subject(text: str) -> Manifest:
    """`user:alice`, `group:oidc:students` or `serviceaccount:ci/runner` as a subject."""
    kind, _, name = text.partition(":")
    if kind == "serviceaccount":
        where, _, account = name.partition("/")
        return {"kind": "ServiceAccount", "namespace": where, "name": account}
    return {"kind": {"user": "User", "group": "Group"}[kind], "name": name}


def _limits(
    aggregate: Mapping[str, Amount] | None, per_pod: Mapping[str, Amount] | None, fields: Mapping[str, Any]
) -> Manifest:
    spec = {_camel(key): value for key, value in fields.items()}
    for key, limits in (("aggregate", aggregate), ("perPod", per_pod)):
        if limits is not None:
            spec[key] = dict(limits)
    return spec


def _camel(snake: str) -> str:
    first, *rest = snake.split("_")
    return first + "".join("GPU" if each == "gpu" else each.capitalize() for each in rest)


def _template(name: str, spec: Mapping[str, Any], pod_fields: Mapping[str, Any]) -> Manifest:
    fields = {**pod_fields, "spec": {**spec, **pod_fields.get("spec", {})}}
    made = pod(name, **fields)
    metadata = {key: value for key, value in made["metadata"].items() if key in ("annotations", "labels")}
    return {"metadata": metadata, "spec": made["spec"]}


def _object(api: str, kind: str, name: str, spec: Manifest, namespace: str | None = None) -> Manifest:
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}
