import asyncio

import msgspec
from prometheus_client import REGISTRY

from labquota.kube import errors
from labquota.quota.advances import VALID_SECONDS, Advance
from labquota.quota.ledger import Ledger, Reservation
from unit.builders import ALICE, create, group, manifest, resize, world
from unit.operators import Operator, operating, pod_path, soon
from unit.replicas import held, put
from unit.simulated import Cluster, Fault, run

OF = world(group(aggregate={"gpu": 3}))


def now() -> float:
    return asyncio.get_running_loop().time()


def expired() -> float:
    return REGISTRY.get_sample_value("labquota_operator_reservations_expired_total") or 0.0


async def until_dropped(cluster: Cluster, reservation: Reservation) -> float:
    began = now()
    await soon(lambda: reservation not in held(cluster).reservations, 200)
    return now() - began


def test_a_reservation_whose_pod_is_never_stored_ends_after_its_time_and_not_before() -> None:
    async def scenario(operator: Operator) -> None:
        cluster, lost = operator.cluster, create("a", gpu=1)
        counted = expired()
        put(cluster, Ledger(reservations=(lost,)))
        assert 44 <= await until_dropped(cluster, lost) < 60
        await asyncio.sleep(2)
        assert expired() == counted + 1
        assert operator.folder.given_up == set()

    run(operating(Cluster(), OF, scenario))


def test_a_reservation_is_kept_while_the_view_has_not_passed_the_present() -> None:
    async def scenario(operator: Operator) -> None:
        cluster, lost = operator.cluster, create("a", gpu=1)
        put(cluster, Ledger(reservations=(lost,)))
        await soon(lambda: operator.store.copy(ALICE) is not None)
        operator.tasks[1].cancel()  # from here on the view of pods is frozen
        await asyncio.sleep(0.1)
        cluster.store(pod_path("a"), manifest("a", gpu=1))
        await asyncio.sleep(200)
        assert held(cluster).reservations == (lost,)

    run(operating(Cluster(), OF, scenario))


def test_a_later_reservation_has_a_clock_of_its_own() -> None:
    async def scenario(operator: Operator) -> None:
        cluster, first, second = operator.cluster, create("a", gpu=1), create("b", gpu=1)
        put(cluster, Ledger(reservations=(first,)))
        await asyncio.sleep(30)
        put(cluster, Ledger(reservations=(first, second)))
        assert await until_dropped(cluster, first) < 30
        assert held(cluster).reservations == (second,)
        await until_dropped(cluster, second)
        assert 74 <= now() < 90

    run(operating(Cluster(), OF, scenario))


def test_the_same_resize_asked_for_again_has_a_clock_of_its_own() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        item = cluster.store(pod_path("a"), manifest("a", cpu=1))
        version = int(item["metadata"]["resourceVersion"])
        first = resize(version, {"cpu": 1000}, {"cpu": 2000}, "uid-a")
        second = resize(version, {"cpu": 1000}, {"cpu": 2000}, "uid-a", "review-2")
        put(cluster, Ledger(reservations=(first,)))
        await asyncio.sleep(43)
        put(cluster, Ledger(folded=held(cluster).folded, epoch=1, reservations=(first, second)))
        await until_dropped(cluster, first)
        assert held(cluster).reservations == (second,)

    run(operating(Cluster(), OF, scenario))


def test_a_resize_that_was_settled_by_a_change_of_no_amount_does_not_stay() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        counted = expired()
        item = cluster.store(pod_path("a"), manifest("a", cpu=1))
        before = resize(int(item["metadata"]["resourceVersion"]), {"cpu": 1000}, {"cpu": 2000}, "uid-a")
        await soon(lambda: bool(held(cluster).folded))
        put(cluster, Ledger(folded=held(cluster).folded, epoch=1, reservations=(before,)))
        await asyncio.sleep(2)
        assert held(cluster).reservations == (before,)
        cluster.store(pod_path("a"), manifest("a", cpu=1, phase="Running"))
        assert await until_dropped(cluster, before) < 60
        assert expired() == counted

    run(operating(Cluster(), OF, scenario))


def test_a_standby_keeps_the_clocks_that_a_takeover_goes_on_with() -> None:
    async def scenario() -> None:
        cluster, lost = Cluster(), create("a", gpu=1)
        standby = Operator(cluster, OF)
        await standby.start()
        for task in standby.tasks[2:]:
            task.cancel()
        put(cluster, Ledger(reservations=(lost,)))
        await asyncio.sleep(40)
        standby.lead(2)
        assert await until_dropped(cluster, lost) < 15
        await standby.stop()

    run(scenario())


def test_an_api_server_that_is_away_at_that_moment_ends_nothing() -> None:
    async def scenario(operator: Operator) -> None:
        cluster, lost = operator.cluster, create("a", gpu=1)
        put(cluster, Ledger(reservations=(lost,)))
        await asyncio.sleep(43)
        cluster.plan("get", *(Fault(errors.Unreachable("away")) for _ in range(4)))
        assert 4 <= await until_dropped(cluster, lost) < 20

    run(operating(Cluster(), OF, scenario))


def test_a_reservation_that_was_first_seen_by_a_read_has_a_clock_too() -> None:
    async def scenario(operator: Operator) -> None:
        cluster, lost = operator.cluster, create("a", gpu=1)
        operator.tasks[0].cancel()  # the watch of ledgers shows nothing
        await asyncio.sleep(0.1)
        put(cluster, Ledger(epoch=1, reservations=(lost,)))
        await operator.store.read(ALICE)
        assert 44 <= await until_dropped(cluster, lost) < 60

    run(operating(Cluster(), OF, scenario))


def test_a_reservation_whose_pod_comes_late_is_settled_by_it() -> None:
    async def scenario(operator: Operator) -> None:
        cluster, late = operator.cluster, create("a", gpu=1)
        put(cluster, Ledger(reservations=(late,)))
        await asyncio.sleep(43.5)
        cluster.store(pod_path("a"), manifest("a", gpu=1))
        totals = set()
        for _ in range(200):
            after = held(cluster)
            totals.add(after.folded.get("gpu", 0) + len(after.reservations))
            await asyncio.sleep(0.05)
        assert totals == {1}

    run(operating(Cluster(), OF, scenario))


def test_an_advance_lapses_later_than_a_reservation_by_the_time_for_which_it_may_be_given_out_of() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        cluster.store(pod_path("given"), manifest("given", gpu=1))
        put(cluster, Ledger(advances=(Advance("gone.1", {"gpu": 2, "pods": 2}),)))
        began = now()
        await soon(lambda: held(cluster).folded.get("gpu") == 1)
        assert held(cluster).advances
        await soon(lambda: not held(cluster).advances, 200)
        assert 44 + VALID_SECONDS <= now() - began < 60
        assert operator.folder.given_up == set()
        assert [seen for _, seen in operator.seen if seen] == []

    run(operating(Cluster(), OF, scenario))


def test_an_advance_that_its_holder_renews_does_not_lapse() -> None:
    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        for number in range(100):
            put(cluster, Ledger(advances=(Advance(f"alive.{number}", {"gpu": 2}),)))
            await asyncio.sleep(1)
            assert held(cluster).advances

    run(operating(Cluster(), OF, scenario))


def test_newcomers_are_named_as_bypassed_only_when_no_advance_can_be_where_they_came_from() -> None:
    async def scenario(operator: Operator) -> None:
        cluster, advance = operator.cluster, Advance("one.1", {"gpu": 2, "pods": 2})
        put(cluster, Ledger(advances=(advance,)))
        for name in ("given", "sneaked"):
            cluster.store(pod_path(name), manifest(name, gpu=1))
        await soon(lambda: held(cluster).folded.get("gpu") == 2)
        put(
            cluster,
            msgspec.structs.replace(held(cluster), advances=(), reservations=(create("given", gpu=1),)),
        )
        await soon(lambda: not held(cluster).reservations)
        await asyncio.sleep(1)
        assert [seen for _, seen in operator.seen if seen] == [{"uid-sneaked"}]

    run(operating(Cluster(), OF, scenario))
