"""Sees every version of every pod and ledger, from an API server that nobody else uses and that keeps no cache.

Without a cache a watch that broke off goes on from where it was for as long as etcd keeps its history, five minutes.
Should it ever have to list anew, moments may have gone unseen, and the history says so.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TextIO, TypeVar

import aiohttp
import msgspec

from controlplane import ControlPlane
from harness import AsyncClient
from storm.history import LedgerSeen, PodSeen
from storm.seeing import ledger_seen, pod_seen

__all__ = ["LEDGERS", "PODS", "Witness"]

PODS = "/api/v1/pods"
LEDGERS = "/apis/labquota.dev/v1alpha1/ownerledgers"
_Seen = TypeVar("_Seen", PodSeen, LedgerSeen)
_LIVES = 290
"""Seconds after which a watch is asked for anew: API servers end one by themselves after five minutes or more."""


class Witness:
    """Watches for as long as it is open; use it with `async with`.

    Args:
        plane: a control plane that was started with a witness.
        namespaces: whose pods matter.
        owners: whose ledgers matter.
        kept: where every version is written down as it comes, a line of JSON each.

    Attributes:
        pods: every version of a pod since the start.
        ledgers: likewise.
        lost: why moments may have gone unseen.
    """

    def __init__(
        self, plane: ControlPlane, namespaces: tuple[str, ...], owners: Mapping[str, Any], kept: TextIO
    ) -> None:
        self._client = AsyncClient(plane.witness)
        self._namespaces, self._owners, self._kept = namespaces, owners, kept
        self.pods: list[PodSeen] = []
        self.ledgers: list[LedgerSeen] = []
        self.lost: list[str] = []
        self._reached = {PODS: 0, LEDGERS: 0}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        for path, take in ((PODS, self._pod), (LEDGERS, self._ledger)):
            answer = await self._client.get(path)
            assert answer.ok, answer
            for item in answer.body["items"]:
                take("ADDED", item)
            self._reached[path] = int(answer.body["metadata"]["resourceVersion"])
            self._tasks.append(asyncio.create_task(self._follow(path, take)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._client.__aexit__(kind, error, trace)

    async def caught_up(self, seconds: float = 30) -> None:
        """Wait until everything that is stored now was seen as it is, and everything that is gone was seen to go.

        Raises:
            TimeoutError: that takes too long.
        """
        async with asyncio.timeout(seconds):
            while not await self._is_up_to_date():  # noqa: ASYNC110  an API server sets no event
                await asyncio.sleep(0.1)

    async def stored(self) -> list[LedgerSeen]:
        """The ledgers as they are now, by a quorum read."""
        seen = (ledger_seen(item) for item in await self._client.list(LEDGERS))
        return [each for each in seen if each.owner in self._owners]

    async def _is_up_to_date(self) -> bool:
        pods = [item for item in await self._client.list(PODS) if self._matters(item)]
        ledgers = await self.stored()
        seen = {pod.uid: pod.version for pod in _standing(self.pods, lambda pod: pod.uid)}
        known = {ledger.owner: ledger.version for ledger in _standing(self.ledgers, lambda each: each.owner)}
        return seen == {
            item["metadata"]["uid"]: int(item["metadata"]["resourceVersion"]) for item in pods
        } and known == {ledger.owner: ledger.version for ledger in ledgers}

    def _matters(self, pod: Mapping[str, Any]) -> bool:
        return pod["metadata"]["namespace"] in self._namespaces

    async def _follow(self, path: str, take: Callable[[str, dict[str, Any]], None]) -> None:
        while True:
            params = {"resourceVersion": str(self._reached[path]), "timeoutSeconds": str(_LIVES)}
            try:
                async for event in self._client.watch(path, **params):
                    if event["type"] == "ERROR":
                        self._lose(path, event["object"].get("message", ""))
                        return
                    take(event["type"], event["object"])
                    self._reached[path] = int(event["object"]["metadata"]["resourceVersion"])
            except aiohttp.ClientResponseError as error:
                if error.status == 410:
                    self._lose(path, error.message)
                    return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.05)

    def _lose(self, path: str, message: str) -> None:
        self.lost.append(f"the watch on {path} from {self._reached[path]} cannot go on: {message}")

    def _pod(self, kind: str, item: dict[str, Any]) -> None:
        if self._matters(item):
            seen = pod_seen(item, gone=kind == "DELETED")
            self.pods.append(seen)
            self._note("pod", seen)

    def _ledger(self, kind: str, item: dict[str, Any]) -> None:
        if item["owner"] in self._owners:
            seen = ledger_seen(item, gone=kind == "DELETED")
            self.ledgers.append(seen)
            self._note("ledger", seen)

    def _note(self, what: str, seen: PodSeen | LedgerSeen) -> None:
        line = {"at": round(time.time(), 3), "what": what, **msgspec.to_builtins(seen)}
        self._kept.write(msgspec.json.encode(line).decode() + "\n")


def _standing(versions: Iterable[_Seen], key: Callable[[_Seen], str]) -> list[_Seen]:
    """The last version of everything that is not gone."""
    return [each for each in {key(each): each for each in versions}.values() if not each.gone]
