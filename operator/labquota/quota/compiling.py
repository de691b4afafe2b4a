"""Reading what administrators have written, once: amounts become base units, subjects become owners.

What cannot be read is named in `problems` and left out, so that one mistake does not lift all other limits. A limit of
`gpu-equivalents` becomes two, of compute and of memory.
"""

from collections.abc import Mapping

import msgspec

from labquota.api import ResourceLimitGroup, ResourceLimitOverride
from labquota.quota import owners
from labquota.quota.limits import Group, Limit, Limits, Override, capped
from labquota.quota.owners import Owner, OwnerError
from labquota.quota.points import EQUIVALENTS, LEDGERS
from labquota.quota.quantities import QuantityError
from labquota.quota.resources import UnknownResource, canonical, parse_limit


def group(written: ResourceLimitGroup) -> Group:
    """Read a group. What cannot be read is left out and named in `problems`; the rest stays in force."""
    spec, name = written.spec, written.metadata.name
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


def override(written: ResourceLimitOverride) -> Override:
    """Read an override. One whose owner cannot be read applies to nobody and says so in `problems`."""
    spec, name = written.spec, written.metadata.name
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


def _limited(
    amounts: Mapping[str, str | int], source: str, path: str, problems: list[str]
) -> dict[str, Limit]:
    limited: dict[str, Limit] = {}
    for key, value in amounts.items():
        try:
            canonical_key = canonical(key)
            limit = Limit(parse_limit(canonical_key, value), source)
            for each in LEDGERS if canonical_key == EQUIVALENTS else (canonical_key,):
                limited[each] = limit
        except (QuantityError, UnknownResource) as error:
            problems.append(f"{path}[{key}]: {error}")
    return limited
