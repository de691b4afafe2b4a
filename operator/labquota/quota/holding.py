"""Holds: devices that are kept for somebody without a pod, charged to them through the same ledger as their pods.

    examine(request) ──► Case, as for a pod: what the devices cost by the inventory, limits, reasons to refuse

What a device costs follows from the device itself, not from a name. A hold names it by its place.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

import msgspec

from labquota.api import AllocationDevice
from labquota.quota import encoding, owners, verdict
from labquota.quota.amounts import Amounts
from labquota.quota.cases import Case, Request
from labquota.quota.deviceids import DeviceKey
from labquota.quota.inventory import Inventory
from labquota.quota.ledger import Reservation
from labquota.quota.limits import Limits
from labquota.quota.owners import Owner, OwnerError
from labquota.quota.points import COMPUTE, MEMORY, SLOTS, WHOLE
from labquota.quota.verdict import Refused
from labquota.quota.world import World

NAMED: Final = "gpuallocation/"
"""What a hold's name begins with among those of pods: no pod can be called so, and kubectl takes it as it is."""


class Cost(msgspec.Struct):
    """What some devices cost together."""

    amounts: Amounts = {}
    unknown: list[str] = []
    """Devices that no node's agent reports: each counts as a whole GPU."""
    whole: list[str] = []
    """Those that are GPUs which are not cut."""


def cost(devices: Iterable[AllocationDevice], inventory: Inventory) -> Cost:
    """What devices cost as the nodes have them now; one that is named twice is one."""
    total = Cost({}, [], [])
    places = {(each.node, DeviceKey(each.gpu, each.gpu_instance, each.compute_instance)) for each in devices}
    for node, key in sorted(places):
        found = inventory.of_device(node, key)
        if found is None:
            total.unknown.append(_name(node, key))
            _add(total.amounts, {"gpu": 1, COMPUTE: WHOLE, SLOTS: WHOLE})
            continue
        price, resources = found
        _add(
            total.amounts,
            {COMPUTE: price.compute, SLOTS: price.memory, MEMORY: price.bytes, "gpu": price.is_gpu},
        )
        _add(total.amounts, dict.fromkeys(resources, 1))
        if price.whole:
            total.whole.append(_name(node, key))
    return total


def examine(
    request: Request, world: World, now: datetime, remembered: Callable[[Owner], tuple[str, ...]]
) -> Case:
    """Find out all that can be known of a hold before its owner's ledger is read; as `admission.examine`."""
    hold = request.hold
    requester = owners.of_requester(request.username)
    if hold is None:
        raise TypeError("no hold")
    refusals: list[Refused] = []
    try:
        owner = owners.parse(hold.owner)
    except OwnerError as error:
        owner = requester
        refusals.append(Refused(verdict.UNREADABLE, str(error), "spec.owner"))
    else:
        payer = request.owner or _payer(owner, world)
        if payer != owner:
            text = f"what {owner} holds is charged to {payer}; name that as spec.owner"
            refusals.append(Refused(verdict.FORGED, text, "spec.owner"))
    known = remembered(owner)
    user_groups = world.named_groups(request.groups) if owner == requester else None
    limits = world.limits_of(owner, known if user_groups is None else user_groups, now)
    found = cost(hold.devices, world.inventory)
    refusals += _refusals(owner, limits, found)
    if hold.expires_at is not None and hold.expires_at <= now:
        text = f"spec.expiresAt has passed: it is {now:%Y-%m-%dT%H:%M:%SZ} by now"
        refusals.append(Refused(verdict.UNREADABLE, text, "spec.expiresAt"))
    after = world.kept(found.amounts)
    name = NAMED + request.name
    reservation = Reservation(request.pod.metadata.uid, request.namespace, name, "", {}, after)
    if not encoding.is_safe(reservation):
        refusals, after = [Refused(verdict.UNREADABLE, "its uid or name cannot be written down")], {}
    return Case(
        request=request,
        owner=owner,
        limits=limits,
        grows=after,
        reservation=reservation,
        user_groups=user_groups,
        refusals=tuple(refusals),
        over_per_pod=tuple(verdict.over_per_pod(limits.per_pod, after, after)),
        new_groups=user_groups is not None and user_groups != known,
    )


def _refusals(owner: Owner, limits: Limits, found: Cost) -> Iterable[Refused]:
    if limits.enforcement == "Off":
        return
    if limits.suspended:
        yield Refused(verdict.SUSPENDED, f"{owner} is suspended by {limits.suspended}; ask who approved it")
    for name in found.unknown:
        text = f"no node reports {name}; kubectl get gpunodes shows what there is"
        yield Refused(verdict.UNKNOWN_GPU, text, "spec.devices")
    if found.whole and not limits.allow_whole_gpu:
        text = f"{owner} may use MIG slices only ({limits.whole_gpu_source}), and {found.whole[0]} is a whole GPU"
        yield Refused(verdict.WHOLE_GPU, text, "spec.devices")


def _payer(owner: Owner, world: World) -> Owner:
    """Who pays for an owner: a namespace may be somebody's."""
    return world.owner_of({}, owners.name(owner)) if owners.kind(owner) == "Namespace" else owner


def _name(node: str, key: DeviceKey) -> str:
    place = "" if key.gpu_instance < 0 else f" {key.gpu_instance}/{key.compute_instance}"
    return f"{key.gpu}{place} of node {node}"


def _add(total: Amounts, more: Amounts) -> None:
    for key, amount in more.items():
        if amount:
            total[key] = total.get(key, 0) + amount
