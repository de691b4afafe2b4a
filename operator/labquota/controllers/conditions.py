"""Standard conditions: a transition time moves only when the status does."""

from collections.abc import Iterable
from datetime import datetime

from labquota.api import Condition
from labquota.api.words import ConditionStatus


def settle(
    known: Iterable[Condition],
    kind: str,
    reason: str,
    message: str,
    *,
    holds: bool,
    now: datetime,
    generation: int,
) -> Condition:
    """The condition of one type as it is now, with the transition time of the known one if nothing has turned."""
    status: ConditionStatus = "True" if holds else "False"
    old = next((each for each in known if each.type == kind), None)
    since = (
        old.last_transition_time if old is not None and old.status == status else now.replace(microsecond=0)
    )
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=since,
        observed_generation=generation,
    )
