"""Judging amounts against limits: what is exceeded, by how much, and what would still fit."""

from collections.abc import Mapping
from typing import Final

import msgspec

from labquota.quota.amounts import Amounts
from labquota.quota.limits import Limited
from labquota.quota.points import EQUIVALENTS, LEDGERS
from labquota.quota.resources import family

PER_POD: Final = "USER_AT_LIMIT"
"""One pod asks for more than the per-pod layer allows; the historic name of that refusal."""
WHOLE_GPU: Final = "WHOLE_GPU_NOT_ALLOWED"
"""The owner may hold MIG slices only, and the pod asks for a whole GPU."""
UNKNOWN_GPU: Final = "UNKNOWN_GPU_RESOURCE"
"""The pod asks for something that looks like a GPU and that nobody has priced."""
NOT_REQUESTED: Final = "GPU_NOT_REQUESTED"
"""A container could reach a GPU that it does not ask for."""
DRA: Final = "DRA_NOT_COUNTED"
"""The pod claims devices that are GPUs, or may be, and those are not counted yet."""
FORGED: Final = "OWNER_FORGED"
"""The pod carries somebody else's stamp."""
SUSPENDED: Final = "OWNER_SUSPENDED"
"""An override suspends the owner."""
UNSET: Final = "REQUEST_REQUIRED"
"""A container leaves a limited cpu or memory key unset, so nobody can say what it takes."""
TOO_MANY: Final = "TOO_MANY_RESERVATIONS"
"""Too many of the owner's creates are neither stored nor given up yet."""
TOO_SLOW: Final = "OWNER_QUEUE_FULL"
"""The owner's own requests queue for longer than the API server waits."""
UNAVAILABLE: Final = "BUDGET_UNAVAILABLE"
"""What it takes to judge cannot be reached, and the group says `onError: Deny`."""
UNREADABLE: Final = "INVALID_REQUEST"
"""The request cannot be read, so nothing that it asks for can be counted."""

_GRAVITY: Final = ("GPU", "CPU", "MEMORY", "PODS", "RESOURCE")

NEARLY: Final = 80
"""Per cent of a limit from which an answer carries a warning."""


class Exceeded(msgspec.Struct, frozen=True):
    """One limit that the request would go over. Amounts are in base units."""

    code: str
    key: str
    asked: int
    used: int
    limit: int
    source: str
    in_flight: int = 0
    """The part of `used` that reservations hold."""
    ledgers: tuple["Exceeded", ...] = ()
    """Of `gpu-equivalents`, those of the two ledgers that it goes over: the numbers above are the larger of each."""

    @property
    def fits(self) -> int:
        """What would still fit now."""
        return max(0, self.limit - self.used)

    @property
    def waits(self) -> bool:
        """Whether requests in flight decide: without them it would fit."""
        if self.ledgers:
            return all(each.waits for each in self.ledgers)
        return self.used - self.in_flight + self.asked <= self.limit


class Refused(msgspec.Struct, frozen=True):
    """A reason to refuse that is no number over a limit."""

    code: str
    text: str
    field: str = ""


Cause = Exceeded | Refused


def over_aggregate(
    limited: Limited, grows: Amounts, total: Mapping[str, int], growth: Amounts, in_flight: Mapping[str, int]
) -> list[Exceeded]:
    """The aggregate limits that a request goes over. Only resources that the request increases are compared.

    Args:
        limited: The owner's aggregate limits.
        grows: What the request increases.
        total: What the owner holds, reservations included.
        growth: What the total grows by; less than `grows` where a reservation of the same name is open.
        in_flight: What reservations alone hold of the total.
    """
    found = []
    for key, asked in grows.items():
        limit = limited.get(key)
        if limit is None or limit.amount is None:
            continue
        used = total.get(key, 0)
        if used + growth.get(key, 0) > limit.amount:
            code = f"AGGREGATE_{family(key)}_QUOTA_EXCEEDED"
            found.append(Exceeded(code, key, asked, used, limit.amount, limit.source, in_flight.get(key, 0)))
    return sorted(_as_one(found, grows, total, in_flight), key=_gravity)


def over_per_pod(limited: Limited, grows: Amounts, after: Amounts) -> list[Exceeded]:
    """The per-pod limits that one pod goes over, of the resources that the request increases."""
    if not limited:
        return []
    found = [
        Exceeded(PER_POD, key, after[key], 0, limit.amount, limit.source)
        for key in grows
        if (limit := limited.get(key)) is not None and limit.amount is not None and after[key] > limit.amount
    ]
    return sorted(_as_one(found, after, {}, {}), key=_gravity)


def nearly_over(limited: Limited, grows: Amounts, total: Mapping[str, int]) -> list[Exceeded]:
    """The limits that the owner has come close to, with what they hold now that the request has joined."""
    found = [
        Exceeded("", key, asked, total[key], limit.amount, limit.source)
        for key, asked in grows.items()
        if (limit := limited.get(key)) is not None
        and limit.amount
        and total.get(key, 0) * 100 >= limit.amount * NEARLY
    ]
    return sorted(_as_one(found, grows, total, {}), key=_gravity)


def _as_one(
    found: list[Exceeded], asked: Amounts, used: Mapping[str, int], in_flight: Mapping[str, int]
) -> list[Exceeded]:
    """What people read: `gpu-equivalents` once, at the larger of its two ledgers, whichever is exceeded."""
    those = tuple(each for each in found if each.key in LEDGERS)
    if not those:
        return found
    first = those[0]
    one = Exceeded(
        first.code,
        EQUIVALENTS,
        asked=max(asked.get(key, 0) for key in LEDGERS),
        used=max(used.get(key, 0) for key in LEDGERS),
        limit=first.limit,
        source=first.source,
        in_flight=max(in_flight.get(key, 0) for key in LEDGERS),
        ledgers=those,
    )
    return [*(each for each in found if each.key not in LEDGERS), one]


def _gravity(exceeded: Exceeded) -> tuple[int, bool, str]:
    """People look for the scarcest first: GPUs, then cores, memory, pods and the rest."""
    return _GRAVITY.index(family(exceeded.key)), "/" in exceeded.key, exceeded.key
