"""ResourceLimitOverride: other limits for one owner, for a time, with a name and a reason."""

from typing import Annotated

import msgspec

from labquota.api import rules
from labquota.api.meta import (
    API_VERSION,
    Amounts,
    Conditions,
    Moment,
    ObjectMeta,
    Report,
    Shape,
    about,
    constant,
)
from labquota.api.words import Phase

_TIME = "^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[-+](0[0-9]|1[0-4]):[0-5][0-9])$"
"""RFC 3339 less its oddities (lower case, offsets of days, year 0), which not every reader of ours could read."""


class ResourceLimitOverrideSpec(Shape, frozen=True, kw_only=True):
    """Whose limits change, which, and from when to when."""

    owner: Annotated[
        str,
        about(
            "Whose limits change: user:alice, serviceaccount:namespace/name or namespace:name.",
            minLength=1,
            maxLength=1024,
        ),
    ]
    aggregate: Annotated[
        Amounts,
        about(
            "Limits over all of the owner's pods, that replace the group's key by key; the keys are those of "
            'a ResourceLimitGroup. "unlimited" lifts a limit of the group, an absent key keeps it.'
        ),
    ] = msgspec.field(default_factory=dict)
    per_pod: Annotated[
        Amounts, about("Limits of one pod, that replace the group's key by key, as aggregate does.")
    ] = msgspec.field(default_factory=dict)
    allow_whole_gpu: Annotated[
        bool | None, about("Whether the owner's pods may ask for whole GPUs; absent: as the group says.")
    ] = msgspec.field(name="allowWholeGPU", default=None)
    suspended: Annotated[
        bool, about("true refuses every new pod of the owner; pods that run already go on.")
    ] = False
    not_before: Annotated[
        Moment | None,
        about("From when on it applies, such as 2026-03-01T08:00:00Z; absent: at once.", pattern=_TIME),
    ] = None
    expires_at: Annotated[
        Moment | None,
        about(
            "When it ends, such as 2026-03-31T18:00:00Z; absent: never. It ends by the clock, whether or not "
            "any controller runs.",
            pattern=_TIME,
        ),
    ] = None
    reason: Annotated[str, about("Why, for whoever reads it later.", maxLength=1024)] = ""
    approved_by: Annotated[str, about("Who agreed to it.", maxLength=256)] = ""


class ResourceLimitOverrideStatus(Report, frozen=True, kw_only=True):
    """What the operator says about an override; enforcement never reads it."""

    phase: Annotated[Phase, about("Pending before notBefore, Expired from expiresAt on, else Active.")] = (
        "Pending"
    )
    conditions: Conditions = ()
    observed_generation: Annotated[
        int, about("The metadata.generation that this status speaks of.", minimum=0)
    ] = 0


class ResourceLimitOverride(Shape, frozen=True, kw_only=True):
    """Limits of one owner that replace, key by key, those of the owner's group."""

    api_version: str = constant(API_VERSION)
    kind: str = constant("ResourceLimitOverride")
    metadata: ObjectMeta
    spec: Annotated[
        ResourceLimitOverrideSpec,
        about("Whose limits change, which, and from when to when.", x_kubernetes_validations=rules.PERIOD),
    ]
    status: ResourceLimitOverrideStatus = ResourceLimitOverrideStatus()
