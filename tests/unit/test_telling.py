"""What controllers are refused shows on the workload that people know, in one Event that is counted up."""

import asyncio
import logging
from typing import Any

import pytest

from labquota.kube import errors
from labquota.quota.pods import Reference
from unit.lineal import Discovered
from unit.refused import APPS, Care, live, replica_set
from unit.simulated import Fault


def events(cluster: Discovered) -> list[dict[str, Any]]:
    return [item for path, item in cluster.objects.items() if "/events/" in path]


def web(cluster: Discovered) -> Reference:
    """A ReplicaSet of a Deployment's."""
    top = cluster.put(f"{APPS}/deployments/web", "uid-web")
    return cluster.put(f"{APPS}/replicasets/web-1", "uid-web-1", top)


def test_the_first_refusal_is_an_event_on_the_workload_at_the_top_at_once() -> None:
    care = Care()
    maker = web(care.cluster)

    async def scenario() -> None:
        care.refuse(maker, "AGGREGATE_GPU_QUOTA_EXCEEDED: no")
        await asyncio.sleep(0.1)

    live(scenario(), care)
    (event,) = events(care.cluster)
    about = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "uid": "uid-web",
        "namespace": "lab",
    }
    assert event["involvedObject"] == about
    assert event["metadata"]["namespace"] == "lab"
    assert (event["type"], event["reason"], event["source"]) == (
        "Warning",
        "BudgetExceeded",
        {"component": "labquota"},
    )
    assert (event["message"], event["count"]) == ("AGGREGATE_GPU_QUOTA_EXCEEDED: no", 1)
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-03-01T08:00:00Z"


def test_a_storm_of_refusals_is_a_write_every_five_seconds_and_every_one_counts() -> None:
    care = Care()
    maker = web(care.cluster)

    async def scenario() -> None:
        for number in range(2000):
            care.refuse(maker, f"no {number}")
            await asyncio.sleep(0.01)
        await asyncio.sleep(10)

    live(scenario(), care)
    (event,) = events(care.cluster)
    assert (event["count"], event["message"]) == (2000, "no 1999")
    assert (event["firstTimestamp"], event["lastTimestamp"]) == (
        "2026-03-01T08:00:00Z",
        "2026-03-01T08:00:19Z",
    )
    writes = care.cluster.count("create", "/events") + care.cluster.count("patch", "/events/")
    assert writes == 6


def test_replicas_and_replica_sets_count_up_the_same_event() -> None:
    cluster = Discovered()
    cares = [Care(cluster), Care(cluster)]
    top = cluster.put(f"{APPS}/deployments/web", "uid-web")
    makers = [cluster.put(f"{APPS}/replicasets/web-{number}", f"uid-{number}", top) for number in range(3)]

    async def scenario() -> None:
        for _ in range(50):
            for care in cares:
                for maker in makers:
                    care.refuse(maker)
            await asyncio.sleep(1)
        await asyncio.sleep(10)

    live(scenario(), *cares)
    (event,) = events(cluster)
    assert event["count"] == 300


def test_a_workload_that_is_made_anew_under_its_name_has_an_event_of_its_own() -> None:
    care = Care()

    async def scenario() -> None:
        care.refuse(replica_set(care.cluster, "web"))
        await asyncio.sleep(1)
        care.cluster.drop(f"{APPS}/replicasets/web")
        care.refuse(care.cluster.put(f"{APPS}/replicasets/web", "uid-of-the-second"))
        await asyncio.sleep(1)

    live(scenario(), care)
    assert [event["involvedObject"]["uid"] for event in events(care.cluster)] == [
        "uid-web",
        "uid-of-the-second",
    ]


def test_a_maker_without_a_maker_is_the_top_itself() -> None:
    care = Care()

    async def scenario() -> None:
        care.refuse(replica_set(care.cluster, "alone"))
        await asyncio.sleep(1)

    live(scenario(), care)
    assert [event["involvedObject"]["name"] for event in events(care.cluster)] == ["alone"]


def test_above_what_may_not_be_read_nothing_is_guessed() -> None:
    care = Care()
    care.cluster.forbidden = "/gadgets/"
    top = care.cluster.put("/apis/example.org/v1/namespaces/lab/gadgets/it", "uid-it")
    maker = care.cluster.put(f"{APPS}/replicasets/it-1", "uid-it-1", top)

    async def scenario() -> None:
        care.refuse(maker)
        await asyncio.sleep(1)

    live(scenario(), care)
    (event,) = events(care.cluster)
    assert (event["involvedObject"]["kind"], event["involvedObject"]["uid"]) == ("Gadget", "uid-it")


def test_an_event_of_what_is_in_no_namespace_is_in_the_default_one() -> None:
    care = Care()
    top = care.cluster.put("/api/v1/nodes/big", "uid-big")

    async def scenario() -> None:
        care.refuse(top)
        await asyncio.sleep(1)

    live(scenario(), care)
    (event,) = events(care.cluster)
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["involvedObject"]


def test_of_a_maker_that_is_gone_nothing_is_told() -> None:
    care = Care()
    maker = web(care.cluster)
    care.cluster.drop(f"{APPS}/replicasets/web-1")

    async def scenario() -> None:
        care.refuse(maker)
        await asyncio.sleep(10)

    live(scenario(), care)
    assert events(care.cluster) == []


def test_nothing_is_told_of_what_a_person_writes_a_reference_on_nor_of_a_dry_run() -> None:
    care = Care()
    maker = web(care.cluster)

    async def scenario() -> None:
        care.refuse(maker, user="mallory")
        care.refuse(maker, dry_run=True)
        care.refuse(None)
        await asyncio.sleep(10)

    live(scenario(), care)
    assert (events(care.cluster), care.cluster.calls) == ([], [])


def test_what_could_not_be_written_in_an_outage_counts_later(caplog: pytest.LogCaptureFixture) -> None:
    care = Care()
    maker = web(care.cluster)

    async def scenario() -> None:
        care.cluster.plan("create", Fault(errors.Unreachable("cut off")))
        for _ in range(3):
            care.refuse(maker)
        await asyncio.sleep(10)

    live(scenario(), care)
    assert [event["count"] for event in events(care.cluster)] == [3]
    assert [each.message for each in caplog.records if each.levelno >= logging.WARNING] == [
        "an Event cannot be written"
    ]


def test_what_may_not_be_written_is_left(caplog: pytest.LogCaptureFixture) -> None:
    care = Care()
    maker = web(care.cluster)

    async def scenario() -> None:
        care.cluster.plan(
            "create", Fault(errors.ApiError(403, "Forbidden", "the namespace is being terminated"))
        )
        care.refuse(maker)
        await asyncio.sleep(20)

    live(scenario(), care)
    assert events(care.cluster) == []
    (record,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert record.__dict__["error"] == "the namespace is being terminated (403 Forbidden)"


def test_a_bug_with_one_keeps_none_of_the_others_from_being_told(caplog: pytest.LogCaptureFixture) -> None:
    care = Care()
    first, second = web(care.cluster), replica_set(care.cluster, "alone")

    async def scenario() -> None:
        care.cluster.plan("create", Fault(ZeroDivisionError("a bug")))
        care.refuse(first)
        care.refuse(second)
        await asyncio.sleep(1)

    live(scenario(), care)
    assert [event["involvedObject"]["name"] for event in events(care.cluster)] == ["alone"]
    assert [each.message for each in caplog.records if each.exc_info] == ["an Event cannot be written"]


def test_a_line_is_cut_to_what_an_event_holds() -> None:
    care = Care()
    maker = web(care.cluster)

    async def scenario() -> None:
        care.refuse(maker, "é" * 5000)
        await asyncio.sleep(1)

    live(scenario(), care)
    (event,) = events(care.cluster)
    assert len(event["message"].encode()) <= 1024


def test_makers_beyond_a_thousand_wait_for_their_next_refusal() -> None:
    care = Care()
    makers = [replica_set(care.cluster, f"r{number}") for number in range(1001)]

    async def scenario() -> None:
        for maker in makers:
            care.refuse(maker)
        await asyncio.sleep(200)
        assert len(events(care.cluster)) == 1000
        care.refuse(makers[-1])
        await asyncio.sleep(1)
        assert len(events(care.cluster)) == 1001

    live(scenario(), care)
