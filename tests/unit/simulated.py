"""A small cluster in memory, and time that passes only when everybody waits.

`Cluster` is an `Api`, so labquota's own code runs on it unchanged. What it answers is the business of the simulated API
server (`simulation.apiserver`), whose watch cache is never behind here. Calls take a random number of the loop's turns,
and planned faults happen before or after the write.
`run` gives a coroutine a loop whose clock jumps to the next timer: seconds cost nothing, and nothing is left to chance.
"""

import asyncio
import json
import random
import selectors
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from labquota.kube import errors
from simulation import paths
from simulation.apiserver import ApiServer
from simulation.cache import error_line
from simulation.store import Change, Store

T = TypeVar("T")
Params = Mapping[str, str] | None
When = Literal["before", "after"]
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class QuietError(AssertionError):
    """Nothing will ever happen again, and somebody still waits."""


class _Selector(selectors.DefaultSelector):
    """Never waits: where the real one would, the loop's time moves on."""

    loop: "Loop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise QuietError
        if not ready and timeout:
            self.loop.seconds += timeout
        return ready


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time is the sum of what it would have waited."""

    def __init__(self) -> None:
        self.seconds = 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.seconds


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """Run a scenario to its end, in no time."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(scenario)


class Clock:
    """The loop's time; or, outside a loop, a time that the test moves."""

    def __init__(self) -> None:
        self.shift = 0.0

    def monotonic(self) -> float:
        try:
            return asyncio.get_running_loop().time() + self.shift
        except RuntimeError:
            return self.shift

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())


class Fault:
    """What happens to one call: an error before it or after it, or seconds of waiting; None hangs."""

    def __init__(
        self, error: Exception | None = None, when: When = "before", wait: float | None = 0.0
    ) -> None:
        self.error, self.when, self.wait = error, when, wait


class Cluster:
    """The API server; see the module."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self.calls: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        """What was sent by create and replace."""
        self.faults: dict[str, list[Fault]] = {}
        self.after_write: Callable[[str, dict[str, Any]], None] = lambda _path, _item: None
        self._rng = rng or random.Random(1)
        self._store = Store()
        self._server = ApiServer(self._store)
        self._store.told.append(self._stored)

    @property
    def version(self) -> int:
        """The resourceVersion of the newest write."""
        return self._store.version

    @property
    def objects(self) -> dict[str, dict[str, Any]]:
        """Every object by its path."""
        return {key.path: item.body for items in self._store.items.values() for key, item in items.items()}

    def plan(self, method: str, *faults: Fault) -> None:
        """Let these happen to the next calls of one method (get, create, replace, patch, delete), in order."""
        self.faults.setdefault(method, []).extend(faults)

    def count(self, method: str, word: str = "") -> int:
        """How many such calls were made on paths that hold a word."""
        return sum(made == method and word in path for made, path in self.calls)

    def store(self, path: str, item: Mapping[str, Any]) -> dict[str, Any]:
        """Put an object in at once, as somebody else's write."""
        return self._store.put(paths.key(path), json.loads(json.dumps(item))).body

    def drop(self, path: str) -> None:
        """Take an object away at once."""
        self._store.remove(paths.key(path))

    async def get(self, path: str, params: Params = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        del timeout
        return await self._call("get", path, lambda: self._server.get(path, params))

    async def read(
        self,
        path: str,
        params: Params,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as in Api
    ) -> AsyncGenerator[bytes, None]:
        yield await self.get(path, params, timeout=timeout)

    async def create(
        self,
        path: str,
        body: bytes,
        params: Params = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as in Api
    ) -> bytes:
        del params, timeout
        self.bodies.append(body)
        return await self._call("create", path, lambda: self._server.create(path, body))

    async def replace(self, path: str, body: bytes, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        del timeout
        self.bodies.append(body)
        return await self._call("replace", path, lambda: self._server.replace(path, body))

    async def patch(
        self,
        path: str,
        body: bytes,
        content_type: str = "",
        params: Params = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as in Api
    ) -> bytes:
        del params, timeout
        return await self._call("patch", path, lambda: self._server.patch(path, body, content_type))

    async def delete(self, path: str, body: bytes | None = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        del timeout
        return await self._call("delete", path, lambda: self._server.delete(path, body))

    async def watch(self, path: str, params: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """All that happened since a version, then all that happens, then a bookmark before the end."""
        self.calls.append(("watch", path))
        end = asyncio.get_running_loop().time() + float(params["timeoutSeconds"])
        lines: asyncio.Queue[bytes] = asyncio.Queue()
        try:
            stream = self._server.watch(path, dict(params), lines.put_nowait)
        except errors.ApiError as error:
            yield error_line(error)
            return
        try:
            while True:
                try:
                    async with asyncio.timeout_at(end - 2):
                        line = await lines.get()
                except TimeoutError:
                    stream.bookmark(self.version)
                    while not lines.empty():
                        yield lines.get_nowait()
                    return
                yield line
        finally:
            stream.ended = True

    async def _call(self, method: str, path: str, do: Callable[[], bytes]) -> bytes:
        self.calls.append((method, path))
        for _ in range(self._rng.randrange(4)):
            await asyncio.sleep(0)
        planned = self.faults.get(method)
        fault = planned.pop(0) if planned else Fault()
        await asyncio.sleep(1e9 if fault.wait is None else fault.wait)
        if fault.error is not None and fault.when == "before":
            raise fault.error
        answer = do()
        for _ in range(self._rng.randrange(4)):
            await asyncio.sleep(0)
        if fault.error is not None:
            raise fault.error
        return answer

    def _stored(self, change: Change) -> None:
        self._server.cache.advance(change.version)
        if change.kind != "DELETED":
            self.after_write(change.key.path, change.item.body)
