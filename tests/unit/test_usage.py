import asyncio
import json
import logging
from typing import Any

import pytest

from labquota.controllers import usage
from labquota.controllers.budgets import Budgets
from labquota.controllers.pacing import Pace
from labquota.controllers.pods import Pods
from labquota.controllers.usage import PATH, Usage
from labquota.kube import errors
from labquota.kube.ledgers import Ledgers, Stored
from labquota.quota import owners
from labquota.quota.ledger import Ledger
from labquota.quota.world import World
from unit.builders import ALICE, create, group, override, world
from unit.operators import charge
from unit.simulated import START, Clock, Cluster, Fault, run

WHERE = f"{PATH}/{owners.object_name(ALICE)}"


class Desk:
    """What publishes budgets, with a view that the test fills."""

    def __init__(self, of: World) -> None:
        self.cluster, clock = Cluster(), Clock()
        self.view, self.store = Pods(of, lambda _owner, _freed: None), Ledgers(self.cluster)
        self.usage = Usage(
            self.cluster, self.view, self.store, Budgets(self.view, of, clock), Pace(clock, 100)
        )

    def shows(self, name: str, kind: str = "ADDED", **asks: Any) -> None:
        self.view.changed(kind, charge(self.view, name, **asks), "9")
        self.usage.touch(ALICE)

    def stored(self) -> dict[str, Any]:
        status: dict[str, Any] = self.cluster.objects[WHERE]["status"]
        return status

    def condition(self, kind: str) -> tuple[str, str, str]:
        (found,) = [each for each in self.stored()["conditions"] if each["type"] == kind]
        return found["status"], found["reason"], found["message"]


async def publishing(desk: Desk, seconds: float = 2.5) -> None:
    task = asyncio.create_task(desk.usage.run())
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_pod_that_is_in_the_view_is_used_and_no_longer_reserved() -> None:
    async def scenario() -> None:
        desk = Desk(world(group(aggregate={"gpu": 1})))
        desk.shows("a", gpu=1)
        (seen,) = desk.view.pods_of(ALICE)
        still = Ledger(reservations=(create("a", seen.uid, gpu=1),))
        desk.store.changed("ADDED", Stored(ALICE, still, "9", "u"), "9")
        await publishing(desk)
        status = desk.stored()
        assert (status["used"]["gpu"], status["reserved"], status["overLimit"]) == ("1", {}, [])

    run(scenario())


def test_a_budget_says_what_is_allowed_by_whom_used_and_reserved() -> None:
    async def scenario() -> None:
        limited = group(aggregate={"gpu": 3, "memory": "96Gi", "pods": 2})
        desk = Desk(world(limited, override(aggregate={"pods": "unlimited"})))
        desk.shows("a", gpu=1, memory="4Gi")
        desk.shows("b", gpu=2)
        desk.store.changed("ADDED", Stored(ALICE, Ledger(reservations=(create("c", gpu=1),)), "9", "u"), "9")
        await publishing(desk)
        status = desk.stored()
        assert (status["group"], status["enforcement"], status["overLimit"]) == ("student", "Enforce", [])
        assert status["limits"] == {
            "gpu": {"limit": "3", "source": "ResourceLimitGroup/student"},
            "pods": {"limit": "unlimited", "source": "ResourceLimitOverride/deadline"},
            "requests.memory": {"limit": "96Gi", "source": "ResourceLimitGroup/student"},
        }
        assert status["used"]["gpu"] == "3"
        assert status["used"]["requests.memory"] == "4Gi"
        assert status["reserved"] == {"gpu": "1"}
        summary = status["summary"]
        assert (summary["gpu"], summary["cpu"], summary["memory"], summary["pods"]) == (
            "3/3",
            "0",
            "4Gi/96Gi",
            "2",
        )
        assert [pod["name"] for pod in status["pods"]] == ["b", "a"]
        assert status["pods"][0]["uses"]["gpu"] == "2"
        assert desk.cluster.objects[WHERE]["spec"] == {"owner": "user:alice"}

    run(scenario())


def test_above_a_limit_the_condition_and_the_keys_say_so() -> None:
    async def scenario() -> None:
        desk = Desk(world(group(aggregate={"gpu": 1, "pods": 1})))
        desk.shows("a", gpu=2)
        desk.shows("b")
        await publishing(desk)
        assert desk.stored()["overLimit"] == ["gpu", "pods"]
        assert desk.condition("OverLimit") == ("True", "AboveLimit", "holds more than allowed of: gpu, pods")
        assert desk.usage.over_limit() == [ALICE]
        desk.shows("a", "DELETED", gpu=2)
        await publishing(desk)
        assert desk.condition("OverLimit") == ("False", "WithinLimits", "")
        assert desk.usage.over_limit() == []

    run(scenario())


def test_pods_that_passed_the_webhook_are_named_until_they_are_gone(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        desk = Desk(world(group(aggregate={"gpu": 3})))
        for number in range(7):
            desk.shows(f"p{number}")
        desk.usage.folded(
            Stored(ALICE, Ledger(), "9"), {f"uid-p{number}" for number in range(7)} | {"uid-gone"}
        )
        await publishing(desk)
        names = ", ".join(f"lab/p{number}" for number in range(5))
        text = f"charged, though the webhook did not see them: {names} and 2 more"
        assert desk.condition("Bypassed") == ("True", "PodsPassedWebhook", text)
        for number in range(7):
            desk.shows(f"p{number}", "MODIFIED", phase="Succeeded")
        await publishing(desk)
        assert desk.condition("Bypassed") == ("False", "AllPodsChecked", "")

    run(scenario())
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert (record.message, record.__dict__["owner"]) == ("pods passed the webhook", "user:alice")


def test_pods_of_an_owner_whom_nothing_limits_have_passed_nothing() -> None:
    async def scenario() -> None:
        desk = Desk(world())
        desk.shows("a")
        desk.usage.folded(Stored(ALICE, Ledger(), "9"), {"uid-a"})
        await publishing(desk)
        assert desk.condition("Bypassed")[0] == "False"
        assert (desk.stored()["group"], desk.stored()["enforcement"]) == ("", "Off")

    run(scenario())


def test_one_owner_is_published_at_most_once_a_second_and_only_when_something_has_changed() -> None:
    async def scenario() -> None:
        desk = Desk(world(group(aggregate={"gpu": 3})))
        desk.shows("a", gpu=1)
        task = asyncio.create_task(desk.usage.run())
        for number in range(50):
            desk.shows("a", "MODIFIED", gpu=number % 3 + 1)
            await asyncio.sleep(0.1)
        await asyncio.sleep(3)
        task.cancel()
        writes = desk.cluster.count("patch")
        assert 4 <= writes <= 7
        desk.usage.touch(ALICE)
        await publishing(desk)
        assert desk.cluster.count("patch") == writes

    run(scenario())


def test_a_budget_is_removed_with_the_owners_last_pod_and_ledger() -> None:
    async def scenario() -> None:
        desk = Desk(world(group(aggregate={"gpu": 3})))
        desk.shows("a", gpu=1)
        await publishing(desk)
        desk.shows("a", "DELETED", gpu=1)
        await publishing(desk)
        assert WHERE not in desk.cluster.objects

    run(scenario())


def test_what_cannot_be_written_now_is_tried_again() -> None:
    async def scenario() -> None:
        desk = Desk(world(group(aggregate={"gpu": 3})))
        desk.cluster.plan("create", Fault(errors.Unreachable("away"), "after"))
        desk.cluster.plan("patch", Fault(errors.Unreachable("away")))
        desk.shows("a", gpu=1)
        await publishing(desk, 5)
        assert desk.stored()["summary"]["gpu"] == "1/3"

    run(scenario())


def test_our_own_word_that_comes_back_is_no_reason_to_look_again() -> None:
    async def scenario() -> None:
        desk = Desk(world(group(aggregate={"gpu": 3})))
        desk.shows("a", gpu=1)
        await publishing(desk)
        desk.shows("a", "MODIFIED", gpu=2)
        await publishing(desk, 0.1)
        writes = desk.cluster.count("patch")
        desk.shows("a", "MODIFIED", gpu=3)
        desk.usage._dirty.clear()  # noqa: SLF001  the change is held back, so that a look would show
        desk.usage.changed("MODIFIED", usage.decode(json.dumps(desk.cluster.objects[WHERE]).encode()), "99")
        await publishing(desk)
        assert desk.cluster.count("patch") == writes

    run(scenario())


def test_what_somebody_else_wrote_is_put_right() -> None:
    async def scenario() -> None:
        desk = Desk(world(group(aggregate={"gpu": 3})))
        desk.shows("a", gpu=1)
        await publishing(desk)
        forged = json.loads(json.dumps(desk.cluster.objects[WHERE]))
        forged["status"]["summary"]["gpu"] = "0/3"
        item = usage.decode(json.dumps(desk.cluster.store(WHERE, forged)).encode())
        desk.usage.changed("MODIFIED", item, "99")
        await publishing(desk)
        assert desk.stored()["summary"]["gpu"] == "1/3"
        desk.cluster.drop(WHERE)
        desk.usage.changed("DELETED", item, "100")
        await publishing(desk)
        assert desk.stored()["summary"]["gpu"] == "1/3"
        assert desk.stored()["conditions"][0]["lastTransitionTime"].startswith(
            START.strftime("%Y-%m-%dT%H:%M")
        )

    run(scenario())
