"""The lines that kubectl prints to whoever creates, scales or changes a workload whose pods cannot all run."""

from collections.abc import Iterator
from typing import Final

from labquota.quota import workloads
from labquota.quota.outlook import Outlook
from labquota.quota.resources import show, unit
from labquota.quota.verdict import PER_POD, Cause, Refused

LONGEST: Final = 120
"""Characters of a line: longer ones may be cut off on the way to people."""
_MOST_CAUSES: Final = 3
_MOST_OF_A_NAME: Final = 40


def lines(outlook: Outlook) -> list[str]:
    """What to say; nothing where all pods will run, and a new version of them could."""
    said = _never(outlook) if not outlook.ever.admitted else _partly(outlook)
    return [line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..." for line in said]


def _never(outlook: Outlook) -> Iterator[str]:
    kind, who = workloads.KINDS[outlook.change.resource], _name(outlook.owner)
    if outlook.warned:
        yield f"labquota would refuse every pod of this {kind} ({who}):"
    else:
        yield f"labquota: no pod of this {kind} can ever run under the limits of {who}:"
    for cause in outlook.ever.verdict.causes[:_MOST_CAUSES]:
        yield f"labquota: {cause.code}: {_alone(cause)}"


def _partly(outlook: Outlook) -> Iterator[str]:
    kind, who = workloads.KINDS[outlook.change.resource], _name(outlook.owner)
    runs, count, most = outlook.now.admitted, outlook.count, outlook.ever.admitted
    if runs < count:
        of = f"{runs} of {count} pods of this {kind}"
        if outlook.warned:
            yield f"labquota would refuse {count - runs} of {count} pods of this {kind} ({who})"
        elif outlook.change.resource == "cronjobs":
            yield f"labquota: at most {of} can run at once under the limits of {who}"
        elif most < count:
            yield f"labquota: {of} will run now, and never more than {most} at once ({who})"
        else:
            yield f"labquota: {of} will run now, the others when {who} has room"
        for cause in outlook.now.verdict.causes[:_MOST_CAUSES]:
            yield f"labquota: {_together(cause)}"
    if not outlook.can_roll:
        yield f"labquota: {who} has no room to roll this {kind} out: set strategy.type to Recreate"


def _alone(cause: Cause) -> str:
    """Why not even one fits."""
    if isinstance(cause, Refused):
        return cause.text
    most = "at most" if cause.code == PER_POD else "in all at most"
    limit = _limit(cause.key, cause.limit)
    return f"{cause.key} {show(cause.key, cause.asked)} a pod, {most} {limit} ({cause.source})"


def _together(cause: Cause) -> str:
    """Why no more fit."""
    if isinstance(cause, Refused):
        return f"{cause.code}: {cause.text}"
    asked, used, limit = (
        show(cause.key, cause.asked),
        show(cause.key, cause.used),
        _limit(cause.key, cause.limit),
    )
    return f"{cause.key} {asked} a pod, then {used} of {limit} are used ({cause.source})"


def _limit(key: str, amount: int) -> str:
    return show(key, amount) if key == "pods" else f"{show(key, amount)} {unit(key)}".rstrip()


def _name(who: str) -> str:
    return who if len(who) <= _MOST_OF_A_NAME else f"{who[: _MOST_OF_A_NAME - 3]}..."
