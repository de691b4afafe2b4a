"""How many pods alike fit: the same as judging them one by one."""

import random
from typing import Any

import msgspec
import pytest

from labquota.quota import admission, fitting
from labquota.quota.amounts import add
from labquota.quota.cases import Case
from labquota.quota.fitting import Fit
from labquota.quota.ledger import EMPTY, Book, Ledger
from unit.builders import case, create, group, override, pod, request, world

STUDENT = group(aggregate={"gpu": 3, "cpu": 8, "pods": 5}, perPod={"gpu": 2})


def one_by_one(of: Case, ledger: Ledger, count: int) -> Fit:
    verdict, admitted = admission.ALLOWED, 0
    while admitted < count:
        book = Book(ledger)
        verdict = admission.decide(of, book)
        if not verdict.allowed:
            break
        admitted += 1
        if verdict.reservation is not None:
            folded = add(ledger.folded, book.growth(verdict.reservation))
            ledger = msgspec.structs.replace(ledger, folded=folded)
    return Fit(admitted, verdict, ledger)


@pytest.mark.parametrize("enforcement", ["Enforce", "Warn", "Off"])
def test_it_says_what_judging_each_after_the_other_says(enforcement: str) -> None:
    rng = random.Random(enforcement)
    for _ in range(300):
        limits = {"gpu": rng.randrange(6), "cpu": rng.randrange(20), "pods": rng.randrange(8)}
        rules = group(aggregate=limits, perPod={"gpu": 2}, enforcement=enforcement)
        asks: dict[str, Any] = {"gpu": rng.randrange(4), "cpu": f"{rng.randrange(4000)}m"}
        held = [
            create(rng.choice(["pod", "other"]), gpu=rng.randrange(2), pods=1)
            for _ in range(rng.randrange(3))
        ]
        folded = {"gpu": rng.randrange(5), "pods": rng.randrange(5), "requests.cpu": rng.randrange(9000)}
        ledger = Ledger(folded=folded, reservations=tuple(held))
        asked = case(world(rules), request(pod(**asks)))
        count = rng.randrange(9)
        assert fitting.fit(asked, ledger, count) == one_by_one(asked, ledger, count), (rules, asks, ledger)


def test_two_thousand_million_replicas_are_reckoned_at_once() -> None:
    asked = case(world(STUDENT), request(pod(gpu=1)))
    found = fitting.fit(asked, EMPTY, 2**31 - 1)
    assert (found.admitted, [cause.key for cause in found.verdict.causes]) == (3, ["gpu"])  # type: ignore[union-attr]
    assert found.ledger.folded["gpu"] == 3
    unlimited = case(
        world(STUDENT, override(aggregate=dict.fromkeys(("gpu", "cpu", "pods"), "unlimited"))),
        request(pod(gpu=1)),
    )
    assert fitting.fit(unlimited, EMPTY, 2**31 - 1).admitted == 2**31 - 1


def test_what_is_over_a_cap_already_has_no_room() -> None:
    assert fitting.room({"gpu": 3}, {"gpu": 5}, {"gpu": 1}) == 0
    assert fitting.room({"gpu": 3}, {"gpu": 1}, {"gpu": 1, "pods": 1}) == 2
