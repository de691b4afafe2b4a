"""On which nodes a pod may run, as far as that follows from its spec and the nodes' names and labels.

    nodeName   ──► that node; else   nodeSelector   and   any of the required node affinity's terms

The rules are those of the scheduler (`GetRequiredNodeAffinity` and `NodeSelector` of k8s.io/component-helpers): a term
without requirements matches nothing, a term with a requirement that makes no sense matches nothing, terms are ORed and
requirements ANDed. Taints, resources and whatever else keeps a pod from a node are left aside: the worst case of more
nodes is not below the truth.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from labquota.quota.pods import NodeRequirement, NodeSelector, Spec

_NUMBER: Final = re.compile(r"[+-]?[0-9]+")
_VALUE: Final = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_NAME: Final = "metadata.name"
_LONGEST: Final = 4_000


class Requirement(msgspec.Struct, frozen=True):
    """One requirement on one label or field; `bound` is the number of Gt and Lt."""

    key: str
    operator: str
    values: frozenset[str]
    bound: int = 0


class Term(msgspec.Struct, frozen=True):
    """Requirements that must all hold."""

    labels: tuple[Requirement, ...]
    fields: tuple[Requirement, ...]


class Placement(msgspec.Struct, frozen=True):
    """Where a pod may run.

    Attributes:
        node: The one node, by name.
        selector: Labels that must be there.
        terms: Of which one must hold; None where there is no affinity.
    """

    node: str = ""
    selector: tuple[tuple[str, str], ...] = ()
    terms: tuple[Term, ...] | None = None


ANY: Final = Placement()
"""A pod that says nothing about nodes."""

_MOST: Final = 200
"""Requirements that are looked at. Nobody needs as many, and all are compared with all GPU nodes."""


def of(spec: Spec) -> Placement:
    """Where a pod of this spec may run."""
    if spec.node_name:
        return Placement(node=spec.node_name)
    if not spec.node_selector and spec.affinity is None:
        return ANY
    affinity = spec.affinity and spec.affinity.node_affinity
    required = affinity and affinity.required_during_scheduling_ignored_during_execution
    selector = tuple(sorted(spec.node_selector.items())) if len(spec.node_selector) <= _MOST else ()
    return Placement("", selector, _terms(required) if required else None)


def matches(placement: Placement, node: str, labels: Mapping[str, str]) -> bool:
    """Whether a pod with this placement may run on a node of this name and these labels."""
    if placement.node:
        return placement.node == node
    if any(labels.get(key) != value for key, value in placement.selector):
        return False
    return placement.terms is None or any(_holds(term, node, labels) for term in placement.terms)


def is_short(placement: Placement) -> bool:
    """Whether it is worth remembering: what users write is not to fill the memory."""
    written = [part for pair in placement.selector for part in pair]
    for term in placement.terms or ():
        for each in (*term.labels, *term.fields):
            written += (each.key, *each.values)
    return sum(map(len, written)) <= _LONGEST


def _holds(term: Term, node: str, labels: Mapping[str, str]) -> bool:
    return all(_label(each, labels) for each in term.labels) and all(
        ((node if each.key == _NAME else "") in each.values) == (each.operator == "In")
        for each in term.fields
    )


def _label(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    number = _number(value or "")
    if number is None:
        return False
    return number > requirement.bound if requirement.operator == "Gt" else number < requirement.bound


def _terms(required: NodeSelector) -> tuple[Term, ...] | None:
    """The terms that can match anything; None, which lets a pod run anywhere, for more than anybody needs."""
    written = required.node_selector_terms or ()
    if sum(len(each.match_expressions) + len(each.match_fields) + 1 for each in written) > _MOST:
        return None
    return tuple(
        Term(tuple(map(_requirement, each.match_expressions)), tuple(map(_requirement, each.match_fields)))
        for each in written
        if (each.match_expressions or each.match_fields)
        and all(map(_makes_sense, each.match_expressions))
        and all(map(_names_one, each.match_fields))
    )


def _requirement(written: NodeRequirement) -> Requirement:
    bound = _number(written.values[0]) if written.operator in ("Gt", "Lt") else 0
    return Requirement(written.key, written.operator, frozenset(written.values), bound or 0)


def _makes_sense(requirement: NodeRequirement) -> bool:
    values = requirement.values
    match requirement.operator:
        case "In" | "NotIn":
            return bool(values) and all(map(_VALUE.fullmatch, values))
        case "Exists" | "DoesNotExist":
            return not values
        case "Gt" | "Lt":
            return len(values) == 1 and _number(values[0]) is not None
    return False


def _names_one(requirement: NodeRequirement) -> bool:
    return requirement.operator in ("In", "NotIn") and len(requirement.values) == 1


def _number(text: str) -> int | None:
    """A whole number of 64 bits, as Go's strconv.ParseInt reads it."""
    if not _NUMBER.fullmatch(text) or not text.isascii() or len(text) > 40:
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None
