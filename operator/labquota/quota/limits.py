"""What an owner may hold: their group's rules, with their overrides merged over them, key by key.

Each number remembers the object that it came from, since a refusal has to name it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from labquota.api import Enforcement, LabelSelector, Phase, ResourceLimitGroup, ResourceLimitOverride
from labquota.quota import owners
from labquota.quota.owners import Owner, OwnerError
from labquota.quota.quantities import QuantityError
from labquota.quota.resources import UnknownResource, canonical, parse_limit


class Limit(msgspec.Struct, frozen=True):
    """The most of one resource."""

    amount: int | None
    """In base units (milli-cores, bytes, pieces); None lifts an inherited limit."""
    source: str
    """`ResourceLimitGroup/student`."""


Limited = Mapping[str, Limit]
"""Limits by canonical resource key. A key that is absent is not limited."""


class Limits(msgspec.Struct, frozen=True):
    """Everything that is in force for one owner at one moment."""

    group: str | None = None
    aggregate: Limited = {}
    per_pod: Limited = {}
    allow_whole_gpu: bool = True
    when_unset: str = "Refuse"
    enforcement: Enforcement = "Off"
    on_error: str = "Allow"
    suspended: str | None = None
    """The override that suspends the owner."""
    whole_gpu_source: str = ""
    reserves: bool = False
    """Whether requests are reserved: a limit is in force, or would be once an override or a Warn ends."""


UNLIMITED = Limits()
"""For an owner whom no group matches."""


class Group(msgspec.Struct, frozen=True):
    """A ResourceLimitGroup, read once."""

    name: str
    limits: Limits
    priority: int
    default_for: frozenset[str]
    owners: frozenset[Owner]
    user_groups: frozenset[str]
    selector: LabelSelector | None
    problems: tuple[str, ...] = ()


class Override(msgspec.Struct, frozen=True):
    """A ResourceLimitOverride, read once."""

    name: str
    owner: Owner | None
    aggregate: Limited
    per_pod: Limited
    allow_whole_gpu: bool | None
    suspended: bool
    not_before: datetime | None
    expires_at: datetime | None
    problems: tuple[str, ...] = ()

    def phase(self, now: datetime) -> Phase:
        """Whether it applies now. An expired override never does, whatever its status says."""
        if self.expires_at is not None and now >= self.expires_at:
            return "Expired"
        if self.not_before is not None and now < self.not_before:
            return "Pending"
        return "Active"


def compile_group(group: ResourceLimitGroup) -> Group:
    """Read a group. What cannot be read is left out and named in `problems`; the rest stays in force."""
    spec, name = group.spec, group.metadata.name
    source = f"ResourceLimitGroup/{name}"
    problems: list[str] = []
    limits = Limits(
        group=name,
        aggregate=_limited(spec.aggregate, source, "spec.aggregate", problems),
        per_pod=_limited(spec.per_pod, source, "spec.perPod", problems),
        allow_whole_gpu=spec.allow_whole_gpu,
        whole_gpu_source=source,
        when_unset=spec.when_unset,
        enforcement=spec.enforcement,
        on_error=spec.on_error,
    )
    limits = msgspec.structs.replace(
        limits, reserves=limits.enforcement != "Off" and bool(capped(limits.aggregate))
    )
    subjects = spec.subjects
    return Group(
        name=name,
        limits=limits,
        priority=spec.priority,
        default_for=frozenset(spec.default_for),
        owners=frozenset(
            Owner(f"user:{subject.name}")
            if subject.kind == "User"
            else Owner(f"serviceaccount:{subject.namespace}/{subject.name}")
            for subject in subjects
            if subject.kind != "Group"
        ),
        user_groups=frozenset(subject.name for subject in subjects if subject.kind == "Group"),
        selector=spec.namespace_selector,
        problems=tuple(problems),
    )


def compile_override(override: ResourceLimitOverride) -> Override:
    """Read an override. One whose owner cannot be read applies to nobody and says so in `problems`."""
    spec, name = override.spec, override.metadata.name
    source = f"ResourceLimitOverride/{name}"
    problems: list[str] = []
    try:
        owner: Owner | None = owners.parse(spec.owner)
    except OwnerError as error:
        owner = None
        problems.append(f"spec.owner: {error}")
    return Override(
        name=name,
        owner=owner,
        aggregate=_limited(spec.aggregate, source, "spec.aggregate", problems),
        per_pod=_limited(spec.per_pod, source, "spec.perPod", problems),
        allow_whole_gpu=spec.allow_whole_gpu,
        suspended=spec.suspended,
        not_before=spec.not_before,
        expires_at=spec.expires_at,
        problems=tuple(problems),
    )


def merge(limits: Limits, overrides: Iterable[Override]) -> Limits:
    """A group's limits with overrides laid over them, key by key; of two overrides the later one wins."""
    for override in overrides:
        source = f"ResourceLimitOverride/{override.name}"
        limits = msgspec.structs.replace(
            limits,
            aggregate={**limits.aggregate, **override.aggregate},
            per_pod={**limits.per_pod, **override.per_pod},
            suspended=source if override.suspended else limits.suspended,
        )
        if override.allow_whole_gpu is not None:
            limits = msgspec.structs.replace(
                limits, allow_whole_gpu=override.allow_whole_gpu, whole_gpu_source=source
            )
    if limits.enforcement != "Off" and capped(limits.aggregate):
        limits = msgspec.structs.replace(limits, reserves=True)
    return limits


def capped(limited: Limited) -> dict[str, int]:
    """The keys that do have a limit, with their amounts."""
    return {key: limit.amount for key, limit in limited.items() if limit.amount is not None}


def _limited(
    amounts: Mapping[str, str | int], source: str, path: str, problems: list[str]
) -> dict[str, Limit]:
    limited: dict[str, Limit] = {}
    for key, value in amounts.items():
        try:
            canonical_key = canonical(key)
            limited[canonical_key] = Limit(parse_limit(canonical_key, value), source)
        except (QuantityError, UnknownResource) as error:
            problems.append(f"{path}[{key}]: {error}")
    return limited
