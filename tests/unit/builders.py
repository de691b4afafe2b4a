"""Builders of what the decision reads, so that a test shows only what matters to it."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from labquota import api
from labquota.quota import admission, compiling, limits, owners, pods, resources
from labquota.quota.admission import Case, Request
from labquota.quota.amounts import Amounts
from labquota.quota.ledger import Reservation
from labquota.quota.owners import Owner
from labquota.quota.world import World

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
ALICE = Owner("user:alice")
BOB = Owner("user:bob")
NAMES = {"cpu": "cpu", "memory": "memory", "gpu": "nvidia.com/gpu", "mig": "nvidia.com/mig-1g.10gb"}


def manifest(name: str = "pod", **asks: Any) -> dict[str, Any]:
    """A pod of one container. `owner` is its stamp; what is no field of a pod here is what it asks for."""
    owner, uid = asks.pop("owner", ALICE), asks.pop("uid", f"uid-{name}")
    version, namespace, phase = asks.pop("version", ""), asks.pop("namespace", "lab"), asks.pop("phase", "")
    annotations = {} if owner is None else {owners.OWNER_ANNOTATION: owner}
    annotations |= asks.pop("annotations", {})
    wanted = {NAMES.get(key, key): str(value) for key, value in asks.items()}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "resourceVersion": version,
            "annotations": annotations,
        },
        "spec": {"containers": [{"name": "main", "resources": {"requests": wanted, "limits": wanted}}]},
        "status": {"phase": phase},
    }


def pod(name: str = "pod", **asks: Any) -> pods.Pod:
    """As `manifest`, decoded."""
    return pods.decode(json.dumps(manifest(name, **asks)).encode())


def request(
    new: pods.Pod,
    *,
    old: pods.Pod | None = None,
    user: str = "alice",
    groups: Sequence[str] = (),
    dry_run: bool = False,
) -> Request:
    """A create of this pod by a user; with `old`, the resize of it."""
    operation: Literal["CREATE", "UPDATE"] = "CREATE" if old is None else "UPDATE"
    meta = new.metadata
    return Request(
        uid=f"review-{meta.uid}",
        operation=operation,
        username=user,
        groups=tuple(groups),
        namespace=meta.namespace,
        name=meta.name,
        pod=new,
        old_pod=old,
        dry_run=dry_run,
    )


def group(name: str = "student", **spec: Any) -> limits.Group:
    """A ResourceLimitGroup, read; by default one for every user, without the need to set requests."""
    spec = {"defaultFor": ["User"], "whenUnset": "Ignore", **spec}
    shape = msgspec.convert({"metadata": {"name": name}, "spec": spec}, api.ResourceLimitGroup)
    return compiling.group(shape)


def override(name: str = "deadline", owner: str = ALICE, **spec: Any) -> limits.Override:
    """A ResourceLimitOverride, read."""
    shape = msgspec.convert(
        {"metadata": {"name": name}, "spec": {"owner": owner, **spec}}, api.ResourceLimitOverride
    )
    return compiling.override(shape)


def world(*rules: limits.Group | limits.Override) -> World:
    """A world with these groups and overrides."""
    made = World()
    for rule in rules:
        if isinstance(rule, limits.Group):
            made.put_group(rule)
        else:
            made.put_override(rule)
    return made


def case(of: World, asked: Request, *, known: tuple[str, ...] = (), now: datetime = NOW) -> Case:
    """What `examine` finds, for an owner whose ledger remembers these groups."""
    return admission.examine(asked, of, now, lambda _owner: known)


def create(name: str = "pod", uid: str = "", namespace: str = "lab", **after: int) -> Reservation:
    """The reservation of a new pod."""
    return Reservation(uid or f"uid-{name}", namespace, name, "", {}, _amounts(after))


def resize(
    version: int,
    before: Mapping[str, int],
    after: Mapping[str, int],
    uid: str = "uid-pod",
    review: str = "review-1",
) -> Reservation:
    """The reservation of a resize of a pod at a version, as one review asks for it."""
    name = uid.removeprefix("uid-")
    return Reservation(uid, "lab", name, str(version), _amounts(before), _amounts(after), review)


def _amounts(plain: Mapping[str, int]) -> Amounts:
    return {resources.canonical(key): amount for key, amount in plain.items()}
