import asyncio

import pytest

from labquota.controllers.folding import FOLDING_SECONDS
from labquota.kube import errors
from labquota.kube.errors import Lost
from labquota.quota.ledger import Book, Ledger
from labquota.quota.owners import Owner
from unit.builders import ALICE, BOB, create, group, manifest, resize, world
from unit.operators import Operator, charge, operating, pod_path, soon
from unit.replicas import held, put, where
from unit.simulated import Cluster, Fault, run

OF = world(group(aggregate={"gpu": 3}))


def test_a_reservation_becomes_part_of_the_sums_when_its_pod_is_seen() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        put(cluster, Ledger(reservations=(create("a", gpu=1, pods=1), create("b", gpu=1, pods=1))))
        cluster.store(pod_path("a"), manifest("a", gpu=1))
        await soon(lambda: len(held(cluster).reservations) == 1)
        after = held(cluster)
        assert after.folded == {"gpu": 1, "pods": 1}
        assert (after.epoch, [each.name for each in after.reservations]) == (1, ["b"])
        assert int(after.view) >= 102
        assert Book(after).total["gpu"] == 2

    run(operating(Cluster(), OF, scenario))


def test_a_finished_pod_is_free_within_a_second() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        cluster.store(pod_path("a"), manifest("a", gpu=3))
        await soon(lambda: held(cluster).folded.get("gpu") == 3)
        began = asyncio.get_running_loop().time()
        cluster.store(pod_path("a"), manifest("a", gpu=3, phase="Succeeded"))
        await soon(lambda: not held(cluster).folded)
        assert asyncio.get_running_loop().time() - began < 0.2 < FOLDING_SECONDS

    run(operating(Cluster(), OF, scenario))


def test_pods_older_than_the_installation_are_adopted() -> None:
    cluster = Cluster()
    cluster.store(pod_path("a"), manifest("a", gpu=3))

    async def scenario(operator: Operator) -> None:
        await operator.folder.fold_all({*operator.view.owners(), *operator.store.copies})
        assert held(cluster).folded["gpu"] == 3

    run(operating(cluster, OF, scenario))


def test_after_a_conflict_the_ledger_is_read_again_and_no_reservation_is_lost() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        put(cluster, Ledger(folded={"gpu": 1}))
        await soon(lambda: operator.store.copy(ALICE) is not None)
        cluster.plan("replace", Fault(wait=0.5))
        operator.folder.touch(ALICE, freed=True)
        await asyncio.sleep(0.2)
        put(cluster, Ledger(folded={"gpu": 1}, reservations=(create("new", gpu=2),)))
        await soon(lambda: held(cluster).epoch == 1)
        assert [each.name for each in held(cluster).reservations] == ["new"]
        assert held(cluster).folded == {}
        assert cluster.count("replace", "ownerledgers") == 2

    run(operating(Cluster(), OF, scenario))


def test_a_pod_that_passed_the_webhook_is_named_even_if_its_fold_met_a_conflict() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        put(cluster, Ledger(epoch=1))
        await soon(lambda: operator.store.copy(ALICE) is not None)
        cluster.plan("replace", Fault(errors.Conflict(409, "Conflict", "modified")))
        cluster.store(pod_path("a"), manifest("a", gpu=1))
        await soon(lambda: held(cluster).folded.get("gpu") == 1)
        await asyncio.sleep(2)
        assert [bypassed for _, bypassed in operator.seen if bypassed] == [{"uid-a"}]

    run(operating(Cluster(), OF, scenario))


def test_a_pod_whose_reservation_the_fold_found_only_after_a_conflict_is_no_bypass() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        put(cluster, Ledger(folded={"gpu": 9}))
        await soon(lambda: operator.store.copy(ALICE) is not None)
        cluster.plan("replace", Fault(errors.Conflict(409, "Conflict", "modified")))
        put(cluster, Ledger(folded={"gpu": 9}, reservations=(create("a", gpu=1),)))
        cluster.store(pod_path("a"), manifest("a", gpu=1))
        await soon(lambda: held(cluster).folded.get("gpu") == 1)
        await asyncio.sleep(2)
        assert not any(bypassed for _, bypassed in operator.seen)
        cluster.store(pod_path("b"), manifest("b", gpu=1))
        await soon(lambda: held(cluster).folded.get("gpu") == 2)
        assert [bypassed for _, bypassed in operator.seen if bypassed] == [{"uid-b"}]

    run(operating(Cluster(), OF, scenario))


def test_what_a_standby_saw_before_it_took_over_is_no_bypass() -> None:
    cluster = Cluster()

    async def scenario() -> None:
        standby = Operator(cluster, OF)
        await standby.start()
        for task in standby.tasks[2:]:
            task.cancel()
        await asyncio.sleep(0.1)
        cluster.store(pod_path("a"), manifest("a", gpu=1))
        await soon(lambda: "uid-a" in standby.view.by_uid)
        put(cluster, Ledger(folded={"gpu": 1}, epoch=1))
        standby.lead(2)
        await soon(lambda: held(cluster).epoch == 2)
        assert not any(bypassed for _, bypassed in standby.seen)
        await standby.stop()

    run(scenario())


def test_it_never_folds_from_an_older_view() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        cluster.store(pod_path("a"), manifest("a", gpu=1))
        await soon(lambda: held(cluster).folded.get("gpu") == 1)
        operator.tasks[1].cancel()  # from here on the view of pods is frozen
        await asyncio.sleep(0.1)
        cluster.store(pod_path("b"), manifest("b", gpu=2))
        truth = Ledger(folded={"gpu": 3}, view=str(cluster.version), epoch=1)
        put(cluster, truth)
        operator.folder.touch(ALICE, freed=True)
        await asyncio.sleep(5)
        assert operator.view.sums(ALICE)["gpu"] == 1
        assert held(cluster) == truth

    run(operating(Cluster(), OF, scenario))


def test_a_ledger_from_a_history_that_a_restore_of_etcd_ended_is_folded_from_what_there_is() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        put(cluster, Ledger(folded={"gpu": 9}, view="999999"))
        await soon(lambda: held(cluster).folded == {})
        assert int(held(cluster).view) < 999999

    run(operating(Cluster(), OF, scenario))


def test_a_deposed_operator_learns_of_it_from_a_ledger_and_writes_nothing() -> None:
    cluster = Cluster()
    later = Ledger(folded={"gpu": 5}, epoch=7)
    put(cluster, later)

    async def scenario() -> None:
        operator = Operator(cluster, OF)
        await operator.start(3)
        await asyncio.sleep(3)
        with pytest.raises(AssertionError, match=r"the ledger of user:alice bears epoch 7, ours is 3"):
            await operator.stop()
        with pytest.raises(ExceptionGroup) as caught:
            await operator.tasks[2]
        assert caught.group_contains(Lost)
        assert held(cluster) == later

    run(scenario())


def test_every_ledger_is_written_once_in_a_new_epoch_and_not_again() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        await operator.folder.fold_all({*operator.view.owners(), *operator.store.copies})
        assert [held(cluster, owner).epoch for owner in (ALICE, BOB)] == [4, 4]
        before = cluster.version
        await operator.folder.fold_all({ALICE, BOB})
        assert cluster.version == before

    cluster = Cluster()
    put(cluster, Ledger(epoch=3))
    put(cluster, Ledger(epoch=3), BOB)
    run(operating(cluster, OF, scenario, epoch=4))


def test_the_whole_cluster_is_folded_even_while_somebody_always_has_news() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster

        async def storm() -> None:
            for number in range(100_000):
                put(cluster, Ledger(folded={"pods": number % 7 + 1}, epoch=1), BOB)
                await asyncio.sleep(0.01)

        busy = asyncio.create_task(storm())
        async with asyncio.timeout(60):
            await operator.folder.fold_all({ALICE, BOB, Owner("user:eve")})
        busy.cancel()

    run(operating(Cluster(), OF, scenario))


def test_one_ledger_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    async def scenario(operator: Operator) -> None:
        async with asyncio.timeout(60):
            await operator.folder.fold_all({ALICE, BOB})
        assert held(operator.cluster, BOB).folded["gpu"] == 1
        await asyncio.sleep(60)
        assert not operator.folder.is_stuck(), (
            "in a quiet hour either: the heartbeat goes on for all the others"
        )

    cluster = Cluster()
    cluster.store(where(), {"metadata": {"name": "x"}, "owner": ALICE, "ledger": "7 new"})
    cluster.store(pod_path("b"), manifest("b", owner=BOB, gpu=1))
    run(operating(cluster, OF, scenario))


def test_an_api_server_that_is_away_ends_nothing_and_the_fold_comes_later() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        cluster.plan("create", *(Fault(errors.Unreachable("away")) for _ in range(5)))
        cluster.store(pod_path("a"), manifest("a", gpu=1))
        await soon(lambda: held(cluster).folded.get("gpu") == 1, 20)

    run(operating(Cluster(), OF, scenario))


def test_what_was_given_up_in_an_earlier_epoch_is_forgotten() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        operator = Operator(cluster, OF)
        again = resize(7, {"cpu": 1}, {"cpu": 2}, "uid-a")
        operator.folder.given_up.add(("uid-a", "7", "review-1"))
        put(cluster, Ledger(reservations=(again,)))
        await operator.start(5)
        await soon(lambda: held(cluster).epoch == 5)
        assert held(cluster).reservations == (again,)
        await operator.stop()

    run(scenario())


def test_folding_is_stuck_only_when_something_waits_for_long() -> None:
    async def scenario() -> None:
        operator = Operator(Cluster(), OF)
        await asyncio.sleep(60)
        assert not operator.folder.is_stuck()
        operator.folder.touch(ALICE)
        await asyncio.sleep(9.9)
        assert not operator.folder.is_stuck()
        operator.folder.touch(ALICE)
        await asyncio.sleep(0.2)
        assert operator.folder.is_stuck()

    run(scenario())


def test_a_charge_is_what_the_view_made_of_the_pod() -> None:
    operator = Operator(Cluster(), OF)
    assert charge(operator.view, "a", cpu=1).amounts == {
        "limits.cpu": 1000,
        "requests.cpu": 1000,
        "pods": 1,
    }
    priced = {"gpu-compute": 56, "gpu-slots": 56, "gpu-memory": 278 * 2**30}
    assert charge(operator.view, "b", gpu=1).amounts == {"gpu": 1, "nvidia.com/gpu": 1, "pods": 1, **priced}


def test_a_ledger_that_somebody_removed_is_made_anew_from_the_present_only() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        cluster.store(pod_path("a"), manifest("a", gpu=1))
        await soon(lambda: held(cluster).folded.get("gpu") == 1)
        operator.tasks[1].cancel()  # the view of pods stands still
        await asyncio.sleep(0.1)
        cluster.store(pod_path("b"), manifest("b", gpu=1))
        cluster.drop(where())
        operator.folder.touch(ALICE)
        await asyncio.sleep(20)
        assert where() not in cluster.objects

    run(operating(Cluster(), OF, scenario))
