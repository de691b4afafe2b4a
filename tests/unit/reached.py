"""Pods that reach for GPUs, and what is found of them: for the tests of ways to GPUs that nobody asked for."""

import json
from collections.abc import Mapping
from typing import Any

from labquota.quota import admission
from labquota.quota.admission import Case, Request
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.ledger import EMPTY, Book
from labquota.quota.lookups import Facts, Found, Lookup
from labquota.quota.world import World
from labquota.webhook import review
from unit.builders import ALICE, NOW, group, world

LIMITED = group(aggregate={"gpu": 3})
OWN = {"labquota.dev/owner": ALICE}
SLICE = {"limits": {"nvidia.com/mig-1g.10gb": "1"}, "requests": {"nvidia.com/mig-1g.10gb": "1"}}
NONE: Mapping[Lookup, Found] = {}


def variable(value: str, name: str = "NVIDIA_VISIBLE_DEVICES") -> dict[str, Any]:
    """A variable of an environment."""
    return {"name": name, "value": value}


def container(name: str = "main", **fields: Any) -> dict[str, Any]:
    """A container."""
    return {"name": name, "image": "none", **fields}


def pod(
    *containers: dict[str, Any], annotations: Mapping[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """A pod of Alice's, as the API server sends it."""
    return {
        "metadata": {
            "name": "train",
            "namespace": "lab",
            "uid": "uid-train",
            "annotations": {**OWN, **(annotations or {})},
        },
        "spec": {"containers": list(containers) or [container()], **spec},
    }


def body(new: dict[str, Any], old: dict[str, Any] | None = None, sub: str = "", user: str = "alice") -> bytes:
    """The AdmissionReview of a create; with `old`, of an update."""
    asked = {
        "uid": "review-1",
        "operation": "CREATE" if old is None else "UPDATE",
        "subResource": sub,
        "namespace": "lab",
        "name": "train",
        "userInfo": {"username": user, "groups": []},
        "object": new,
        "oldObject": old,
    }
    return json.dumps({"request": asked}, separators=(",", ":")).encode()


def limited(settings: GPUSettings | None = None, *rules: Any) -> World:
    """A world in which users may hold three GPUs."""
    made = world(*(rules or (LIMITED,)))
    made.gpu_settings = settings or GPUSettings()
    return made


def case(request: Request, of: World | None = None, facts: Facts = NONE) -> Case:
    """What is found, with what was read."""
    told = Request(**{name: getattr(request, name) for name in request.__struct_fields__} | {"facts": facts})
    return admission.examine(told, of or limited(), NOW, lambda _owner: ())


def found(
    new: dict[str, Any], of: World | None = None, facts: Facts = NONE, **more: Any
) -> list[tuple[str, str]]:
    """Codes and fields of the refusals of a pod; nothing may be left to read."""
    judged = case(review.decode(body(new, **more)), of, facts)
    assert judged.unread == ()
    assert admission.decide(judged, Book(EMPTY)).allowed == (not judged.refusals)
    return [(each.code, each.field) for each in judged.refusals]


def lines(new: dict[str, Any], of: World | None = None, facts: Facts = NONE, **more: Any) -> list[str]:
    """What those refusals say."""
    return [each.text for each in case(review.decode(body(new, **more)), of, facts).refusals]


def unread(new: dict[str, Any], of: World | None = None, facts: Facts = NONE) -> list[Lookup]:
    """What has to be read first."""
    return list(case(review.decode(body(new)), of, facts).unread)
