"""What all kinds share: the base of a shape, object metadata, conditions, label selectors, amounts.

Two rules hold for every Struct here. Unknown fields are skipped while decoding: a newer CRD must not break
an older reader. Reading checks types alone; ranges and rules live in the schema (`about`), so that an object
stored under an older schema can still be read and enforced.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from labquota.api.words import ConditionStatus, SelectorOperator

GROUP: Final = "labquota.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"


class Shape(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True, kw_only=True):
    """A part of a resource: snake_case here, camelCase on the wire, defaults left out when written."""


class Report(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A part of a status: every field is written, or a patch without a 0 would keep yesterday's number."""


def about(description: str, **extra: Any) -> Any:
    """Describe a field for `kubectl explain`, with what its schema says besides its type.

    Args:
        description: what an admin needs to know about the field.
        extra: words of OpenAPI's schema (`maxLength=64`), with `x_kubernetes_…` for `x-kubernetes-…`.

    Returns:
        what `typing.Annotated` takes; typed Any, since msgspec's own type says no more.
    """
    words = {key.replace("x_kubernetes_", "x-kubernetes-").replace("_", "-"): v for key, v in extra.items()}
    return msgspec.Meta(description=description, extra_json_schema=words or None)


def constant(value: str) -> Any:
    """Give a field a default that is written all the same, as apiVersion and kind must be.

    msgspec leaves out a field that equals its default, but never one whose default comes from a factory.
    """
    return msgspec.field(default_factory=lambda: value)


class ObjectMeta(Shape, frozen=True, kw_only=True):
    """The metadata that labquota reads of its own objects."""

    name: str = ""
    generate_name: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()


Amounts = dict[str, int | str]
"""Resource key to quantity as an admin writes it; `labquota.quota.resources` reads both."""


class Condition(Report, frozen=True, kw_only=True):
    """One statement about an object, in the standard form of Kubernetes (metav1.Condition)."""

    type: str
    status: ConditionStatus
    reason: str
    message: str
    last_transition_time: datetime
    observed_generation: int = 0


class LabelSelectorRequirement(Shape, frozen=True, kw_only=True):
    """One requirement on one label."""

    key: str
    operator: SelectorOperator
    values: tuple[str, ...] = ()


class LabelSelector(Shape, frozen=True, kw_only=True):
    """Kubernetes' label selector: all of matchLabels and all of matchExpressions must hold."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()
