"""Where a pod may run: the scheduler's rules for nodeName, nodeSelector and required node affinity."""

from typing import Any

import pytest

from labquota.quota import placing, pods
from labquota.quota.placing import ANY

LABELS = {"gpu": "a100", "zone": "b", "size": "40", "empty": ""}


def spec(**fields: Any) -> pods.Spec:
    return pods.convert({"spec": fields}).spec


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    return {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    }


def one(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def may(spec: pods.Spec, node: str = "n1") -> bool:
    return placing.matches(placing.of(spec), node, LABELS)


def test_a_pod_that_says_nothing_may_run_anywhere() -> None:
    assert placing.of(spec()) is ANY
    assert placing.of(spec(nodeSelector={}, affinity={"podAffinity": {}})) == ANY
    assert may(spec())


def test_a_bound_pod_is_on_its_node_whatever_it_selects() -> None:
    bound = spec(nodeName="n1", nodeSelector={"gpu": "h100"})
    assert may(bound)
    assert not may(bound, "n2")


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({"gpu": "a100"}, True),
        ({"gpu": "a100", "zone": "a"}, False),
        ({"rack": ""}, False),
        ({"empty": ""}, True),
    ],
)
def test_a_node_selector_asks_for_all_of_its_labels(selector: dict[str, str], matches: bool) -> None:  # noqa: FBT001  a column of the table
    assert may(spec(nodeSelector=selector)) is matches


@pytest.mark.parametrize(
    ("term", "matches"),
    [
        (one("gpu", "In", "h100", "a100"), True),
        (one("gpu", "In", "h100"), False),
        (one("rack", "In", "r1"), False),
        (one("gpu", "NotIn", "h100"), True),
        (one("gpu", "NotIn", "h100", "a100"), False),
        (one("rack", "NotIn", "r1"), True),
        (one("gpu", "Exists"), True),
        (one("rack", "Exists"), False),
        (one("gpu", "DoesNotExist"), False),
        (one("rack", "DoesNotExist"), True),
        (one("size", "Gt", "39"), True),
        (one("size", "Gt", "40"), False),
        (one("size", "Lt", "41"), True),
        (one("size", "Lt", "40"), False),
        (one("gpu", "Gt", "1"), False),
        (one("rack", "Lt", "1"), False),
        (one("size", "Gt", "-1"), True),
        (one("size", "Gt", "1.5"), False),
        (one("size", "Lt", "99999999999999999999"), False),
        (one("size", "Gt", "1", "2"), False),
        (one("gpu", "In"), False),
        (one("gpu", "NotIn"), False),
        (one("gpu", "Exists", "a100"), False),
        (one("gpu", "DoesNotExist", "x"), False),
        (one("rack", "NotIn", "no such value!"), False),
        (one("gpu", "Equals", "a100"), False),
        ({}, False),
        ({"matchExpressions": []}, False),
    ],
)
def test_a_requirement_holds_as_the_scheduler_has_it(term: dict[str, Any], matches: bool) -> None:  # noqa: FBT001  a column of the table
    assert may(spec(affinity=affinity(term))) is matches


@pytest.mark.parametrize(
    ("operator", "values", "matches"),
    [
        ("In", ["n1"], True),
        ("In", ["n2"], False),
        ("NotIn", ["n1"], False),
        ("NotIn", ["n2"], True),
        ("In", ["n1", "n2"], False),
        ("Exists", [], False),
    ],
)
def test_the_one_field_is_a_nodes_name_as_daemon_sets_have_it(
    operator: str,
    values: list[str],
    matches: bool,  # noqa: FBT001  a column of the table
) -> None:
    term = {"matchFields": [{"key": "metadata.name", "operator": operator, "values": values}]}
    assert may(spec(affinity=affinity(term))) is matches


def test_terms_are_ored_requirements_and_selectors_anded() -> None:
    wrong, right = one("gpu", "In", "h100"), one("gpu", "In", "a100")
    assert may(spec(affinity=affinity(wrong, right)))
    assert not may(spec(affinity=affinity(wrong, wrong)))
    both = {"matchExpressions": [*right["matchExpressions"], *one("zone", "In", "a")["matchExpressions"]]}
    assert not may(spec(affinity=affinity(both)))
    assert not may(spec(affinity=affinity(right), nodeSelector={"zone": "a"}))
    named = {**right, "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]}
    assert not may(spec(affinity=affinity(named)))
    assert may(spec(affinity=affinity(named)), "n2")


def test_an_affinity_without_terms_lets_a_pod_run_nowhere() -> None:
    assert not may(spec(affinity=affinity()))
    assert not may(spec(affinity=affinity({}, {"matchFields": []})))


def test_what_a_pod_would_like_is_of_no_account() -> None:
    likes = [{"weight": 1, "preference": one("gpu", "In", "h100")}]
    liking = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": likes}}
    assert may(spec(affinity=liking))


def test_placements_that_say_the_same_are_the_same() -> None:
    first = placing.of(spec(nodeSelector={"a": "1", "b": "2"}, affinity=affinity(one("gpu", "Exists"))))
    again = placing.of(spec(nodeSelector={"b": "2", "a": "1"}, affinity=affinity(one("gpu", "Exists"))))
    assert first == again
    assert hash(first) == hash(again)
