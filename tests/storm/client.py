"""One of a person's clients: makes pods, loses patience, tries names twice, resizes, finishes and deletes, by dice."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp

from harness import Answer, AsyncClient, manifests
from harness.clients import pods
from harness.manifests import Manifest
from storm.population import LEAST, Person

__all__ = ["Client", "Whole"]

HELD = {"controlplane/hold": "true"}
ENDS = {"controlplane/outcome": "Succeeded"}
_PATIENCE = 20.0
_THINKING = 0.4
"""Seconds between two calls, on average."""
_MOST_KEPT = 40

Call = Callable[[AsyncClient], Awaitable[Answer]]


@dataclass(frozen=True)
class Whole:
    """What all clients of a storm share."""

    namespaces: tuple[str, ...]
    over: asyncio.Event
    """Set when the storm is over."""
    answers: Counter[str]
    """Which call was answered how; `none` where no answer came."""

    async def rest(self, seconds: float) -> bool:
        """Wait; whether the storm still goes on after it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), seconds)
        return not self.over.is_set()


class Client:
    """One of a person's clients.

    Args:
        whole: what it shares with the others.
        person: whose it is.
        number: which of theirs.
        calls: one for each API server.
        dice: decide what it does.
    """

    def __init__(
        self, whole: Whole, person: Person, number: int, calls: Sequence[AsyncClient], dice: random.Random
    ) -> None:
        self._whole, self._person, self._calls, self._dice = whole, person, calls, dice
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
        while await self._whole.rest(self._dice.expovariate(1 / _THINKING)):
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
                answer = await call(self._dice.choice(self._calls))
        word = "none" if answer is None else _word(answer)
        self._whole.answers[f"{deed}: {word}"] += 1
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
            dice.choice(self._whole.namespaces),
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
