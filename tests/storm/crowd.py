"""64 clients who make pods, lose patience, try names twice, resize, finish and delete, each by dice of their own."""

import asyncio
import contextlib
import dataclasses
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp

from harness import Answer, AsyncClient, manifests
from harness.clients import pods
from harness.manifests import Manifest
from storm.population import LEAST, PEOPLE, People, Person

__all__ = ["Crowd"]

HELD = {"controlplane/hold": "true"}
ENDS = {"controlplane/outcome": "Succeeded"}
_PATIENCE = 20.0
_THINKING = 0.4
"""Seconds between two calls of one client, on average."""
_MOST_KEPT = 40

Call = Callable[[AsyncClient], Awaitable[Answer]]


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
        self._over = asyncio.Event()

    def stop(self) -> None:
        """Let every client finish its call and go."""
        self._over.set()

    async def run(self) -> None:
        """Until `stop`."""
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            for person in PEOPLE:
                user = self._people.users[person.name]
                reached = dataclasses.replace(user, servers=tuple(self._urls))
                clients = [
                    await stack.enter_async_context(AsyncClient(reached, server=number, connections=16))
                    for number in range(len(self._urls))
                ]
                for number in range(person.clients):
                    dice = random.Random(f"{self._seed} {person.name} {number}")
                    tasks.create_task(_Client(self, person, number, clients, dice).run())

    async def rest(self, seconds: float) -> bool:
        """Wait; whether the storm still goes on after it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)
        return not self._over.is_set()

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Where pods are made."""
        return self._people.namespaces


class _Client:
    """One of a person's clients."""

    def __init__(
        self, crowd: Crowd, person: Person, number: int, clients: list[AsyncClient], dice: random.Random
    ) -> None:
        self._crowd, self._person, self._clients, self._dice = crowd, person, clients, dice
        self._tag = f"{person.name}-{number}"
        self._serial = itertools.count()
        self._mine: list[tuple[str, str]] = []

    async def run(self) -> None:
        """Call after call."""
        weighted = [
            (self._create, 38),
            (self._create_twice, 6),
            (self._try, 6),
            (self._finish, 8),
            (self._delete, 26),
            (self._resize, 10),
            (self._shrink, 6),
        ]
        deeds, weights = zip(*weighted, strict=True)
        while await self._crowd.rest(self._dice.expovariate(1 / _THINKING)):
            await self._dice.choices(deeds, weights)[0]()

    async def _create(self) -> None:
        name, generated = f"{self._tag}-{next(self._serial)}", self._dice.random() < 0.3
        ends = self._dice.random() < 0.15
        made = self._pod(f"{name}-" if generated else name, generated=generated, ends=ends)
        answer = await self._send("create", lambda client: client.create_pod(made))
        if answer is not None and answer.ok:
            self._keep(made["metadata"]["namespace"], answer.body["metadata"]["name"])
        elif answer is None and not generated:
            self._keep(made["metadata"]["namespace"], name)  # it may be there

    async def _create_twice(self) -> None:
        """A name that this person's other clients try as well: most of these end in AlreadyExists."""
        made = self._pod(f"{self._person.name}-shared-{self._dice.randrange(3)}", generated=False, ends=False)
        await self._send("create a taken name", lambda client: client.create_pod(made))
        self._keep(made["metadata"]["namespace"], made["metadata"]["name"])

    async def _try(self) -> None:
        made = self._pod(f"{self._tag}-dry", generated=False, ends=False)
        await self._send("dry run", lambda client: client.create_pod(made, dryRun="All"))

    async def _finish(self) -> None:
        """Have a fake kubelet complete a pod that runs."""
        if self._mine:
            where, name = self._dice.choice(self._mine)
            patch = {"metadata": {"annotations": {**dict.fromkeys(HELD), **ENDS}}}
            await self._send("finish", lambda client: client.patch(f"{pods(where)}/{name}", patch))

    async def _delete(self) -> None:
        if self._mine:
            where, name = self._mine.pop(self._dice.randrange(len(self._mine)))
            answer = await self._send("delete", lambda client: client.delete_pod(where, name))
            if answer is None or answer.status >= 500:
                self._keep(where, name)

    async def _resize(self) -> None:
        await self._to(
            "resize", cpu=f"{self._dice.randint(1, 12)}00m", memory=f"{64 * self._dice.randint(1, 6)}Mi"
        )

    async def _shrink(self) -> None:
        await self._to("shrink", **LEAST)

    async def _to(self, deed: str, **amounts: str) -> None:
        if self._mine:
            where, name = self._dice.choice(self._mine)
            patch = manifests.resize({"main": amounts})
            await self._send(deed, lambda client: client.resize_pod(where, name, patch))

    async def _send(self, deed: str, call: Call) -> Answer | None:
        """One call over one of the API servers; now and then of one who hangs up early."""
        patience = self._dice.expovariate(4) if self._dice.random() < 0.05 else _PATIENCE
        answer = None
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with asyncio.timeout(patience):
                answer = await call(self._dice.choice(self._clients))
        word = "none" if answer is None else _word(answer)
        self._crowd.answers[f"{deed}: {word}"] += 1
        return answer

    def _keep(self, where: str, name: str) -> None:
        self._mine.append((where, name))
        if len(self._mine) > _MOST_KEPT:
            self._mine.pop(0)

    def _pod(self, name: str, *, generated: bool, ends: bool) -> Manifest:
        dice = self._dice
        requests = {self._person.gpu: dice.randint(1, 2)} if self._person.gpu and dice.random() < 0.7 else {}
        return manifests.pod(
            name,
            dice.choice(self._crowd.namespaces),
            generate_name=generated,
            annotations=ENDS if ends else None if dice.random() < 0.5 else HELD,
            spec={} if ends or dice.random() < 0.3 else {"schedulerName": "nobody"},
            requests=requests,
            limits=requests,
            cpu=f"{dice.randint(1, 6)}00m",
            memory=f"{64 * dice.randint(1, 4)}Mi",
        )


def _word(answer: Answer) -> str:
    """Its status, or the codes of a refusal."""
    codes = sorted(
        {str(cause.get("reason", "")) for cause in answer.causes if "_" in cause.get("reason", "")}
    )
    return " ".join(codes) or str(answer.status)
