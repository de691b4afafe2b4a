"""What people read: one clear line for a refusal or a warning.

A refusal says the code, what was asked, used and allowed with its unit, which object set the limit, what would still
fit, which pods hold it, whether requests in flight decide, and what to do.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from labquota.quota.amounts import Amounts
from labquota.quota.cases import Case, Verdict
from labquota.quota.points import together
from labquota.quota.resources import show, unit
from labquota.quota.verdict import FORGED, PER_POD, Cause, Exceeded, Refused

_MOST_NAMED: Final = 5
_MOST_CAUSES: Final = 20
"""More than anybody sets limits for; a pod can invent a thousand GPU names, and nobody reads a thousand reasons."""


class Holder(msgspec.Struct, frozen=True):
    """A pod that holds something of an exceeded resource."""

    namespace: str
    name: str
    uses: Amounts


def refusal(case: Case, verdict: Verdict, holders: Iterable[Holder], longest: float) -> str:
    """The line of a refusal.

    Args:
        case: The request and its owner.
        verdict: Why it is refused.
        holders: Pods of the owner, as far as they are known.
        longest: Seconds after which a reservation whose pod is never stored ends.
    """
    owner = case.owner
    reasons = [f"{cause.code}: {_cause(owner, cause)}" for cause in verdict.causes[:_MOST_CAUSES]]
    if more := len(verdict.causes) - len(reasons):
        reasons.append(f"and {more} more reasons")
    parts = ["; ".join(reasons)]
    exceeded = [cause for cause in verdict.causes if isinstance(cause, Exceeded) and cause.code != PER_POD]
    if exceeded:
        if held := _held_by([cause.key for cause in exceeded], holders):
            parts.append(f"Held by {held}")
        if waiting := [cause for cause in exceeded if cause.waits]:
            amounts = ", ".join(f"{cause.key} {show(cause.key, cause.in_flight)}" for cause in waiting)
            count = verdict.open_reservations
            flight = "1 request in flight holds" if count == 1 else f"{count} requests in flight hold"
            parts.append(f"{flight} {amounts} for at most {longest:g} s, then try again")
    if advice := _advice(verdict.causes):
        parts.append(advice)
    return ". ".join(parts)


def warnings(case: Case, verdict: Verdict) -> list[str]:
    """Warnings of an allowed request: limits that are nearly reached, or that Warn lets it go over."""
    lines = [f"labquota would refuse this: {each.code}: {each.text}" for each in case.told[:_MOST_CAUSES]]
    if verdict.warned:
        lines += [
            f"labquota would refuse this: {cause.code}: {_cause(case.owner, cause)}"
            for cause in verdict.causes[:_MOST_CAUSES]
        ]
        if (more := len(verdict.causes) - _MOST_CAUSES) > 0:
            lines.append(f"labquota would refuse this: and {more} more reasons")
    for near in verdict.nearly:
        used = f"{show(near.key, near.used)} of {_amount(near.key, near.limit)}"
        lines.append(f"labquota: {case.owner} now uses {near.key} {used} ({near.source})")
    return lines


def fields(causes: Sequence[Cause]) -> list[dict[str, str]]:
    """The causes for `status.details.causes`: reason, message and field of each."""
    return [
        {
            "reason": cause.code,
            "message": cause.text if isinstance(cause, Refused) else _numbers(cause),
            "field": cause.field if isinstance(cause, Refused) else cause.key,
        }
        for cause in causes[:_MOST_CAUSES]
    ]


def _cause(owner: str, cause: Cause) -> str:
    return cause.text if isinstance(cause, Refused) else f"{owner} {_numbers(cause)}"


def _numbers(cause: Exceeded) -> str:
    asked = f"asked {cause.key} {show(cause.key, cause.asked)}"
    if cause.code == PER_POD:
        return f"{asked} for one pod, at most {_amount(cause.key, cause.limit)} each ({cause.source})"
    used = f"used {show(cause.key, cause.used)} of {_amount(cause.key, cause.limit)}"
    return f"{asked}, {used} ({cause.source}), {show(cause.key, cause.fits)} still fit"


def _amount(key: str, amount: int) -> str:
    return f"{show(key, amount)} {unit(key)}".rstrip()


def _held_by(keys: Sequence[str], holders: Iterable[Holder]) -> str:
    known: dict[tuple[str, str], Mapping[str, int]] = {
        (each.namespace, each.name): together(each.uses) for each in holders
    }
    named = [(name, uses) for name, uses in known.items() if any(uses.get(key) for key in keys)]
    named.sort(key=lambda item: ([-item[1].get(key, 0) for key in keys], item[0]))
    words = [
        f"{namespace}/{name} ({', '.join(f'{key} {show(key, uses[key])}' for key in keys if uses.get(key))})"
        for (namespace, name), uses in named[:_MOST_NAMED]
    ]
    if len(named) > _MOST_NAMED:
        words.append("and others")
    return ", ".join(words)


def _advice(causes: Sequence[Cause]) -> str:
    codes = {cause.code for cause in causes}
    if FORGED in codes:
        return ""
    if any(code.startswith("AGGREGATE_") for code in codes):
        return "Delete a pod or let one finish, or ask for less"
    return "Ask for less in one pod" if PER_POD in codes else ""
