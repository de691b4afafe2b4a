"""The three statements on a GPUNode, in the standard form: their transition times move only when a status does."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from labquota.api import Condition
from labquota.api.words import ConditionStatus

NVML: Final = "NVMLAvailable"
"""NVML could be asked at the latest try; Unknown: it is left alone."""
POD_RESOURCES: Final = "PodResourcesAvailable"
"""The kubelet said at the latest try who holds what."""
STALE: Final = "Stale"
"""The inventory is not that of now but the last that could be read."""


class Statement(NamedTuple):
    """A condition without its times."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


def settle(
    known: Iterable[Condition], statements: Iterable[Statement], now: datetime
) -> tuple[Condition, ...]:
    """The conditions as they are now."""
    old = {each.type: each for each in known}
    return tuple(_condition(old.get(each.type), each, now) for each in statements)


def _condition(old: Condition | None, said: Statement, now: datetime) -> Condition:
    since = now.replace(microsecond=0)
    if old is not None and old.status == said.status:
        since = old.last_transition_time
    return Condition(
        type=said.type,
        status=said.status,
        reason=said.reason,
        message=said.message,
        last_transition_time=since,
    )
