"""API servers away: a replica that cannot reach its own answers as the group says; a restart is no way past a limit."""

import asyncio
import itertools
import time
from collections.abc import Iterator

import pytest

from controlplane import ControlPlane
from controlplane.process import wait_until
from harness import Installation, World, probe, storming
from harness.storming import all_at_once, tally, true_ledger
from harness.watching import PodWatch

CREATE_SECONDS = 6
WATCHED_SECONDS = 4
"""After which a replica follows an API server that is back: until then it does not hear of new groups."""
FULL_PODS = "AGGREGATE_PODS_QUOTA_EXCEEDED"
UNAVAILABLE = "BUDGET_UNAVAILABLE"


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """Two API servers on one etcd; replica 0 and the operator use the first, replica 1 the second."""
    own = ControlPlane(apiservers=2).start()
    try:
        yield own
    finally:
        own.stop(keep_logs=request.session.testsfailed > 0)


@pytest.fixture(scope="module")
def installed(plane: ControlPlane) -> Iterator[Installation]:
    """labquota as shipped, but for the time after which a reservation is given up."""
    with Installation(plane, settings={"create_seconds": CREATE_SECONDS}) as installation:
        yield installation


async def test_a_replica_that_cannot_reach_the_api_server_answers_as_the_group_says(
    plane: ControlPlane, installed: Installation
) -> None:
    with World(plane, installed) as world:
        alice, bob, carol = (world.user(name) for name in ("alice", "bob", "carol"))
        lenient, strict, where = world.owner(alice), world.owner(bob), world.namespace()
        world.group("students", subjects=[lenient], aggregate={"pods": 3})
        world.group("guests", subjects=[strict], aggregate={"pods": 3}, on_error="Deny")
        installed.webhook(0).kill()
        probe.wait(plane, [storming.WEBHOOK])  # over the one replica that is left
        plane.apiserver(1).kill()
        began = time.monotonic()
        async with world.client(alice) as alices, world.client(bob) as bobs, world.client(carol) as carols:
            allowed, refused, unlimited = await asyncio.gather(
                alices.create_pod(storming.pod("a", where)),
                bobs.create_pod(storming.pod("b", where)),
                carols.create_pod(storming.pod("c", where)),
            )
        took = time.monotonic() - began
        plane.apiserver(1).restart()
        installed.webhook(0).restart()
        await asyncio.sleep(WATCHED_SECONDS)

        assert allowed.status == 201
        assert allowed.warnings[0].startswith("labquota did not check this pod: ")
        assert refused.status == 403
        assert refused.causes[0]["reason"] == UNAVAILABLE
        assert f"{UNAVAILABLE}: {strict}'s budget cannot be checked now (" in refused.message
        assert unlimited.status == 201
        assert unlimited.warnings == (), "who has no limit needs no ledger"
        assert took < 10, f"answered after {took:.1f} s: the API server's own time-out opens the gate at 10 s"
        assert probe.failed_open(plane.client, storming.WEBHOOK) == 0
        lines = [line for line in installed.log("webhook-1") if line.get("namespace") == where]
        errors = [(line["message"], line["owner"], line["pod"]) for line in lines if line["level"] == "ERROR"]
        assert sorted(errors) == [("failed_closed", strict, "b"), ("failed_open", lenient, "a")]
        assert all(line["error"] for line in lines if line["level"] == "ERROR")
        true_ledger(world, lenient, 3, pods=1)


@pytest.mark.parametrize("killed", [(1,), (0, 1)], ids=["one of two", "both, one after the other"])
async def test_api_servers_killed_in_mid_storm_cost_no_pod_too_many(
    plane: ControlPlane, installed: Installation, killed: tuple[int, ...]
) -> None:
    with World(plane, installed) as world:
        alice, where = world.user("alice"), world.namespace()
        owner = world.owner(alice)
        # Deny: an answer without a judgement would be no evidence against the ledger.
        world.group("students", subjects=[owner], aggregate={"pods": 80}, on_error="Deny")
        async with PodWatch(plane, {owner: {"pods": 80}}) as watch:
            names = (f"p{number}" for number in itertools.count())
            answers = []
            for number in killed:
                halves = [
                    [(alice, storming.pod(next(names), where)) for _ in range(60)]
                    for _ in range(len(plane.servers))
                ]
                storm = asyncio.gather(
                    *(all_at_once(half, clients=8, server=server) for server, half in enumerate(halves))
                )
                await asyncio.sleep(0.25)
                assert not storm.done(), "the storm was over before the API server was killed"
                plane.apiserver(number).kill()
                await asyncio.to_thread(plane.apiserver(number).restart)
                await asyncio.sleep(WATCHED_SECONDS)
                for some in await storm:
                    answers += some
            await watch.caught_up()
            counts = tally(answers)
            assert watch.excesses == []
            assert counts["none"] > 0, f"no call was cut off, so nothing was tried: {counts}"
            assert counts["201"] <= watch.held(owner) <= 80
            # A create that was cut off may be stored or not: either way its reservation ends.
            held = int(watch.held(owner))
            true_ledger(world, owner, CREATE_SECONDS + 10, pods=held)
            settled = await asyncio.to_thread(wait_until, lambda: _is_asked(plane), 10)
            assert settled, "an API server has lost the webhook"
            rest = [(alice, storming.pod(next(names), where)) for _ in range(100)]
            counts = tally(await all_at_once(rest))
            await watch.caught_up()
            assert watch.excesses == []
            assert [counts["201"], watch.held(owner)] == [80 - held, 80], counts
            true_ledger(world, owner, 5, pods=80)


def _is_asked(plane: ControlPlane) -> bool:
    probe.wait(plane, [storming.WEBHOOK])
    return True
