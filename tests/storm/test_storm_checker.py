"""The checker finds what must never be, in histories made up for it, and nothing in those where all is well."""

import dataclasses

import pytest

from storm.checker import LEAST, check, coverage
from storm.history import History, LedgerSeen, PodSeen, Request
from storm.violations import Violation

ANN, BOB = "user:ann", "user:bob"
LIMITS = {ANN: {"pods": 2}, BOB: {"pods": 2}}


def pod(
    version: int, name: str, owner: str = ANN, *, gone: bool = False, free: bool = False, cpu: int = 0
) -> PodSeen:
    holds = {} if gone or free else {"pods": 1} | ({"requests.cpu": cpu} if cpu else {})
    return PodSeen(version, f"uid-{name}", f"ns/{name}", owner, holds, gone)


def ledger(version: int, pods: int, *reserved: str, owner: str = ANN, cpu: int = 0) -> LedgerSeen:
    total = {"pods": pods} | ({"requests.cpu": cpu} if cpu else {})
    return LedgerSeen(version, owner, total, tuple(f"uid-{name}" for name in reserved), "1 …")


def created(name: str, *, unjudged: str = "", dry_run: bool = False, code: int = 201) -> Request:
    uid = f"uid-{name}" if code < 300 else ""
    return Request("create", f"ns/{name}", code, uid, unjudged=unjudged, dry_run=dry_run)


def history(*events: PodSeen | LedgerSeen, requests: tuple[Request, ...] = (), end: int = 0) -> History:
    """`end`: what Ann's ledger says in the end."""
    return History(
        LIMITS,
        [each for each in events if isinstance(each, PodSeen)],
        [each for each in events if isinstance(each, LedgerSeen)],
        requests,
        [ledger(99, end)],
    )


def found(history: History, *, strict: bool = True) -> list[str]:
    return [str(violation) for violation in check(history, strict=strict)]


GOOD = history(
    ledger(1, 1, "a"),
    pod(2, "a"),
    ledger(3, 2, "a", "b"),
    ledger(4, 2, "b"),
    pod(5, "b"),
    pod(6, "a", free=True),
    ledger(7, 1),
    ledger(8, 2, "c"),
    pod(9, "c"),
    pod(10, "b", gone=True),
    requests=(created("a"), created("b"), created("c"), created("d", code=403)),
    end=1,
)


@pytest.mark.parametrize("strict", [True, False])
def test_a_history_in_which_all_is_well_has_no_violation(strict: bool) -> None:  # noqa: FBT001  a column
    assert found(GOOD, strict=strict) == []


def test_a_pod_too_many_is_found_at_its_version_though_it_is_gone_at_the_next() -> None:
    bad = history(ledger(1, 3), pod(2, "a"), pod(3, "b"), pod(4, "c"), pod(5, "c", gone=True), end=2)
    assert found(bad) == ["limit: user:ann held pods 3 of 2 after ns/c (at version 4)"]


def test_versions_are_judged_in_order_whatever_stream_they_came_by() -> None:
    late = history(pod(2, "a"), pod(4, "b"), ledger(1, 1), ledger(3, 2), end=2)
    assert found(late) == []
    early = history(pod(2, "a"), pod(3, "b"), ledger(1, 1), ledger(4, 2), end=2)
    assert found(early)[0].startswith("cover: user:ann held pods 2 (ledger: 1) after ns/b")


def test_a_ledger_that_falls_below_the_pods_for_one_version_is_found() -> None:
    bad = history(ledger(1, 1), pod(2, "a"), ledger(3, 0), ledger(4, 1), end=1)
    line = "cover: user:ann held pods 1 (ledger: 0) after the ledger was written: 1 … (at version 3)"
    assert found(bad) == [line]


def test_pods_that_a_replica_or_an_api_server_let_pass_in_an_outage_count_as_shipped_for_nothing() -> None:
    events = (ledger(1, 2), pod(2, "a"), pod(3, "b"), pod(4, "c"), pod(5, "d"), ledger(6, 4))
    said = (created("a"), created("b"), created("c", unjudged="no operator"))  # nobody knows of d
    outage = history(*events, requests=said, end=4)
    assert found(outage, strict=False) == []
    assert found(outage) == [
        "limit: user:ann held pods 3 of 2 after ns/c (at version 4)",
        "cover: user:ann held pods 3 (ledger: 2) after ns/c (at version 4)",
        "limit: user:ann held pods 4 of 2 after ns/d (at version 5)",
        "cover: user:ann held pods 4 (ledger: 2) after ns/d (at version 5)",
    ]
    judged = dataclasses.replace(outage, requests=[created(name) for name in "abc"])
    assert found(judged, strict=False)[0] == "limit: user:ann held pods 3 of 2 after ns/c (at version 4)"


def test_a_resize_counts_as_shipped_only_if_it_was_judged() -> None:
    limits = {ANN: {"requests.cpu": 1000}}
    grown = history(
        ledger(1, 1, cpu=9000), pod(2, "a", cpu=500), pod(3, "a", cpu=1500), end=1, requests=(created("a"),)
    )
    grown.limits = limits
    grown.stored = [ledger(9, 1, cpu=1500)]
    assert found(grown, strict=False) == []
    resize = Request("resize", "ns/a", 200, "uid-a", 3)
    judged = dataclasses.replace(grown, requests=[created("a"), resize])
    assert found(judged, strict=False) == [
        "limit: user:ann held requests.cpu 1500 of 1000 after ns/a (at version 3)"
    ]
    passed = dataclasses.replace(resize, unjudged="no answer")
    assert found(dataclasses.replace(grown, requests=[created("a"), passed]), strict=False) == []
    again = dataclasses.replace(grown, requests=[created("a"), passed, resize])
    assert found(again, strict=False) == [], "who asks for what is there already is told the same version"


def test_after_quiet_a_ledger_that_differs_from_the_pods_is_found_either_way() -> None:
    events = (ledger(1, 2), pod(2, "a"))
    assert found(history(*events, end=2)) == [
        "truth: the ledger of user:ann says pods 2, and the pods hold 1 (at version 99)"
    ]
    assert found(history(*events, end=0))[-1].startswith(
        "truth: the ledger of user:ann says pods 0, and the pods"
    )
    nothing = dataclasses.replace(history(*events), stored=[])
    assert found(nothing) == ["truth: user:ann has no ledger and holds {'pods': 1}"]


def test_a_reservation_that_is_still_open_after_quiet_is_found() -> None:
    left = dataclasses.replace(history(ledger(1, 1), pod(2, "a")), stored=[ledger(99, 1, "a")])
    assert found(left) == ["truth: the ledger of user:ann has 1 open reservations: 1 … (at version 99)"]


def test_what_a_dry_run_leaves_is_found() -> None:
    said = (created("dry", dry_run=True),)
    assert found(history(ledger(1, 1, "dry"), ledger(2, 0), requests=said)) == [
        "dry run: the ledger of user:ann has a reservation for the dry run ns/dry (at version 1)"
    ]
    stored = history(ledger(1, 1), pod(2, "dry"), requests=said, end=1)
    assert found(stored) == ["dry run: ns/dry was stored by a dry run (at version 2)"]


def test_a_reservation_in_somebody_elses_ledger_is_found() -> None:
    bad = history(ledger(1, 1), ledger(1, 1, "a", owner=BOB), pod(2, "a"), end=1)
    assert found(bad) == [
        "own: the ledger of user:bob has a reservation for a pod of user:ann (at version 1)"
    ]


def test_a_pod_without_the_stamp_of_anybody_is_found() -> None:
    assert found(history(pod(2, "a", owner="")))[0] == "stamp: ns/a carries the stamp '' (at version 2)"


@pytest.mark.parametrize(
    ("verb", "code", "message", "wrong"),
    [
        ("delete", 403, "AGGREGATE_PODS_QUOTA_EXCEEDED: …", 1),
        (LEAST, 403, "AGGREGATE_CPU_QUOTA_EXCEEDED: …", 1),
        ("resize", 403, "AGGREGATE_CPU_QUOTA_EXCEEDED: …", 0),
        (LEAST, 403, "BUDGET_UNAVAILABLE: …", 0),
        (LEAST, 500, "failed calling webhook", 0),
        ("delete", 404, "not found", 0),
    ],
)
def test_a_deletion_or_a_resize_to_less_that_is_refused_for_quota_is_found(
    verb: str, code: int, message: str, wrong: int
) -> None:
    assert len(found(history(requests=(Request(verb, "ns/a", code, message=message),)))) == wrong


def test_moments_that_went_unseen_are_no_proof() -> None:
    assert found(dataclasses.replace(GOOD, lost=["the watch broke"])) == ["unseen: the watch broke"]


def test_of_many_violations_of_one_kind_the_first_are_named_and_the_others_counted() -> None:
    many = history(ledger(1, 50), *(pod(number, f"p{number}") for number in range(2, 12)), end=10)
    lines = found(many)
    assert len(lines) == 6
    assert lines[-1] == "limit: 3 more"
    assert isinstance(check(many, strict=True)[0], Violation)


def test_what_there_was_to_be_checked_is_counted() -> None:
    events = (ledger(1, 1), pod(2, "a"), pod(3, "lost"))
    said = (created("a", unjudged="no answer"), created("b", code=403), created("c", code=403))
    assert coverage(history(*events, requests=said)) == {
        "create unjudged": 1,
        "create 403": 2,
        "versions of pods": 2,
        "versions of ledgers": 1,
        "pods that no answer in an audit log names": 1,
    }
