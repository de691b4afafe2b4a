import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from labquota.controllers.history import History
from labquota.controllers.pods import Pods
from labquota.kube.errors import Lost, Unreachable
from labquota.quota.world import World
from unit.simulated import run


class Present:
    """What the API server has now, and a view that follows when it is asked to."""

    def __init__(self, view: str, now: str) -> None:
        self.view = Pods(World(), lambda _owner, _freed: None)
        self.view.progressed(view)
        self.now = now
        self.away = 0
        self.relists = 0
        self.history = History(self.view, self.current, self.hurry, self.relist)

    async def current(self) -> str:
        if self.away:
            self.away -= 1
            raise Unreachable("no answer")
        return self.now

    def hurry(self) -> None:
        self.view.progressed(self.now)

    def relist(self) -> None:
        self.relists += 1
        self.view.replaced([], self.now)


def playing(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run(scenario())


def test_a_view_that_is_behind_is_hurried_until_it_is_of_now() -> None:
    async def scenario() -> None:
        present = Present(view="880", now="1000")
        await present.history.catch_up()
        assert (present.view.version, present.relists) == ("1000", 0)

    playing(scenario)


def test_a_view_of_a_history_that_a_restore_has_ended_is_listed_anew() -> None:
    async def scenario() -> None:
        present = Present(view="1000", now="600")
        await present.history.catch_up()
        assert (present.view.version, present.relists) == ("600", 1)

    playing(scenario)


def test_a_history_that_ends_while_leading_ends_the_epoch() -> None:
    async def scenario() -> None:
        present = Present(view="1000", now="1000")
        following = asyncio.create_task(present.history.follow())
        await asyncio.sleep(30)
        assert not following.done()
        present.now = "600"
        with pytest.raises(Lost, match="history that a restore of etcd has ended"):
            await following
        assert present.view.version == "600"

    playing(scenario)


def test_an_api_server_that_is_away_ends_nothing() -> None:
    async def scenario() -> None:
        present = Present(view="880", now="1000")
        present.away = 3
        await present.history.catch_up()
        assert present.view.version == "1000"

    playing(scenario)
