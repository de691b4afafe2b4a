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

from labquota.quota.pods import NodeRequirement, Spec

_NUMBER: Final = re.compile(r"[+-]?[0-9]+")
_VALUE: Final = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_NAME: Final = "metadata.name"


class Requirement(msgspec.Struct, frozen=True):
    """One requirement on one label or field."""

    key: str
    operator: str
    values: tuple[str, ...]


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


def of(spec: Spec) -> Placement:
    """Where a pod of this spec may run."""
    if spec.node_name:
        return Placement(node=spec.node_name)
    if not spec.node_selector and spec.affinity is None:
        return ANY
    affinity = spec.affinity and spec.affinity.node_affinity
    required = affinity and affinity.required_during_scheduling_ignored_during_execution
    terms = None
    if required:
        terms = tuple(
            Term(_requirements(each.match_expressions), _requirements(each.match_fields))
            for each in required.node_selector_terms or ()
        )
    return Placement("", tuple(sorted(spec.node_selector.items())), terms)


def matches(placement: Placement, node: str, labels: Mapping[str, str]) -> bool:
    """Whether a pod with this placement may run on a node of this name and these labels."""
    if placement.node:
        return placement.node == node
    if any(labels.get(key) != value for key, value in placement.selector):
        return False
    return placement.terms is None or any(_holds(term, node, labels) for term in placement.terms)


def _holds(term: Term, node: str, labels: Mapping[str, str]) -> bool:
    if not term.labels and not term.fields:
        return False
    if not all(map(_makes_sense, term.labels)) or not all(map(_names_one, term.fields)):
        return False
    return all(_label(each, labels) for each in term.labels) and all(
        (({_NAME: node}.get(each.key, "")) == each.values[0]) == (each.operator == "In")
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
    number, bound = _number(value or ""), _number(requirement.values[0])
    if number is None or bound is None:
        return False
    return number > bound if requirement.operator == "Gt" else number < bound


def _makes_sense(requirement: Requirement) -> bool:
    values = requirement.values
    match requirement.operator:
        case "In" | "NotIn":
            return bool(values) and all(map(_VALUE.fullmatch, values))
        case "Exists" | "DoesNotExist":
            return not values
        case "Gt" | "Lt":
            return len(values) == 1 and _number(values[0]) is not None
    return False


def _names_one(requirement: Requirement) -> bool:
    return requirement.operator in ("In", "NotIn") and len(requirement.values) == 1


def _number(text: str) -> int | None:
    """A whole number of 64 bits, as Go's strconv.ParseInt reads it."""
    if not _NUMBER.fullmatch(text) or not text.isascii() or len(text) > 40:
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def _requirements(written: list[NodeRequirement]) -> tuple[Requirement, ...]:
    return tuple(Requirement(each.key, each.operator, tuple(each.values)) for each in written)
