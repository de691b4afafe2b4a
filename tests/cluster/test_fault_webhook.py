"""Both replicas away: pods pass, as shipped; they are charged at once, named, counted and complained about."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from controlplane import ControlPlane
from controlplane.process import wait_until
from harness import Installation, World, probe, storming
from harness.storming import true_ledger

BYPASSED = "labquota_operator_pods_bypassed_total"


@pytest.fixture(scope="module")
def installed(plane: ControlPlane) -> Iterator[Installation]:
    """labquota as shipped."""
    with Installation(plane) as installation:
        yield installation


def condition(world: World, owner: str, kind: str) -> dict[str, Any]:
    """One condition of an owner's OwnerUsage; empty while there is none."""
    found = world.usage(owner).get("conditions", [])
    return next((each for each in found if each["type"] == kind), {})


def test_pods_that_pass_an_absent_webhook_are_charged_named_and_counted(
    plane: ControlPlane, installed: Installation
) -> None:
    with World(plane, installed) as world:
        alice, bob, where = world.user("alice"), world.user("bob"), world.namespace()
        limited, free = world.owner(alice), world.owner(bob)
        world.group("students", subjects=[limited], aggregate={"pods": 2})
        alices, bobs = alice.client(), bob.client()
        alices.create(f"/api/v1/namespaces/{where}/pods", storming.pod("before", where))
        counted = installed.metrics("operator-0").get(BYPASSED, 0)
        for number in range(2):
            installed.webhook(number).kill()

        for number in range(3):
            alices.create(f"/api/v1/namespaces/{where}/pods", storming.pod(f"past{number}", where))
            bobs.create(f"/api/v1/namespaces/{where}/pods", storming.pod(f"free{number}", where))
        true_ledger(world, limited, 2, pods=4)

        assert wait_until(lambda: condition(world, limited, "Bypassed").get("status") == "True", 3)
        text = f"{where}/past0, {where}/past1, {where}/past2"
        named = condition(world, limited, "Bypassed")
        assert named["reason"] == "PodsPassedWebhook"
        assert named["message"] == f"charged, though the webhook did not see them: {text}"
        assert condition(world, limited, "OverLimit")["message"] == "holds more than allowed of: pods"
        assert condition(world, free, "Bypassed").get("status", "False") == "False"
        assert installed.metrics("operator-0")[BYPASSED] == counted + 3
        errors = [line for line in installed.log("operator-0") if line["level"] == "ERROR"]
        complaints = {pod for line in errors if line.get("owner") == limited for pod in line["pods"]}
        assert complaints == {f"{where}/past{number}" for number in range(3)}

        for number in range(2):
            installed.webhook(number).restart()
        probe.wait(plane, [storming.WEBHOOK])
        status, answer = alices.call("POST", f"/api/v1/namespaces/{where}/pods", storming.pod("after", where))
        assert (status, answer["reason"]) == (403, "Forbidden"), answer
        assert f"{limited} asked pods 1, used 4 of 2 pods" in answer["message"]
        for name in ("past0", "past1", "past2"):
            alices.delete(f"/api/v1/namespaces/{where}/pods/{name}")
        assert wait_until(lambda: condition(world, limited, "Bypassed").get("status") == "False", 4)
        assert condition(world, limited, "Bypassed")["message"] == ""


def test_one_replica_that_hangs_is_not_waited_for_longer_than_the_deadline(
    plane: ControlPlane, installed: Installation
) -> None:
    """A frozen replica keeps its connections: the API server waits for its time-out, then lets the pod pass."""
    with World(plane, installed) as world:
        alice, where = world.user("alice"), world.namespace()
        owner = world.owner(alice)
        world.group("students", subjects=[owner], aggregate={"pods": 0})
        for number in range(2):
            installed.webhook(number).pause()
        try:
            began = time.monotonic()
            alice.client().create(f"/api/v1/namespaces/{where}/pods", storming.pod("past", where))
            took = time.monotonic() - began
        finally:
            for number in range(2):
                installed.webhook(number).resume()
        assert 9 < took < 15, f"a create took {took:.1f} s"
        true_ledger(world, owner, 3, pods=1)
        status, answer = alice.client().call(
            "POST", f"/api/v1/namespaces/{where}/pods", storming.pod("next", where)
        )
        assert (status, answer["message"].split(": ")[1]) == (403, "AGGREGATE_PODS_QUOTA_EXCEEDED")


async def test_a_quantity_that_the_api_server_itself_chokes_on_opens_no_gate(
    plane: ControlPlane, installed: Installation
) -> None:
    """Kubernetes computes 10 to the power of 999,999,999 in full. Last, since it goes on doing so after its answer."""
    with World(plane, installed) as world:
        alice, where = world.user("alice"), world.namespace()
        world.group("students", subjects=[world.owner(alice)], aggregate={"cpu": 0})
        pod = storming.pod("a", where, requests={"cpu": "1e999999999"}, limits={"cpu": "1e999999999"})
        with storming.nothing_unchecked(plane, installed):
            async with world.client(alice) as client:
                # It answers 504, or drops the connection.
                with contextlib.suppress(aiohttp.ServerDisconnectedError):
                    answer = await client.create_pod(pod, timeout="3s")
                    assert answer.status in (403, 504), answer
                assert await client.list(f"/api/v1/namespaces/{where}/pods") == []
