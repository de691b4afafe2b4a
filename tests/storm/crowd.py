"""64 clients who make pods, lose patience, try names twice, resize, finish and delete, each by dice of their own."""

import asyncio
import dataclasses
import random
from collections import Counter
from contextlib import AsyncExitStack

from harness import AsyncClient
from storm.client import Client, Whole
from storm.population import PEOPLE, People

__all__ = ["Crowd"]

_CONNECTIONS = 16
"""The most of one person to one API server: no person has more clients."""


class Crowd:
    """All clients of one storm.

    Args:
        people: who they are.
        ports: how they reach each API server.
        seed: decides what each does; what is answered decides nothing but what there is to delete and resize.

    Attributes:
        answers: how often which call was answered how; `none` where no answer came.
    """

    def __init__(self, people: People, ports: list[int], seed: int) -> None:
        self._people, self._urls, self._seed = people, [f"https://127.0.0.1:{port}" for port in ports], seed
        self.answers: Counter[str] = Counter()
        self._whole = Whole(people.namespaces, asyncio.Event(), self.answers)

    def stop(self) -> None:
        """Let every client finish its call and go."""
        self._whole.over.set()

    async def run(self) -> None:
        """Until `stop`."""
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            for person in PEOPLE:
                user = self._people.users[person.name]
                reached = dataclasses.replace(user, servers=tuple(self._urls))
                calls = [
                    await stack.enter_async_context(
                        AsyncClient(reached, server=number, connections=_CONNECTIONS)
                    )
                    for number in range(len(self._urls))
                ]
                for number in range(person.clients):
                    dice = random.Random(f"{self._seed} {person.name} {number}")
                    tasks.create_task(Client(self._whole, person, number, calls, dice).run())
