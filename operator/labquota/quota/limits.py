"""What an owner may hold: their group's rules, with their overrides merged over them, key by key.

Each number remembers the object that it came from, since a refusal has to name it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from labquota.api import Enforcement, LabelSelector, Phase
from labquota.quota.owners import Owner
from labquota.quota.points import EQUIVALENTS, LEDGERS


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


def shown(limited: Limited) -> Limited:
    """Limits as people write them: `gpu-equivalents` is two, and always the same."""
    if not any(key in limited for key in LEDGERS):
        return limited
    found = {key: limit for key, limit in limited.items() if key not in LEDGERS}
    found[EQUIVALENTS] = next(limited[key] for key in LEDGERS if key in limited)
    return found


def capped(limited: Limited) -> dict[str, int]:
    """The keys that do have a limit, with their amounts."""
    return {key: limit.amount for key, limit in limited.items() if limit.amount is not None}
