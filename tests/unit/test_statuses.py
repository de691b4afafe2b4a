import asyncio
from typing import Any

import pytest

from labquota.api import API_VERSION
from labquota.controllers.budgets import Budgets
from labquota.controllers.pacing import Pace
from labquota.controllers.pods import Pods
from labquota.controllers.statuses import Statuses
from labquota.controllers.usage import Usage
from labquota.kube import errors
from labquota.kube.ledgers import Ledgers, Stored
from labquota.quota.ledger import Ledger
from labquota.quota.world import World
from unit.builders import ALICE, BOB, group
from unit.operators import charge
from unit.simulated import Clock, Cluster, Fault, run

GROUPS, OVERRIDES = (f"/apis/{API_VERSION}/resourcelimit{kind}" for kind in ("groups", "overrides"))


class Desk:
    """What writes statuses, with objects that the test stores and shows."""

    def __init__(self) -> None:
        self.cluster, self.world, clock = Cluster(), World(), Clock()
        self.view, self.store = Pods(self.world, lambda _owner, _freed: None), Ledgers(self.cluster)
        pace = Pace(clock, 100)
        self.usage = Usage(self.cluster, self.view, self.store, Budgets(self.view, self.world, clock), pace)
        self.statuses = Statuses(self.cluster, self.world, self.usage, self.store, clock, pace)

    def group(self, name: str = "student", **spec: Any) -> None:
        spec = {"defaultFor": ["User"], **spec}
        item = self.cluster.store(
            f"{GROUPS}/{name}", {"metadata": {"name": name, "generation": 4}, "spec": spec}
        )
        self.statuses.see_group(item, gone=False)
        self.world.put_group(group(name, **spec))

    def override(self, name: str = "deadline", **spec: Any) -> None:
        item = {"metadata": {"name": name, "generation": 2}, "spec": {"owner": ALICE, **spec}}
        self.statuses.see_override(self.cluster.store(f"{OVERRIDES}/{name}", item), gone=False)

    def status(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.objects[path]["status"]
        return found

    def ready(self, path: str) -> tuple[str, str, str]:
        (found,) = self.status(path)["conditions"]
        return found["status"], found["reason"], found["message"]


async def writing(desk: Desk, seconds: float = 0.5) -> None:
    tasks = [asyncio.create_task(desk.usage.run()), asyncio.create_task(desk.statuses.run())]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError)


def test_a_group_says_how_many_owners_it_has_and_how_many_are_above_a_limit() -> None:
    async def scenario() -> None:
        desk = Desk()
        desk.group(aggregate={"gpu": 1})
        for owner, gpus in ((ALICE, 2), (BOB, 1)):
            desk.view.changed("ADDED", charge(desk.view, owner[-3:], owner=owner, gpu=gpus), "9")
            desk.store.changed("ADDED", Stored(owner, Ledger(), "9"), "9")
            desk.usage.touch(owner)
        await writing(desk, 2.5)
        status = desk.status(f"{GROUPS}/student")
        assert (status["owners"], status["overLimit"], status["observedGeneration"]) == (2, 1, 4)
        assert desk.ready(f"{GROUPS}/student") == ("True", "Accepted", "")
        assert status["conditions"][0]["observedGeneration"] == 4

    run(scenario())


def test_two_defaults_for_one_kind_are_named_with_the_one_that_decides() -> None:
    async def scenario() -> None:
        desk = Desk()
        desk.group("b", priority=5)
        desk.group("a")
        await writing(desk)
        text = "spec.defaultFor: User has several default groups (a, b); b decides"
        for name in "ab":
            assert desk.ready(f"{GROUPS}/{name}") == ("False", "Problems", text)

    run(scenario())


def test_what_cannot_be_read_shows_in_the_condition_and_what_is_priced_needs_no_word() -> None:
    async def scenario() -> None:
        desk = Desk()
        desk.group(aggregate={"gpu": "1.5", "gpu-memory": "80Gi", "pods": 2})
        await writing(desk)
        status, reason, message = desk.ready(f"{GROUPS}/student")
        assert (status, reason) == ("False", "Problems")
        assert message == 'spec.aggregate[gpu]: quantity "1.5" is not whole: gpu comes in whole units'

    run(scenario())


def test_an_override_says_whether_it_applies_now_and_turns_by_the_clock() -> None:
    async def scenario() -> None:
        desk = Desk()
        desk.override(notBefore="2026-03-01T08:00:10Z", expiresAt="2026-03-01T08:00:20Z")
        path = f"{OVERRIDES}/deadline"
        phases = []
        for at in (1, 11, 21):
            await writing(desk, at - asyncio.get_running_loop().time())
            item = desk.cluster.objects[path]
            desk.statuses.see_override(item, gone=False)
            phases.append(item["status"]["phase"])
        assert phases == ["Pending", "Active", "Expired"]
        assert desk.ready(path) == ("True", "Accepted", "")
        assert desk.status(path)["observedGeneration"] == 2

    run(scenario())


def test_an_override_of_nobody_says_so() -> None:
    async def scenario() -> None:
        desk = Desk()
        desk.override(owner="alice")
        await writing(desk)
        problem = 'spec.owner: owner "alice" is not of the form'
        assert desk.ready(f"{OVERRIDES}/deadline")[2].startswith(problem)

    run(scenario())


def test_a_status_that_is_true_already_is_not_written() -> None:
    async def scenario() -> None:
        desk = Desk()
        desk.group()
        await writing(desk)
        assert desk.cluster.count("patch") == 1
        desk.statuses.see_group(desk.cluster.objects[f"{GROUPS}/student"], gone=False)
        await writing(desk, 5)
        assert desk.cluster.count("patch") == 1

    run(scenario())


@pytest.mark.parametrize("error", [errors.Unreachable("away"), errors.ApiError(422, "Invalid", "no"), None])
def test_a_status_that_cannot_be_written_ends_nothing(error: Exception | None) -> None:
    async def scenario() -> None:
        desk = Desk()
        desk.group("a")
        desk.group("b", defaultFor=[])
        if error is None:
            desk.cluster.drop(f"{GROUPS}/a")  # removed, and the handler has not heard of it
        else:
            desk.cluster.plan("patch", Fault(error))
        await writing(desk)
        assert desk.ready(f"{GROUPS}/b")[0] == "True"

    run(scenario())


def test_what_is_gone_has_no_status() -> None:
    async def scenario() -> None:
        desk = Desk()
        desk.group()
        desk.statuses.see_group(desk.cluster.objects[f"{GROUPS}/student"], gone=True)
        await writing(desk, 3)
        assert desk.cluster.count("patch") == 0

    run(scenario())
