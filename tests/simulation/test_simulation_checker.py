"""The checker itself: what it must find, made by hand."""

from typing import Any

import pytest

from labquota.kube import ledgers
from labquota.quota import encoding
from labquota.quota.ledger import Ledger
from labquota.settings import Settings
from simulation import kubernetes
from simulation.checker import Checker
from simulation.cluster import Cluster
from simulation.deeds import NO_ANSWER, Answer, Deed
from simulation.paths import Key

ALICE = "user:alice"
GPU = "nvidia.com/gpu"
YES = Answer(allowed=True, checked=True, codes=frozenset(), keys=frozenset(), text="allowed")
NO = Answer(allowed=False, checked=True, codes=frozenset({"X"}), keys=frozenset({"gpu"}), text="refused")


class Bench:
    """A cluster without processes, and its checker."""

    def __init__(self, gpu: int = 3) -> None:
        self.cluster = Cluster(1, Settings())
        self.checker = Checker(self.cluster)
        self.cluster.begin({"gpu": str(gpu)})
        self._now = 0.0

    def ledger(self, by: str = "operator-0", **folded: int) -> None:
        item = {"metadata": {}, "owner": ALICE, "ledger": encoding.encode(Ledger(folded=folded))}
        self.cluster.store.put(Key(ledgers.PATH, "", "alice"), item, by)

    def pod(self, name: str, gpu: int = 1, answer: Answer = YES, **how: Any) -> Deed:
        deed = self.ask(name, gpu, answer, **how)
        self.checker.storing = deed
        body = kubernetes.pod(name, ALICE, {GPU: str(gpu)}, deed.uid)
        self.cluster.store.put(deed.key, body, "apiserver-0")
        return deed

    def ask(self, name: str, gpu: int = 1, answer: Answer = YES, **how: Any) -> Deed:
        deed = Deed("create", Key(kubernetes.PODS, "lab", name), ALICE, {}, uid=f"uid-{name}", **how)
        deed.asked(self._now, kubernetes.pod(name, ALICE, {GPU: str(gpu)}, deed.uid), None)
        self.checker.asked(deed)
        deed.answered(self._now + 1, answer)
        self._now += 2
        self.checker.answered(deed)
        return deed


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_pods_within_the_limit_and_in_the_ledger_are_fine(bench: Bench) -> None:
    bench.ledger(gpu=3, pods=3)
    for name in "abc":
        bench.pod(name)
    assert bench.checker.found == ""
    assert bench.checker.truth(ALICE) == {"gpu": 3, "pods": 3}


def test_more_pods_let_through_than_the_limit_are_found(bench: Bench) -> None:
    bench.ledger(gpu=9, pods=9)
    for name in "abcd":
        bench.pod(name)
    assert bench.checker.found == "I1: user:alice holds 4 gpu of pods that were let through; the limit was 3"


def test_pods_that_passed_while_nobody_answered_are_no_breach(bench: Bench) -> None:
    for name in "abcd":
        bench.pod(name, answer=NO_ANSWER)
    assert bench.checker.found == ""


def test_a_lower_limit_counts_for_whoever_is_let_through_after_it(bench: Bench) -> None:
    bench.ledger(gpu=9, pods=9)
    bench.pod("a", 3)
    bench.cluster.limit({"gpu": "1"})
    assert bench.checker.found == ""
    bench.pod("b", seen_limits=bench.cluster.store.version)
    assert bench.checker.found == "I1: user:alice holds 4 gpu of pods that were let through; the limit was 1"


def test_a_ledger_that_a_write_takes_below_the_truth_is_found(bench: Bench) -> None:
    bench.ledger(gpu=1, pods=1)
    bench.pod("a")
    bench.ledger(gpu=0, pods=1)
    assert bench.checker.found == (
        "I6: the ledger of user:alice holds 0 gpu after a write of ownerledgers alice by operator-0, its pods 1"
    )


def test_a_pod_that_no_ledger_covers_is_found(bench: Bench) -> None:
    bench.pod("a")
    assert bench.checker.found == (
        "I6: the ledger of user:alice holds 0 gpu after a write of pods lab/a by apiserver-0, its pods 1"
    )


def test_a_refusal_although_there_is_room_is_found_when_nothing_is_wrong(bench: Bench) -> None:
    bench.ledger(gpu=2, pods=1)
    bench.pod("a", 2)
    bench.checker.calm_since = 0.0
    bench.ask("b", answer=NO)
    assert bench.checker.found == (
        "I5: user:alice is refused 1 gpu for b, though at most 2 of 3 can be in use"
    )


def test_a_refusal_of_what_asks_no_more_is_found(bench: Bench) -> None:
    bench.ask("a", 0, answer=NO)
    assert bench.checker.found == "I8: user:alice is refused for gpu, of which a asks no more"


def test_a_replicas_write_for_somebody_who_has_asked_only_for_dry_runs_is_found(bench: Bench) -> None:
    deed = bench.ask("a", dry_run=True)
    bench.checker.sent(deed, "webhook-0")
    bench.ledger(by="webhook-0", gpu=1)
    assert bench.checker.found == (
        "I7: webhook-0 wrote the ledger of user:alice, who has asked it for nothing but dry runs"
    )
