"""ResourceLimitGroup: limits shared, as rules, by many owners; each of them has a total of their own."""

import msgspec

from labquota.api.meta import (
    API_VERSION,
    Amounts,
    Condition,
    LabelSelector,
    ObjectMeta,
    Report,
    Shape,
    constant,
)
from labquota.api.words import Enforcement, OnError, OwnerKind, SubjectKind, WhenUnset


class Subject(Shape, frozen=True, kw_only=True):
    """A user, a group of users or a service account, in RBAC's form."""

    kind: SubjectKind
    name: str
    namespace: str = ""


class ResourceLimitGroupSpec(Shape, frozen=True, kw_only=True):
    """Whom the group is for, and what each of them may hold."""

    default_for: tuple[OwnerKind, ...] = ()
    priority: int = 0
    subjects: tuple[Subject, ...] = ()
    namespace_selector: LabelSelector | None = None
    aggregate: Amounts = msgspec.field(default_factory=dict)
    per_pod: Amounts = msgspec.field(default_factory=dict)
    allow_whole_gpu: bool = msgspec.field(name="allowWholeGPU", default=True)
    when_unset: WhenUnset = "Refuse"
    enforcement: Enforcement = "Enforce"
    on_error: OnError = "Allow"


class ResourceLimitGroupStatus(Report, frozen=True, kw_only=True):
    """What the operator says about a group."""

    conditions: tuple[Condition, ...] = ()
    observed_generation: int = 0
    owners: int = 0
    over_limit: int = 0


class ResourceLimitGroup(Shape, frozen=True, kw_only=True):
    """Limits that many owners share as rules: each owner has their own total over the whole cluster."""

    api_version: str = constant(API_VERSION)
    kind: str = constant("ResourceLimitGroup")
    metadata: ObjectMeta
    spec: ResourceLimitGroupSpec
    status: ResourceLimitGroupStatus = ResourceLimitGroupStatus()
