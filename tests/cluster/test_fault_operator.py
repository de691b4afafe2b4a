"""The operator killed, frozen, stopped and away: one leads, another takes over, and no ledger falls below the truth."""

import asyncio
import json
import time
from collections.abc import Iterator

import pytest

from cluster.steps import fill
from controlplane import ControlPlane
from controlplane.process import wait_until
from harness import Installation, World, storming
from harness.storming import all_at_once, nothing_unchecked, tally, true_ledger
from harness.watching import PodWatch
from labquota.quota import encoding

LEASE_SECONDS = 4
CREATE_SECONDS = 4
LEASE = "/apis/coordination.k8s.io/v1/namespaces/labquota-system/leases/labquota-operator"
FULL_PODS = "AGGREGATE_PODS_QUOTA_EXCEEDED"
NO_OPERATOR = "no operator frees what finished pods held, so a refusal may be wrong"


@pytest.fixture(scope="module")
def installed(plane: ControlPlane) -> Iterator[Installation]:
    """labquota with two operators and times short enough to be waited for."""
    times = {"lease_seconds": LEASE_SECONDS, "create_seconds": CREATE_SECONDS}
    with Installation(plane, operators=2, settings=times) as installation:
        yield installation


@pytest.fixture
def leader(plane: ControlPlane, installed: Installation) -> Iterator[int]:
    """The number of the operator that leads while both run; afterwards both run again."""
    assert wait_until(lambda: holder(plane) != "", 10), "nobody holds the Lease"
    yield int(holder(plane).removeprefix("operator-"))
    for number in range(2):
        installed.operator(number).resume()
        if not installed.operator(number).alive:
            installed.operator(number).restart()


def holder(plane: ControlPlane) -> str:
    """The process that holds the Lease; empty if none does."""
    return str(plane.client.get(LEASE)["spec"].get("holderIdentity") or "").partition("_")[0]


def epoch(plane: ControlPlane) -> int:
    """How often the Lease has been taken."""
    return int(plane.client.get(LEASE)["spec"]["leaseTransitions"])


def folded(world: World, owner: str) -> int:
    """The pods of an owner that their ledger holds as confirmed."""
    text = world.ledger(owner)
    return encoding.decode(text).folded.get("pods", 0) if text else 0


def test_one_operator_leads_and_the_other_stands_by(installed: Installation, leader: int) -> None:
    leading = [installed.metrics(f"operator-{number}")["labquota_operator_leader"] for number in range(2)]
    assert leading == [float(number == leader) for number in range(2)]


def test_a_clean_stop_hands_over_at_once(plane: ControlPlane, installed: Installation, leader: int) -> None:
    before = epoch(plane)
    began = time.monotonic()
    installed.operator(leader).stop()
    assert wait_until(lambda: holder(plane) == f"operator-{1 - leader}", 10)
    assert time.monotonic() - began < LEASE_SECONDS - 1, "the standby has waited for the Lease to end"
    assert epoch(plane) == before + 1


async def test_an_operator_killed_in_mid_storm_costs_no_pod_too_many(
    plane: ControlPlane, installed: Installation, leader: int
) -> None:
    with World(plane, installed) as world:
        alice, where = world.user("alice"), world.namespace()
        owner = world.owner(alice)
        world.group("students", subjects=[owner], aggregate={"pods": 100})
        async with PodWatch(plane, {owner: {"pods": 100}}) as watch:
            with nothing_unchecked(plane, installed):
                first = [(alice, storming.pod(f"p{number}", where)) for number in range(160)]
                storm = asyncio.create_task(all_at_once(first, clients=16))
                await watch.reached(owner, 30)
                assert not storm.done(), "the storm was over before the operator was killed"
                installed.operator(leader).kill()
                killed = time.monotonic()
                answers = await storm
                await watch.caught_up()
            assert watch.excesses == []
            came = tally(answers)
            # Until somebody folds again, pods that were folded and put down as well count twice: few, and never less.
            assert 80 <= came["201"] <= 100, came
            assert came["201"] + came[FULL_PODS] == 160, came
            assert await asyncio.to_thread(
                wait_until, lambda: holder(plane) == f"operator-{1 - leader}", LEASE_SECONDS + 6
            )
            assert time.monotonic() - killed > LEASE_SECONDS / 2, "taken over while the holder could live"
            true_ledger(world, owner, 5, pods=came["201"])
            installed.operator(leader).restart()
            async with world.client(alice) as client:
                await fill(client, *(storming.pod(f"r{n}", where) for n in range(100 - came["201"])))
                full = await client.create_pod(storming.pod("full", where))
                assert [cause["reason"] for cause in full.causes] == [FULL_PODS], full
                true_ledger(world, owner, 5, pods=100)
                assert (await client.delete_pod(where, _stored(plane, where))).ok
            true_ledger(world, owner, 3, pods=99)
            assert watch.excesses == []


async def test_a_frozen_operator_cannot_lower_a_ledger(
    plane: ControlPlane, installed: Installation, leader: int
) -> None:
    with World(plane, installed) as world:
        alice, where = world.user("alice"), world.namespace()
        owner, before = world.owner(alice), epoch(plane)
        world.group("students", subjects=[owner], aggregate={"pods": 60})
        async with PodWatch(plane, {owner: {"pods": 60}}) as watch:
            first = [(alice, storming.pod(f"p{number}", where)) for number in range(20)]
            await all_at_once(first[:10])
            await all_at_once(first[10:])  # a fold of these is under way, or due
            installed.operator(leader).pause()
            assert await asyncio.to_thread(wait_until, lambda: epoch(plane) == before + 1, 15)
            more = [(alice, storming.pod(f"q{number}", where)) for number in range(30)]
            assert tally(await all_at_once(more)) == {"201": 30}
            true_ledger(world, owner, 5, pods=50)
            installed.operator(leader).resume()
            until, lowest = time.monotonic() + 3, 50
            storm = asyncio.create_task(
                all_at_once([(alice, storming.pod(f"r{number}", where)) for number in range(40)])
            )
            while time.monotonic() < until:
                lowest = min(lowest, await asyncio.to_thread(folded, world, owner))
            assert lowest == 50, f"the ledger fell to {lowest} while 50 pods were stored"
            assert tally(await storm) == {"201": 10, FULL_PODS: 30}
            await watch.caught_up()
            assert watch.excesses == []
            true_ledger(world, owner, 5, pods=60)
        assert (epoch(plane), holder(plane)) == (before + 1, f"operator-{1 - leader}")
        assert installed.metrics(f"operator-{leader}")["labquota_operator_leader"] == 0


async def test_without_an_operator_a_refusal_is_an_outage_and_answered_as_the_group_says(
    plane: ControlPlane, installed: Installation, leader: int
) -> None:
    with World(plane, installed) as world:
        alice, bob, where = world.user("alice"), world.user("bob"), world.namespace()
        lenient, strict = world.owner(alice), world.owner(bob)
        world.group("students", subjects=[lenient], aggregate={"pods": 1})
        world.group("guests", subjects=[strict], aggregate={"pods": 1}, on_error="Deny")
        installed.operator(1 - leader).kill()
        installed.operator(leader).kill()
        async with world.client(alice) as alices, world.client(bob) as bobs:
            fits = [
                await alices.create_pod(storming.pod("a", where)),
                await bobs.create_pod(storming.pod("b", where)),
            ]
            assert [answer.status for answer in fits] == [201, 201], "what fits needs no operator"
            early = await alices.create_pod(storming.pod("early", where))
            assert early.causes[0]["reason"] == FULL_PODS, early
            await asyncio.sleep(16)
            allowed = await alices.create_pod(storming.pod("late", where))
            refused = await bobs.create_pod(storming.pod("late-too", where))
        assert allowed.status == 201
        assert allowed.warnings == (f"labquota did not check this pod: {NO_OPERATOR}",)
        assert refused.status == 403
        assert (
            f"BUDGET_UNAVAILABLE: {strict}'s budget cannot be checked now ({NO_OPERATOR})" in refused.message
        )
        lines = [line for number in range(2) for line in installed.log(f"webhook-{number}")]
        failures = {
            line["message"]: line for line in lines if line["level"] == "ERROR" and line["namespace"] == where
        }
        assert set(failures) == {"failed_open", "failed_closed"}, json.dumps(failures)
        for word, owner, pod in (("failed_open", lenient, "late"), ("failed_closed", strict, "late-too")):
            line = failures[word]
            assert (line["owner"], line["pod"], line["error"]) == (owner, pod, NO_OPERATOR)
        for number in range(2):
            installed.operator(number).restart()
        true_ledger(world, lenient, LEASE_SECONDS + 6, pods=2)

        def message() -> str:
            pod, path = storming.pod("again", where), f"/api/v1/namespaces/{where}/pods?dryRun=All"
            return str(alice.client().call("POST", path, pod)[1].get("message", ""))

        text = f"{lenient} asked pods 1, used 2 of 1 pods"
        assert await asyncio.to_thread(wait_until, lambda: text in message(), 5), message()


def _stored(plane: ControlPlane, namespace: str) -> str:
    items = plane.client.get(f"/api/v1/namespaces/{namespace}/pods?limit=1")["items"]
    return str(items[0]["metadata"]["name"])
