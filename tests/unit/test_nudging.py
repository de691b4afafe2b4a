"""Refused controllers are asked to try again when there is room, and only then."""

import asyncio
import itertools
import logging
from typing import Any

import pytest
from prometheus_client import REGISTRY

from labquota.kube import errors
from labquota.quota import verdict
from labquota.quota.owners import Owner
from unit.builders import ALICE, BOB, group, override
from unit.lineal import Discovered
from unit.refused import APPS, Care, live, nudged, nudges, replica_set
from unit.simulated import Fault


def counted() -> float:
    """How often anybody was asked in this process."""
    return REGISTRY.get_sample_value("labquota_nudges_total") or 0.0


def test_when_budget_frees_the_refused_are_asked_at_once_and_nobody_before() -> None:
    care = Care()
    maker = replica_set(care.cluster, "web")

    async def scenario() -> None:
        care.holds(gpu=3)
        care.refuse(maker)
        await asyncio.sleep(900)
        assert nudges(care.cluster) == 0, "nothing has come free"
        care.holds(gpu=2)
        await asyncio.sleep(0.2)
        assert nudged(care.cluster, "web") == "2026-03-01T08:15:00.000+00:00"

    live(scenario(), care)


def test_what_came_free_while_the_refusal_was_on_its_way_counts() -> None:
    care = Care()
    maker = replica_set(care.cluster, "web")

    async def scenario() -> None:
        care.holds(gpu=2)  # after the read that the refusal rests on
        care.refuse(maker)
        await asyncio.sleep(0.2)
        assert nudges(care.cluster) == 1

    live(scenario(), care)


def test_each_refusal_is_answered_by_one_nudge_however_often_the_ledger_changes() -> None:
    care = Care()
    maker = replica_set(care.cluster, "web")

    async def scenario() -> None:
        care.holds(gpu=3)
        care.refuse(maker)
        for _ in range(100):
            care.holds(gpu=1)
            await asyncio.sleep(0.1)
        assert nudges(care.cluster) == 1

    live(scenario(), care)


def test_only_as_many_are_asked_as_fit_those_refused_longest_ago_first() -> None:
    care = Care()
    makers = [replica_set(care.cluster, name) for name in "abcd"]

    async def scenario() -> None:
        care.holds(gpu=3)
        for maker, gpus in zip(makers, (1, 3, 1, 1), strict=True):
            care.refuse(maker, gpu=gpus)
            await asyncio.sleep(1)
        care.holds(gpu=1)
        await asyncio.sleep(0.2)
        assert [bool(nudged(care.cluster, name)) for name in "abcd"] == [True, False, True, False]

    live(scenario(), care)


def test_a_pod_that_never_fits_is_never_asked_for_whatever_frees() -> None:
    care = Care()
    maker = replica_set(care.cluster, "web")

    async def scenario() -> None:
        care.refuse(maker, gpu=4)
        for used in (3, 2, 1, 0):
            care.holds(gpu=used)
            await asyncio.sleep(2)
        assert nudges(care.cluster) == 0

    live(scenario(), care)


def test_one_whom_it_does_not_help_is_asked_after_pauses_that_double() -> None:
    care = Care()
    maker = replica_set(care.cluster, "web")

    async def scenario() -> None:
        times: list[float] = []
        for _ in range(3000):  # somebody else is quicker, every time
            care.holds(gpu=3)
            care.refuse(maker)
            care.holds(gpu=2)
            await asyncio.sleep(0.1)
            if nudges(care.cluster) > len(times):
                times.append(asyncio.get_running_loop().time())
        pauses = [round(b - a) for a, b in itertools.pairwise(times)]
        assert pauses[:8] == [1, 2, 4, 8, 16, 32, 64, 64]

    live(scenario(), care)


def test_one_that_gets_pods_is_asked_every_second() -> None:
    care = Care()

    async def scenario() -> None:
        for running in range(20):
            maker = replica_set(care.cluster, "web", replicas=50, running=running)
            care.holds(gpu=3)
            care.refuse(maker)
            care.holds(gpu=2)
            await asyncio.sleep(1.1)
        assert nudges(care.cluster) == 20

    live(scenario(), care)


def test_an_owners_makers_are_asked_at_most_once_a_second_and_others_meanwhile() -> None:
    care = Care()
    first, second, bobs = (replica_set(care.cluster, name) for name in ("first", "second", "bobs"))

    async def scenario() -> None:
        care.holds(gpu=3)
        care.holds(BOB, gpu=3)
        care.refuse(first)
        care.holds(gpu=2)
        await asyncio.sleep(0.3)
        care.refuse(second)
        care.refuse(bobs, owner=BOB)
        care.holds(BOB, gpu=2)
        await asyncio.sleep(0.3)
        assert [bool(nudged(care.cluster, name)) for name in ("first", "second", "bobs")] == [
            True,
            False,
            True,
        ]
        await asyncio.sleep(0.8)
        assert nudged(care.cluster, "second")

    live(scenario(), care)


def test_two_replicas_that_see_the_same_budget_free_ask_once() -> None:
    cluster = Discovered()
    cares = [Care(cluster), Care(cluster)]
    maker = replica_set(cluster, "web")

    async def scenario() -> None:
        for care in cares:
            care.holds(gpu=3)
            care.refuse(maker)
        await asyncio.sleep(5)
        for care in cares:
            care.holds(gpu=2)
        before = counted()
        await asyncio.sleep(0.5)
        assert nudged(cluster, "web") is not None
        assert counted() - before == 1
        replica_set(cluster, "web", running=1)  # it has its pod, and so loses the annotation here
        await asyncio.sleep(30)
        assert nudged(cluster, "web") is None, "the other replica has asked again"

    live(scenario(), *cares)


def test_limits_that_change_count_as_budget_that_frees() -> None:
    care = Care()
    maker = replica_set(care.cluster, "web")

    async def scenario() -> None:
        care.holds(gpu=3)
        care.refuse(maker)
        await asyncio.sleep(5)
        care.world.put_override(override(aggregate={"gpu": 4}))
        await asyncio.sleep(0.7)
        assert nudges(care.cluster) == 1

    live(scenario(), care)


def test_so_does_an_override_that_begins_by_itself() -> None:
    care = Care()
    care.world.put_override(override(aggregate={"gpu": 4}, notBefore="2026-03-01T08:01:00Z"))
    maker = replica_set(care.cluster, "web")

    async def scenario() -> None:
        care.holds(gpu=3)
        care.refuse(maker)
        await asyncio.sleep(59)
        assert nudges(care.cluster) == 0
        await asyncio.sleep(2)
        assert nudges(care.cluster) == 1

    live(scenario(), care)


def test_a_namespace_that_gets_another_owner_takes_its_refused_pods_along() -> None:
    care = Care(None, group(defaultFor=["User", "Namespace"], aggregate={"gpu": 1}))
    maker = replica_set(care.cluster, "web")

    async def scenario() -> None:
        care.holds(Owner("namespace:lab"), gpu=1)
        care.refuse(maker, owner=None)
        await asyncio.sleep(5)
        care.world.put_namespace("lab", {}, {"labquota.dev/owner": ALICE})
        await asyncio.sleep(1)
        assert nudges(care.cluster) == 1

    live(scenario(), care)


@pytest.mark.parametrize("gone", ["deleted", "another", "being deleted", "satisfied"])
def test_one_that_is_gone_or_has_all_its_pods_is_left_alone(gone: str) -> None:
    care = Care()
    maker = replica_set(care.cluster, "web")
    path = f"{APPS}/replicasets/web"

    async def scenario() -> None:
        care.holds(gpu=3)
        care.refuse(maker)
        await asyncio.sleep(5)
        item, before = care.cluster.objects[path], care.cluster.count("get", "/replicasets/web")
        if gone == "deleted":
            care.cluster.drop(path)
        elif gone == "another":
            care.cluster.store(path, {**item, "metadata": {**item["metadata"], "uid": "new"}})
        elif gone == "being deleted":
            meta = {**item["metadata"], "deletionTimestamp": "2026-03-01T08:00:00Z"}
            care.cluster.store(path, {**item, "metadata": meta})
        else:
            replica_set(care.cluster, "web", running=1)
        care.holds(gpu=2)
        await asyncio.sleep(5)
        assert care.cluster.count("get", "/replicasets/web") == before + 1
        assert nudges(care.cluster) == 0

    live(scenario(), care)


def test_a_kind_that_is_not_stamped_is_left_alone() -> None:
    care = Care()
    gadget = care.cluster.put("/apis/example.org/v1/namespaces/lab/gadgets/it", "g")

    async def scenario() -> None:
        care.holds(gpu=2)
        care.refuse(gadget)
        await asyncio.sleep(5)
        assert care.cluster.count("patch") == 0

    live(scenario(), care)


def test_a_custom_resource_that_is_stamped_is_asked_whatever_its_status_looks_like() -> None:
    care = Care()
    path = "/apis/ray.io/v1/namespaces/lab/rayclusters/ray"
    cluster = care.cluster.put(path, "ray")
    care.cluster.store(path, {**care.cluster.objects[path], "spec": {"replicas": "three"}, "status": "odd"})

    async def scenario() -> None:
        care.holds(gpu=2)
        care.refuse(cluster)
        await asyncio.sleep(1)
        assert care.cluster.count("patch", path) == 1

    live(scenario(), care)


def test_only_what_those_are_refused_who_make_pods_for_others_is_remembered() -> None:
    care = Care()
    maker = replica_set(care.cluster, "web")

    async def scenario() -> None:
        care.holds(gpu=2)
        care.refuse(maker, user="mallory")
        care.refuse(maker, dry_run=True)
        care.refuse(None)
        slow = care.case(maker)
        care.nudger.told(ALICE)
        care.aftercare.refused(slow, [verdict.UNAVAILABLE], "later")
        care.aftercare.refused(slow, [verdict.TOO_SLOW], "later")
        await asyncio.sleep(5)
        assert nudges(care.cluster) == 0

    live(scenario(), care)


def test_a_pod_that_is_too_large_to_keep_is_not_kept() -> None:
    care = Care()
    maker = replica_set(care.cluster, "web")

    async def scenario() -> None:
        care.holds(gpu=2)
        many: dict[str, Any] = {f"example.com/{number}": 1 for number in range(500)}
        care.refuse(maker, **many)
        await asyncio.sleep(5)
        assert nudges(care.cluster) == 0

    live(scenario(), care)


def test_of_one_owner_the_last_two_hundred_are_remembered() -> None:
    care = Care()
    makers = [replica_set(care.cluster, f"r{number}") for number in range(201)]

    async def scenario() -> None:
        care.holds(gpu=3)
        for maker in makers:
            care.refuse(maker)
        care.world.put_override(override(aggregate={"gpu": 999}))
        await asyncio.sleep(30)
        assert nudged(care.cluster, "r0") is None
        assert all(nudged(care.cluster, f"r{number}") for number in range(1, 201))

    live(scenario(), care)


def test_what_is_not_refused_again_for_longer_than_any_controller_waits_is_forgotten() -> None:
    care = Care()
    maker = replica_set(care.cluster, "web")

    async def scenario() -> None:
        care.holds(gpu=3)
        care.refuse(maker)
        await asyncio.sleep(1300)
        care.holds(gpu=2)
        await asyncio.sleep(5)
        assert nudges(care.cluster) == 0

    live(scenario(), care)


def test_after_an_outage_it_is_tried_again_and_after_a_refusal_not(caplog: pytest.LogCaptureFixture) -> None:
    care = Care()
    maker = replica_set(care.cluster, "web")
    caplog.set_level(logging.WARNING)

    async def scenario() -> None:
        care.cluster.plan("patch", Fault(errors.Unreachable("cut off")), Fault(errors.Unreachable("cut off")))
        care.holds(gpu=2)
        care.refuse(maker)
        await asyncio.sleep(4)
        assert nudged(care.cluster, "web")
        care.cluster.plan("patch", Fault(errors.ApiError(403, "Forbidden", "not you")))
        care.refuse(replica_set(care.cluster, "other"))
        await asyncio.sleep(10)
        assert nudged(care.cluster, "other") is None

    live(scenario(), care)
    told = [(each.message, each.__dict__["workload"], each.__dict__["error"]) for each in caplog.records]
    message = "a controller cannot be asked to try again"
    assert told == [
        (message, "ReplicaSet/web", "cut off"),
        (message, "ReplicaSet/web", "cut off"),
        (message, "ReplicaSet/other", "not you (403 Forbidden)"),
    ]


def test_a_fault_in_it_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    care = Care()
    makers = [replica_set(care.cluster, name) for name in ("odd", "web")]

    async def scenario() -> None:
        care.cluster.plan("patch", Fault(ZeroDivisionError("a bug")))
        care.holds(gpu=3)
        for maker in makers:
            care.refuse(maker)
        care.holds(gpu=1)
        await asyncio.sleep(2)
        assert [nudged(care.cluster, name) is None for name in ("odd", "web")] == [True, False]
        with monkeypatch.context() as patched:
            patched.setattr(care.nudger, "_look_at_rules", lambda: 1 / 0)
            care.refuse(makers[0])
            await asyncio.sleep(5)
        await asyncio.sleep(5)
        assert nudged(care.cluster, "odd")

    live(scenario(), care)
    found = {each.message for each in caplog.records}
    assert found == {"a controller cannot be asked to try again", "a fault after a refusal"}
