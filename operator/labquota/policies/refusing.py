"""How a ValidatingAdmissionPolicy of ours looks.

Fail closed, so every expression is total: one that errs would refuse the request of somebody who did nothing wrong.
"""

from collections.abc import Iterable
from typing import Any

from labquota.policies import identities
from labquota.policies.stamping import Manifest, bound, rule
from labquota.quota.trust import BUILT_IN_KINDS


def policy(
    name: str,
    rules: list[Manifest],
    validations: list[dict[str, Any]],
    *,
    conditions: list[dict[str, str]] | None = None,
    variables: list[identities.Variable] | None = None,
) -> list[Manifest]:
    """A policy that refuses, and its binding."""
    spec: Manifest = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}}
    if conditions:
        spec["matchConditions"] = conditions
    if variables:
        spec["variables"] = variables
    spec["validations"] = validations
    return bound("ValidatingAdmissionPolicy", name, spec, {"validationActions": ["Deny"]})


def unless(expression: str, message: str) -> dict[str, Any]:
    """One thing that is refused unless the expression is true; the message is CEL, too."""
    return {"expression": expression, "reason": "Forbidden", "messageExpression": message}


def only(operation: str, rules: list[Manifest]) -> list[Manifest]:
    """The same rules for one operation alone."""
    return [{**each, "operations": [operation]} for each in rules]


def built_in(*, without: tuple[str, ...] = (), part: str = "") -> list[Manifest]:
    """Rules for the built-in kinds, or for one subresource of each."""
    return of([kind for kind in BUILT_IN_KINDS if kind not in without], part)


def of(kinds: Iterable[str], part: str = "") -> list[Manifest]:
    """Rules for kinds (`resource.group`), or for one subresource of each."""
    groups: dict[str, list[str]] = {}
    for kind in kinds:
        resource, _, group = kind.partition(".")
        groups.setdefault(group, []).append(f"{resource}/{part}" if part else resource)
    return [rule(group, *found) for group, found in groups.items()]
