"""A witness of what owners hold, fed by nothing but the API server's watch on pods.

It knows nothing of labquota's arithmetic: it reads the stamp and the containers of stored pods, adds up by itself, and
compares after every single event, so that a limit which is broken for a millisecond is still seen.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from fractions import Fraction
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp

from controlplane import ControlPlane
from harness.clients import AsyncClient

__all__ = ["Excess", "PodWatch"]

PODS = "/api/v1/pods"
STAMP = "labquota.dev/owner"
_FREE = ("Succeeded", "Failed")
_UNITS = {"m": Fraction(1, 1000), "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30)}

Limits = Mapping[str, Mapping[str, int]]
"""The most of each resource by owner: `{"user:alice": {"pods": 3, "nvidia.com/gpu": 2}}`."""


class Excess(NamedTuple):
    """A moment at which an owner held more than allowed."""

    version: str
    """The resourceVersion of the pod that was the one too many."""
    owner: str
    resource: str
    held: Fraction
    limit: int

    def __str__(self) -> str:
        return f"{self.owner} held {self.resource} {self.held} of {self.limit} at version {self.version}"


class PodWatch:
    """Adds up what owners hold at every event; use it with `async with`.

    Args:
        plane: the control plane.
        limits: whom to look at, and what they may hold at most; `pods`, or resources as containers request them.
        server: the number of the API server to watch; it may be restarted.

    Attributes:
        excesses: every moment above a limit.
        events: how many events were seen.
        lists: how many times all pods were listed: more than 1 means that moments in between went unseen.
    """

    def __init__(self, plane: ControlPlane, limits: Limits, *, server: int = 0) -> None:
        self._limits = limits
        self._client = AsyncClient(plane.admin, server=server)
        self._pods: dict[str, tuple[str, dict[str, Fraction]]] = {}
        self._held = {owner: dict.fromkeys(each, Fraction()) for owner, each in limits.items()}
        self._peaks = {owner: dict.fromkeys(each, Fraction()) for owner, each in limits.items()}
        self.excesses: list[Excess] = []
        self.events = self.lists = 0
        self._moved = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        self._version = await self._list()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._client.__aexit__(kind, error, trace)

    def held(self, owner: str, resource: str = "pods") -> Fraction:
        """What an owner holds now."""
        return self._held[owner][resource]

    def peak(self, owner: str, resource: str = "pods") -> Fraction:
        """The most that an owner ever held since the start."""
        return self._peaks[owner][resource]

    async def reached(self, owner: str, amount: int, resource: str = "pods", seconds: float = 30) -> None:
        """Wait until an owner holds at least so much.

        Raises:
            TimeoutError: it takes too long.
        """
        async with asyncio.timeout(seconds):
            while self._held[owner][resource] < amount:
                self._moved.clear()
                await self._moved.wait()

    async def caught_up(self, seconds: float = 30) -> None:
        """Wait until every pod that is stored now was seen as it is, and every one that is gone was seen to go.

        Raises:
            AssertionError: it takes too long.
        """
        until = time.monotonic() + seconds
        missing: object = "no answer"
        while time.monotonic() < until:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, LookupError):
                stored = {pod["metadata"]["uid"]: self._charge(pod) for pod in await self._client.list(PODS)}
                wanted = {uid: charge for uid, charge in stored.items() if charge is not None}
                if wanted == self._pods:
                    return
                missing = set(wanted) ^ set(self._pods)
            await asyncio.sleep(0.1)
        raise AssertionError(f"the watch on pods has not caught up after {seconds:.0f} s: {missing}")

    async def _run(self) -> None:
        while True:
            try:
                params = {"resourceVersion": self._version, "allowWatchBookmarks": "true"}
                async for event in self._client.watch(PODS, **params):
                    if event["type"] == "ERROR":
                        self._version = await self._list()
                        break
                    self._take(event["type"], event["object"])
            except aiohttp.ClientResponseError as error:
                if error.status == 410:
                    self._version = await self._list()
                await asyncio.sleep(0.05)
            except (aiohttp.ClientError, TimeoutError, LookupError):
                await asyncio.sleep(0.05)  # the API server is away; the watch goes on from where it was

    async def _list(self) -> str:
        answer = await self._client.get(PODS)
        if not answer.ok:
            raise LookupError(answer.message)
        self.lists += 1
        found = {pod["metadata"]["uid"]: pod for pod in answer.body["items"]}
        for uid in [uid for uid in self._pods if uid not in found]:
            self._put(uid, None, "")
        for uid, pod in found.items():
            self._put(uid, self._charge(pod), pod["metadata"]["resourceVersion"])
        return str(answer.body["metadata"]["resourceVersion"])

    def _take(self, kind: str, pod: dict[str, Any]) -> None:
        version = pod["metadata"]["resourceVersion"]
        if kind != "BOOKMARK":
            self.events += 1
            self._put(pod["metadata"]["uid"], None if kind == "DELETED" else self._charge(pod), version)
        self._version = version
        self._moved.set()

    def _charge(self, pod: dict[str, Any]) -> tuple[str, dict[str, Fraction]] | None:
        """The owner and what the pod holds; None where it is free or nobody's that we look at."""
        owner = (pod["metadata"].get("annotations") or {}).get(STAMP, "")
        if owner not in self._limits or pod["status"]["phase"] in _FREE:
            return None
        return owner, {resource: _amount(pod, resource) for resource in self._limits[owner]}

    def _put(self, uid: str, charge: tuple[str, dict[str, Fraction]] | None, version: str) -> None:
        if (old := self._pods.pop(uid, None)) is not None:
            for resource, amount in old[1].items():
                self._held[old[0]][resource] -= amount
        if charge is None:
            return
        self._pods[uid] = charge
        owner, amounts = charge
        for resource, amount in amounts.items():
            held = self._held[owner][resource] = self._held[owner][resource] + amount
            self._peaks[owner][resource] = max(held, self._peaks[owner][resource])
            limit = self._limits[owner][resource]
            if held > limit and amount:
                self.excesses.append(Excess(version, owner, resource, held, limit))


def _amount(pod: dict[str, Any], resource: str) -> Fraction:
    """One pod, or the sum of what its containers request: no more than the storms' pods need."""
    if resource == "pods":
        return Fraction(1)
    texts = (
        each.get("resources", {}).get("requests", {}).get(resource, "0") for each in pod["spec"]["containers"]
    )
    return sum(map(_number, texts), Fraction())


def _number(text: str) -> Fraction:
    unit = next((each for each in _UNITS if text.endswith(each)), "")
    return Fraction(text.removesuffix(unit)) * _UNITS.get(unit, Fraction(1))
