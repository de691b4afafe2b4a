"""What the audit takes for somebody else's write, how it reads pods, and whose turn it is when."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labquota.controllers import recounting, turns
from labquota.controllers.accounts import Accounts
from labquota.controllers.pods import Pods
from labquota.controllers.recounting import Recounts
from labquota.controllers.witness import WitnessedLedgers
from labquota.kube import errors
from labquota.kube.informer import Informer
from labquota.kube.ledgers import Stored, blank
from labquota.quota.amounts import Amounts
from labquota.quota.ledger import Ledger
from labquota.quota.owners import Owner
from unit.audited import Faulty
from unit.builders import ALICE, create, group, manifest, world
from unit.operators import PODS, Operator, charge, pod_path
from unit.replicas import held, put, where
from unit.simulated import Clock, Cluster, Fault, run

LAB = "/api/v1/namespaces/lab/pods"


async def folded(store: WitnessedLedgers, amounts: Amounts, epoch: int = 1) -> Stored:
    """One fold of this process."""
    stored = await store.read(ALICE) or blank(ALICE)
    return await store.swap(stored, Ledger(folded=amounts, epoch=epoch))


async def sees(store: WitnessedLedgers, amounts: Amounts, **more: Any) -> Amounts | None:
    """What is foreign once somebody has written these and the copy has followed."""
    assert isinstance(store._api, Cluster)  # noqa: SLF001  the simulated one
    put(store._api, Ledger(folded=amounts, **{"epoch": 1, **more}))  # noqa: SLF001  as above
    await store.read(ALICE)
    return store.foreign(ALICE, 1)


def test_what_a_replica_writes_beside_our_folded_is_not_foreign_and_another_folded_is() -> None:
    async def scenario() -> None:
        store = WitnessedLedgers(Cluster())
        assert store.foreign(ALICE, 1) is None
        await folded(store, {"gpu": 1})
        assert await sees(store, {"gpu": 1}, reservations=(create("a"),)) is None
        assert await sees(store, {"gpu": 2}) == {"gpu": 2}
        assert await sees(store, {}) == {}
        assert await sees(store, {"gpu": 2}, epoch=0) == {"gpu": 2}, "no epoch before ours can come after us"
        assert await sees(store, {"gpu": 2}, epoch=2) is None, "somebody else leads"
        await folded(store, {"gpu": 1})
        assert store.foreign(ALICE, 1) is None

    run(scenario())


def test_a_write_of_ours_that_was_stored_without_an_answer_is_not_foreign() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        store = WitnessedLedgers(cluster)
        await folded(store, {"gpu": 1})
        cluster.plan("replace", Fault(errors.Unreachable("no answer"), "after"))
        with pytest.raises(errors.Unreachable):
            await folded(store, {"gpu": 2})
        assert held(cluster).folded == {"gpu": 2}
        assert await sees(store, {"gpu": 2}) is None
        assert await sees(store, {"gpu": 1}) is None
        await folded(store, {"gpu": 3})
        assert await sees(store, {"gpu": 2}) == {"gpu": 2}, "it is answered for, and over"

    run(scenario())


def test_a_copy_that_is_older_than_our_write_is_not_judged() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        store = WitnessedLedgers(cluster)
        old = await folded(store, {"gpu": 1})
        await folded(store, {"gpu": 2})
        store.replaced([old], old.version)  # a list of a moment ago
        assert store.foreign(ALICE, 1) is None

    run(scenario())


def test_a_ledger_that_a_restore_of_etcd_has_brought_back_is_not_foreign() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        store = WitnessedLedgers(cluster)
        await store.swap(blank(ALICE), Ledger(folded={"gpu": 1}, view="200", epoch=1))
        assert await sees(store, {"gpu": 2}, view="199") is None
        assert await sees(store, {"gpu": 2}, view="200") == {"gpu": 2}

    run(scenario())


def test_after_many_writes_without_an_answer_nobody_is_judged_until_the_next_answer() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        store = WitnessedLedgers(cluster)
        await folded(store, {"gpu": 1})
        for number in range(50):
            cluster.plan("replace", Fault(errors.Unreachable("no answer")))
            with pytest.raises(errors.Unreachable):
                await folded(store, {"gpu": number})
        assert await sees(store, {"gpu": 99}) is None
        await folded(store, {"gpu": 1})
        assert await sees(store, {"gpu": 99}) == {"gpu": 99}

    run(scenario())


def test_a_ledger_is_judged_when_this_epoch_has_folded_it_and_the_view_is_not_behind_it() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 1}, view="200", epoch=1))
        operator = Operator(cluster, world(group(aggregate={"gpu": 3})))
        store = WitnessedLedgers(cluster)
        operator.folder.epoch = 2
        accounts = Accounts(operator.view, store, operator.folder)
        operator.view.progressed("300")
        assert await accounts.unlike(ALICE) is None, "this epoch has still to fold it"
        stored = await store.read(ALICE)
        assert stored is not None
        await store.swap(stored, Ledger(folded={"gpu": 1}, view="300", epoch=2))
        operator.view.progressed("299")
        assert await accounts.unlike(ALICE) is None, "the view has still to show what was folded"
        operator.view.progressed("300")
        unlike = await accounts.unlike(ALICE)
        assert unlike is not None
        assert unlike[1].what == "the ledger held gpu 1 instead of 0"
        cluster.drop(where(ALICE))
        operator.view.changed("ADDED", charge(operator.view, gpu=2), "301")
        unlike = await accounts.unlike(ALICE)
        assert unlike is not None
        assert unlike[1].what == "the ledger held gpu 0 instead of 2, pods 0 instead of 1", "it is gone"

    run(scenario())


class Desk:
    """A view that the test fills, and what compares it."""

    def __init__(self, cluster: Cluster) -> None:
        clock = Clock()
        self.view = Pods(world(), lambda _owner, _freed: None)
        self.informer: Informer[Any] = Informer(
            cluster, PODS, self.view.decode, self.view, clock=clock, rng=random.Random(1)
        )
        self.recounts = Recounts(cluster, self.view, self.informer, clock)

    def sees(self, version: int, *names: str, **asks: Any) -> None:
        """Take these pods as the view's."""
        self.view.replaced(
            [charge(self.view, name, version=str(version), **asks) for name in names], str(version)
        )

    async def kinds(self, namespace: str = "lab") -> list[tuple[str, str]]:
        """What is found."""
        found = await self.recounts.compare([namespace])
        return sorted((each.kind, each.what.split()[1]) for each in found)


def test_a_namespace_is_read_in_pages_a_second_apart_and_one_list_is_one_snapshot() -> None:
    cluster = Faulty()
    for number in range(1200):
        cluster.store(pod_path(f"p{number:04}"), manifest(f"p{number:04}"))

    async def scenario() -> None:
        desk = Desk(cluster)
        desk.sees(cluster.version, *(f"p{number:04}" for number in range(1, 1200)), "ghost")
        began = asyncio.get_running_loop().time()
        assert await desk.kinds() == [("gone", "lab/ghost"), ("missed", "lab/p0000")]
        assert cluster.count("get", LAB) == 3
        assert asyncio.get_running_loop().time() - began >= 2
        cluster.between = lambda: cluster.store(pod_path("p0500a"), manifest("p0500a"))
        assert await desk.kinds() == [("gone", "lab/ghost"), ("missed", "lab/p0000")]

    run(scenario())


def test_what_the_view_has_seen_after_the_list_counts_as_right() -> None:
    cluster = Cluster()
    cluster.store(pod_path("a"), manifest("a", gpu=2))

    async def scenario() -> None:
        desk = Desk(cluster)
        desk.sees(200, "later", "a", gpu=1)
        assert await desk.kinds() == [], "both are newer than the list"
        desk.sees(200)
        assert desk.view.has_ended("uid-a")
        assert await desk.kinds() == [], "it ended after the list"

    run(scenario())


def test_a_view_that_does_not_reach_the_list_is_not_compared_with_it() -> None:
    cluster = Cluster()
    cluster.store(pod_path("a"), manifest("a"))

    async def scenario() -> None:
        desk = Desk(cluster)
        desk.sees(100)
        with pytest.raises(errors.KubeError, match="the view of pods has not reached 101 in 10 s"):
            await desk.kinds()

    run(scenario())


def test_a_pod_that_cannot_be_decoded_is_not_called_gone() -> None:
    cluster = Cluster()
    broken = manifest("a", gpu=1)
    broken["spec"]["containers"][0]["resources"]["requests"] = "none"
    cluster.store(pod_path("a"), broken)

    async def scenario() -> None:
        desk = Desk(cluster)
        desk.sees(100, "a", gpu=1)
        desk.view.progressed("101")
        assert await desk.kinds() == []

    run(scenario())


def test_other_namespaces_are_left_alone_and_all_of_them_are_known() -> None:
    cluster = Cluster()
    for name in ("lab", "empty"):
        cluster.store(f"/api/v1/namespaces/{name}", {"metadata": {"name": name}})
    cluster.store(pod_path("a"), manifest("a"))

    async def scenario() -> None:
        desk = Desk(cluster)
        desk.sees(cluster.version, "x", "y", namespace="old")
        assert await desk.kinds() == [("missed", "lab/a")]
        assert await desk.recounts.namespaces() == {"lab": 0, "empty": 0, "old": 2}

    run(scenario())


@given(
    st.dictionaries(st.integers(0, 300), st.integers(0, 1500), max_size=150),
    st.integers(0, 400),
)
def test_everybody_and_every_namespace_has_one_turn_and_no_turn_is_more_than_a_page(
    sizes: dict[int, int], count: int
) -> None:
    namespaces = {f"n{number}": size for number, size in sizes.items()}
    everybody = [Owner(f"user:{number}") for number in range(count)]
    plan = turns.of(everybody, namespaces)
    assert sorted(owner for owners, _ in plan for owner in owners) == sorted(everybody)
    assert sorted(each for _, those in plan for each in those) == sorted(namespaces)
    for owners, those in plan:
        assert len(owners) <= 50
        assert len(those) <= 20
        assert len(those) < 2 or sum(map(namespaces.__getitem__, those)) <= recounting.PAGE


def test_2000_owners_with_100_000_pods_have_their_turns_well_within_an_hour() -> None:
    namespaces = {f"n{number}": 1000 for number in range(100)}
    plan = turns.of([Owner(f"user:{number}") for number in range(2000)], namespaces)
    assert len(plan) == 100
    assert {len(owners) for owners, _ in plan} == {20}
