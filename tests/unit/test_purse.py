"""A replica that lets pods through from an advance, and what the ledger says meanwhile."""

import asyncio
from typing import Any

import pytest

from labquota.kube import errors, ledgers
from labquota.quota import advances, encoding, ledger
from labquota.quota.ledger import Book
from labquota.webhook import worker
from unit.builders import ALICE, group, manifest, world
from unit.operators import Operator, operating, pod_path, soon
from unit.replicas import Replica, all_of, held, replica, where
from unit.simulated import Cluster, Fault, run

LIMIT = 100
OF = group(aggregate={"gpu": LIMIT})
CUT_OFF = errors.Unreachable("no answer from the API server: cut off")


def swaps(cluster: Cluster) -> int:
    return cluster.count("replace", "ownerledgers") + cluster.count("create", "ownerledgers")


async def bursting(cluster: Cluster, of: Any = OF, **more: Any) -> Replica:
    """A replica that has just written two of Alice's pods down, and so has an advance of four."""
    one = replica(cluster, of, **more)
    for verdict in await all_of(one.judge("first", gpu=1), one.judge("second", gpu=1)):
        assert verdict.allowed
    assert [each.amounts["gpu"] for each in held(cluster).advances] == [advances.FEWEST]
    return one


def test_a_pod_that_comes_alone_brings_no_advance() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, OF)
        for number in range(3):
            assert (await one.judge(f"p{number}", gpu=1)).allowed
            assert held(cluster).advances == ()
            await asyncio.sleep(5)

    run(scenario())


def test_a_pod_of_a_burst_is_let_through_without_a_write_and_is_charged_all_the_same() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        calls = len(cluster.calls)
        assert (await one.judge("third", gpu=1)).allowed
        assert len(cluster.calls) == calls
        assert Book(held(cluster)).total["gpu"] == 2 + advances.FEWEST

    run(scenario())


def test_pods_that_come_one_after_the_other_are_a_burst_too() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, OF)
        for number in range(2):
            assert (await one.judge(f"p{number}", gpu=1)).allowed
            await asyncio.sleep(worker.IDLE_SECONDS / 2)
        assert held(cluster).advances
        calls = len(cluster.calls)
        assert (await one.judge("third", gpu=1)).allowed
        assert len(cluster.calls) == calls
        await asyncio.sleep(10)
        assert one.admissions._workers == {}  # noqa: SLF001  nobody is remembered for ever

    run(scenario())


def test_what_was_given_is_soon_a_reservation_and_the_advance_goes_when_nothing_follows() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        await one.judge("third", gpu=1)
        await asyncio.sleep(worker.WRITE_SECONDS + 0.1)
        assert [each.name for each in held(cluster).reservations] == ["first", "second", "third"]
        await asyncio.sleep(worker.IDLE_SECONDS + 0.1)
        assert held(cluster).advances == ()
        assert Book(held(cluster)).total["gpu"] == 3
        before = len(cluster.calls)
        await asyncio.sleep(100)
        assert len(cluster.calls) == before

    run(scenario())


def test_a_long_burst_needs_few_writes_and_every_pod_is_in_the_ledger_at_every_moment() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster, group(aggregate={"gpu": 5000}))
        for number in range(300):
            assert (await one.judge(f"p{number}", gpu=1)).allowed
            assert Book(held(cluster)).total["gpu"] >= number + 3
            await asyncio.sleep(0.008)
        assert swaps(cluster) < 30

    run(scenario())


def test_one_replica_alone_gives_out_the_last_unit_and_no_more() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        verdicts = []
        for number in range(LIMIT + 5):
            verdicts.append(await one.judge(f"p{number}", gpu=1))
            await asyncio.sleep(0.005)
        assert [verdict.allowed for verdict in verdicts] == [True] * (LIMIT - 2) + [False] * 7
        assert Book(held(cluster)).total["gpu"] == LIMIT

    run(scenario())


def test_another_replica_gets_the_advance_back_before_it_refuses() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one, two = await bursting(cluster), replica(cluster, OF)
        watching = asyncio.create_task(_watch(one, two))
        began = asyncio.get_running_loop().time()
        assert (await two.judge("all", gpu=LIMIT - 2)).allowed
        assert asyncio.get_running_loop().time() - began < 0.5
        assert held(cluster).advances == ()
        refused = await one.judge("third", gpu=1)
        assert not refused.allowed
        assert Book(held(cluster)).total["gpu"] == LIMIT
        watching.cancel()

    run(scenario())


async def _watch(*replicas: Replica) -> None:
    """See what others write, a moment later."""
    while True:
        for each in replicas:
            await each.store.read(ALICE)
        await asyncio.sleep(0.02)


def test_the_advance_of_a_replica_that_is_gone_is_waited_for_once() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one, two = await bursting(cluster), replica(cluster, OF)
        one.admissions._workers[ALICE]._timer.cancel()  # type: ignore[union-attr]  # noqa: SLF001  it is killed
        loop = asyncio.get_running_loop()
        for longest in (1.5, 0.2):
            began = loop.time()
            assert not (await two.judge(f"all-{longest}", gpu=LIMIT - 2)).allowed
            assert loop.time() - began < longest
        assert [each.recalled for each in held(cluster).advances] == [True]

    run(scenario())


def test_no_advance_is_recalled_for_what_would_not_fit_anyway() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        await bursting(cluster)
        two = replica(cluster, OF)
        before = swaps(cluster)
        assert not (await two.judge("far", gpu=LIMIT)).allowed
        assert not (await two.judge("dry", gpu=LIMIT - 2, dry_run=True)).allowed
        assert swaps(cluster) == before

    run(scenario())


@pytest.mark.parametrize("when", ["before", "after"])
def test_nothing_that_was_given_is_lost_when_nobody_knows_what_became_of_a_swap(when: Any) -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        cluster.plan("replace", Fault(CUT_OFF, when, wait=0.2))
        for number in range(60):
            assert (await one.judge(f"p{number}", gpu=1)).allowed
            assert Book(held(cluster)).total["gpu"] >= number + 3
            await asyncio.sleep(0.05)
        await asyncio.sleep(10)
        assert Book(held(cluster)).total["gpu"] == len(held(cluster).reservations) == 62

    run(scenario())


def test_an_advance_is_not_given_out_of_when_its_time_is_over() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        await one.judge("third", gpu=1)
        cluster.plan("replace", Fault(wait=None))  # the worker hangs
        await asyncio.sleep(worker.WRITE_SECONDS + 0.1)
        assert (await one.judge("fourth", gpu=1)).allowed
        await asyncio.sleep(advances.VALID_SECONDS)
        waits = await asyncio.gather(one.judge("late", 3.0, gpu=1), return_exceptions=True)
        assert not getattr(waits[0], "allowed", False)

    run(scenario())


def test_an_advance_under_other_limits_is_not_given_out_of() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        one.world.put_group(group(aggregate={"gpu": 2}))
        assert not (await one.judge("third", gpu=1)).allowed

    run(scenario())


def test_nothing_is_given_out_of_an_advance_whose_ledger_was_removed() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        cluster.drop(where())
        one.store.changed("DELETED", ledgers.blank(ALICE), str(cluster.version))
        assert (await one.judge("third", gpu=1)).allowed
        assert [each.name for each in held(cluster).reservations] == ["third"]

    run(scenario())


def test_a_replay_of_what_was_given_is_given_nothing_more() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        for _ in range(20):
            assert (await one.judge("third", gpu=1)).allowed
        await asyncio.sleep(5)
        for _ in range(20):
            assert (await one.judge("third", gpu=1)).allowed
        assert Book(held(cluster)).total["gpu"] == 3

    run(scenario())


def test_a_dry_run_is_given_nothing() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        before = swaps(cluster)
        for number in range(20):
            assert (await one.judge(f"dry{number}", gpu=1, dry_run=True)).allowed
        assert swaps(cluster) == before
        await asyncio.sleep(5)
        assert Book(held(cluster)).total["gpu"] == 2

    run(scenario())


def test_creates_of_one_name_are_counted_by_the_ledger() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        verdicts = [await one.judge("same", gpu=1, uid=f"u{number}") for number in range(10)]
        assert [verdict.allowed for verdict in verdicts] == [True] * 8 + [False] * 2
        assert verdicts[9].causes[0].code == "TOO_MANY_RESERVATIONS"

    run(scenario())


def test_whoever_comes_close_to_a_limit_is_warned_also_from_an_advance() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, group(aggregate={"gpu": 1000}))
        await all_of(one.judge("first", gpu=395), one.judge("second", gpu=395))
        await all_of(one.judge("third", gpu=1), one.judge("fourth", gpu=1))
        calls, seen = len(cluster.calls), []
        for number in range(15):
            judged = await one.judge(f"p{number}", gpu=1)
            seen.append([(each.key, each.used) for each in judged.nearly])
            await asyncio.sleep(0.01)
        assert seen[6] == []
        assert seen[7:9] == [[("gpu", 800)], [("gpu", 801)]]
        assert len(cluster.calls) - calls < 10

    run(scenario())


def test_a_replica_that_ends_gives_its_advances_back() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        await one.judge("third", gpu=1)
        await one.admissions.close(2.0)
        assert held(cluster).advances == ()
        assert [each.name for each in held(cluster).reservations] == ["first", "second", "third"]

    run(scenario())


def test_without_advances_every_pod_is_written_down_before_its_answer() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, OF, advances=False)
        for number in range(10):
            assert (await one.judge(f"p{number}", gpu=1)).allowed
            assert len(held(cluster).reservations) == number + 1
        assert held(cluster).advances == ()

    run(scenario())


def test_what_was_folded_before_it_was_put_down_refuses_nobody() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        one, two = await bursting(cluster), replica(cluster, OF)
        watching = asyncio.create_task(_watch(one, two))
        for name in ("first", "second", "third"):
            assert (await one.judge(name, gpu=1)).allowed
            cluster.store(pod_path(name), manifest(name, gpu=1))
        await soon(lambda: held(cluster).folded.get("gpu") == 3)
        assert (await two.judge("rest", gpu=LIMIT - 3)).allowed
        assert Book(held(cluster)).total["gpu"] == LIMIT
        watching.cancel()

    run(operating(Cluster(), world(OF), scenario))


def test_pods_that_are_never_stored_fill_no_ledger_through_advances() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, group(aggregate={"gpu": 100_000}))
        refused = 0
        for number in range(1500):
            judged = (await all_of(one.judge(f"p{number}", gpu=1)))[0]
            refused += not getattr(judged, "allowed", False)
            await asyncio.sleep(0.002)
        await asyncio.sleep(10)
        assert refused, len(held(cluster).reservations)
        assert len(held(cluster).reservations) <= ledger.MOST_RESERVATIONS
        assert len(encoding.encode(held(cluster))) <= ledger.MOST_BYTES

    run(scenario())


def test_dry_runs_put_nothing_off() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        await one.judge("third", gpu=1)
        for number in range(12):
            await asyncio.sleep(0.5)
            await one.judge(f"dry{number}", gpu=1, dry_run=True)
        assert held(cluster).advances == ()
        assert Book(held(cluster)).total["gpu"] == 3

    run(scenario())


def test_a_replica_that_ends_tries_more_than_once() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = await bursting(cluster)
        cluster.plan("replace", Fault(CUT_OFF, "before"), Fault(CUT_OFF, "before"))
        await one.admissions.close(2.0)
        assert held(cluster).advances == ()

    run(scenario())


def test_what_is_given_while_a_crowded_ledger_waits_for_the_operator_is_not_lost() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, group(aggregate={"gpu": 100_000}))
        for number in range(600):
            assert (await one.judge(f"p{number}", gpu=1)).allowed
            assert Book(held(cluster)).total["gpu"] >= number + 1
            await asyncio.sleep(0.002)
        await asyncio.sleep(10)
        assert len(held(cluster).reservations) == 600

    run(scenario())
