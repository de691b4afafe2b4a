"""Holds in the operator's view: folded as pods are, never from a view of them that is older, ended by the clock."""

import asyncio

import msgspec

from labquota import api
from labquota.quota.ledger import Ending, Ledger, Reservation
from unit.builders import ALICE, BOB, manifest
from unit.holders import Holder, hold, operating, path
from unit.keeping import gpu, report
from unit.operators import pod_path
from unit.replicas import held, put
from unit.simulated import START, Cluster

_ENDS = "2026-03-01T08:01:00Z"
END = int(START.timestamp()) + 60


def test_a_hold_is_folded_with_its_owners_pods_and_free_again_when_it_is_deleted() -> None:
    async def scenario(_: Holder, cluster: Cluster) -> None:
        cluster.store(pod_path("a"), manifest("a", gpu=1))
        cluster.store(path(), hold())
        await asyncio.sleep(5)
        ledger = held(cluster)
        assert (ledger.folded["gpu"], ledger.folded["gpu-compute"], ledger.folded["pods"]) == (2, 112, 1)
        assert int(ledger.holds) > 0
        cluster.drop(path())
        await asyncio.sleep(5)
        ledger = held(cluster)
        assert (ledger.folded["gpu"], ledger.holds) == (1, "0")

    operating(scenario)


def test_a_reservation_of_a_hold_is_settled_when_the_view_shows_it() -> None:
    reservation = Reservation("uid-desk", "lab", "gpuallocation/desk", "", {}, {"gpu": 1})

    async def scenario(_: Holder, cluster: Cluster) -> None:
        put(cluster, Ledger(reservations=(reservation,)))
        await asyncio.sleep(2)
        assert held(cluster).reservations == (reservation,), "nobody has stored it yet"
        cluster.store(path(), hold())
        await asyncio.sleep(2)
        assert held(cluster).reservations == ()
        assert held(cluster).folded["gpu"] == 1

    operating(scenario)


def test_a_reservation_of_a_hold_that_is_never_stored_ends_within_a_minute() -> None:
    reservation = Reservation("uid-desk", "lab", "gpuallocation/desk", "", {}, {"gpu": 1})

    async def scenario(_: Holder, cluster: Cluster) -> None:
        put(cluster, Ledger(reservations=(reservation,)))
        await asyncio.sleep(40)
        assert held(cluster).reservations == (reservation,)
        await asyncio.sleep(20)
        assert held(cluster).reservations == ()

    operating(scenario)


def test_a_hold_ends_by_the_clock_and_the_ledger_says_when_before() -> None:
    async def scenario(operator: Holder, cluster: Cluster) -> None:
        await asyncio.sleep(30)
        ledger = held(cluster)
        assert ledger.folded["gpu"] == 2
        assert ledger.endings == (Ending(END, {"gpu": 1, "gpu-compute": 56, "gpu-slots": 56}),)
        await asyncio.sleep(29)
        assert held(cluster).folded["gpu"] == 2
        await asyncio.sleep(3)
        ledger = held(cluster)
        assert (ledger.folded["gpu"], ledger.endings) == (1, ())
        assert operator.ended == ["uid-desk"]
        assert cluster.objects[path()], "the object stays, as a record"

    operating(scenario, hold(expiresAt=_ENDS), hold("other", gpu_=2))


def test_bringing_the_end_forward_frees_sooner() -> None:
    async def scenario(_: Holder, cluster: Cluster) -> None:
        await asyncio.sleep(5)
        cluster.store(path(), hold(expiresAt="2026-03-01T08:00:10Z"))
        await asyncio.sleep(8)
        assert held(cluster).folded == {}

    operating(scenario, hold(expiresAt=_ENDS))


def test_one_owners_hold_is_not_anothers() -> None:
    async def scenario(_: Holder, cluster: Cluster) -> None:
        await asyncio.sleep(3)
        assert held(cluster, BOB).folded["gpu"] == 1
        assert held(cluster, ALICE).folded == {}

    operating(scenario, hold(owner=BOB))


def test_a_hold_that_names_nobody_is_its_namespaces() -> None:
    async def scenario(operator: Holder, _: Cluster) -> None:
        charge = operator.view.find("uid-desk")
        assert charge is not None
        assert charge.owner == "namespace:lab"

    operating(scenario, hold(owner="alice"))


def test_a_device_that_leaves_the_inventory_costs_what_it_cost() -> None:
    async def scenario(operator: Holder, cluster: Cluster) -> None:
        spec = {"node": "gpu-1", "gpu": "GPU-0", "gpuInstance": 1, "computeInstance": 0}
        cluster.store(path("slice"), hold("slice", devices=[spec]))
        await asyncio.sleep(3)
        before = held(cluster).folded
        assert 0 < before["gpu-compute"] < 56
        operator.of.inventory.put_gpus(msgspec.convert(report(gpu(2)), api.GPUNode))
        operator.holds.price_again()
        await asyncio.sleep(3)
        assert held(cluster).folded == before

    operating(scenario)


def test_what_has_no_price_costs_a_whole_gpu() -> None:
    async def scenario(_: Holder, cluster: Cluster) -> None:
        await asyncio.sleep(3)
        folded = held(cluster).folded
        assert (folded["gpu"], folded["gpu-compute"], folded["gpu-slots"]) == (1, 56, 56)

    operating(scenario, hold(gpu_=7))


def test_a_view_of_holds_that_is_behind_never_lowers_a_ledger() -> None:
    async def scenario(operator: Holder, cluster: Cluster) -> None:
        await asyncio.sleep(3)
        operator.tasks[0].cancel()  # the informer of holds is frozen
        cluster.store(path("late"), hold("late"))
        late = Ledger(folded={"gpu": 1}, view="0", epoch=1, holds=str(cluster.version))
        put(cluster, late)
        await asyncio.sleep(5)
        assert held(cluster).folded["gpu"] == 1
        operator.tasks[0] = asyncio.create_task(operator.informer.run())
        await asyncio.sleep(5)
        assert held(cluster).folded["gpu"] == 1
        assert held(cluster).folded["gpu-compute"] == 56

    operating(scenario)


def test_a_hold_that_no_webhook_saw_is_named_as_a_pod_is() -> None:
    async def scenario(operator: Holder, cluster: Cluster) -> None:
        await asyncio.sleep(1)
        assert operator.seen == [], "what was there before is adopted"
        cluster.store(path("late"), hold("late", gpu_=2))
        await asyncio.sleep(5)
        assert {"uid-late"} in [bypassed for _, bypassed in operator.seen]

    operating(scenario)


def test_a_status_that_is_written_costs_no_fold() -> None:
    async def scenario(operator: Holder, cluster: Cluster) -> None:
        await asyncio.sleep(3)
        before = cluster.count("replace") + cluster.count("create")
        cluster.store(path(), {**hold(), "status": {"phase": "Bound"}})
        await asyncio.sleep(3)
        assert cluster.count("replace") + cluster.count("create") == before
        assert operator.allocations.get("uid-desk") is not None

    operating(scenario, hold())
