"""The ways to GPUs that a request opens, judged for whoever would use them.

    GPUs that nobody asked for: Deny | Warn | Off, never in trusted namespaces   (`reaching`)
    GPUs that are claimed:      refused until they are counted                   (`claims`)

Both only for owners whose GPUs are limited in any way: others may hold as many as they like. Of an update, which adds
an ephemeral container to a pod or an annotation, whoever asks counts as well: it need not be their pod.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from labquota.quota import claims, doors, reaching
from labquota.quota.access import Access
from labquota.quota.amounts import Amounts
from labquota.quota.cases import Request
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.limits import Limits
from labquota.quota.lookups import Lookup
from labquota.quota.owners import Owner
from labquota.quota.verdict import Refused
from labquota.quota.world import World

_NOTHING = Access(annotations={}, containers=(), volumes=(), runtime_class="", claims=())


class Ways(msgspec.Struct, frozen=True):
    """What they come to."""

    limits: Limits
    """Under which they are closed."""
    refusals: tuple[Refused, ...] = ()
    told: tuple[Refused, ...] = ()
    """What would be refused if the administrator had not said that it is only to be told."""
    unread: tuple[Lookup, ...] = ()
    """What has to be read first."""


def of(
    request: Request,
    owner: Owner,
    requester: Owner,
    limits: Limits,
    asked: Amounts,
    world: World,
    now: datetime,
) -> Ways:
    """Judge them.

    Args:
        request: What the API server asks.
        owner: Whose pod it is.
        requester: Who asks.
        limits: What is in force for the owner.
        asked: All that the pod asks for.
        world: Groups, overrides, namespaces and the administrator's word on GPUs.
        now: The time that decides which overrides apply.
    """
    settings, create, access = world.gpu_settings, request.operation == "CREATE", request.access
    foreign = [name for name in asked if "/" in name and not settings.is_gpu_like(name)] if create else []
    if access is None and not foreign:
        return Ways(limits)
    if not doors.limits_gpus(limits, settings):
        if create or owner == requester:
            return Ways(limits)
        limits = world.limits_of(requester, world.named_groups(request.groups), now)
        if not doors.limits_gpus(limits, settings):
            return Ways(limits)
    access = access or _NOTHING
    refusals: list[Refused] = []
    told: list[Refused] = []
    unread: list[Lookup] = []
    for each in claims.of(access, foreign, request.namespace, settings, request.facts):
        if isinstance(each, Lookup):
            unread.append(each)
        else:
            refusals.append(each)
    for each in _reached(request, access, asked, settings, world):
        if isinstance(each, Lookup):
            unread.append(each)
        else:
            (refusals if settings.not_requested == "Deny" else told).append(each)
    return Ways(limits, tuple(refusals), tuple(told), tuple(dict.fromkeys(unread)))


def _reached(
    request: Request, access: Access, asked: Amounts, settings: GPUSettings, world: World
) -> Iterator[Refused | Lookup]:
    if settings.not_requested == "Off":
        return
    if doors.trusts(settings, request.namespace, world.labels_of(request.namespace)):
        return
    asks = any(amount > 0 and settings.is_gpu_like(name) for name, amount in asked.items())
    yield from reaching.of(access, request.namespace, settings, request.facts, asks=asks)
