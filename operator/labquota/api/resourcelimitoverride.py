"""ResourceLimitOverride: other limits for one owner, for a time, with a name and a reason."""

from datetime import datetime

import msgspec

from labquota.api.meta import API_VERSION, Amounts, Condition, ObjectMeta, Report, Shape, constant
from labquota.api.words import Phase


class ResourceLimitOverrideSpec(Shape, frozen=True, kw_only=True):
    """Whose limits change, which, and from when to when."""

    owner: str
    aggregate: Amounts = msgspec.field(default_factory=dict)
    per_pod: Amounts = msgspec.field(default_factory=dict)
    allow_whole_gpu: bool | None = msgspec.field(name="allowWholeGPU", default=None)
    suspended: bool = False
    not_before: datetime | None = None
    expires_at: datetime | None = None
    reason: str = ""
    approved_by: str = ""


class ResourceLimitOverrideStatus(Report, frozen=True, kw_only=True):
    """What the operator says about an override; enforcement never reads it."""

    phase: Phase = "Pending"
    conditions: tuple[Condition, ...] = ()
    observed_generation: int = 0


class ResourceLimitOverride(Shape, frozen=True, kw_only=True):
    """Limits of one owner that replace, key by key, those of the owner's group."""

    api_version: str = constant(API_VERSION)
    kind: str = constant("ResourceLimitOverride")
    metadata: ObjectMeta
    spec: ResourceLimitOverrideSpec
    status: ResourceLimitOverrideStatus = ResourceLimitOverrideStatus()
