"""A small cluster in memory, and time that passes only when everybody waits.

`Cluster` keeps objects, compares and swaps by resourceVersion, and watches; it is an `Api`, so labquota's own code runs
on it unchanged. Calls take a random number of the loop's turns, and planned faults happen before or after the write.
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

T = TypeVar("T")
Params = Mapping[str, str] | None
When = Literal["before", "after"]
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
COLLECTIONS = frozenset(
    {
        *(
            "pods",
            "nodes",
            "namespaces",
            "leases",
            "ownerledgers",
            "ownerusages",
            "customresourcedefinitions",
        ),
        *("resourcelimitgroups", "resourcelimitoverrides"),
    }
)


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
        self.objects: dict[str, dict[str, Any]] = {}
        self.version = 100
        self.calls: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        """What was sent by create and replace."""
        self.history: list[tuple[int, str, str, bytes]] = []
        self.faults: dict[str, list[Fault]] = {}
        self.after_write: Callable[[str, dict[str, Any]], None] = lambda _path, _item: None
        self._rng = rng or random.Random(1)
        self._uids = 0
        self._changed = asyncio.Event()

    def plan(self, method: str, *faults: Fault) -> None:
        """Let these happen to the next calls of one method (get, create, replace, patch, delete), in order."""
        self.faults.setdefault(method, []).extend(faults)

    def count(self, method: str, word: str = "") -> int:
        """How many such calls were made on paths that hold a word."""
        return sum(made == method and word in path for made, path in self.calls)

    def store(self, path: str, item: Mapping[str, Any]) -> dict[str, Any]:
        """Put an object in at once, as somebody else's write."""
        kind = "MODIFIED" if path in self.objects else "ADDED"
        return self._write(kind, path, json.loads(json.dumps(item)))

    def drop(self, path: str) -> None:
        """Take an object away at once."""
        self._write("DELETED", path, self.objects.pop(path))

    async def get(self, path: str, params: Params = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        del timeout
        fault = await self._begin("get", path)
        answer = self._list(path, params) if _is_collection(path) else self._found(path)
        return await self._end(fault, answer)

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
        fault = await self._begin("create", path)
        item = json.loads(body)
        where = f"{path}/{item['metadata']['name']}"
        if where in self.objects:
            raise errors.AlreadyExists(409, "AlreadyExists", f"{where} already exists")
        return await self._end(fault, self._write("ADDED", where, item))

    async def replace(self, path: str, body: bytes, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        del timeout
        self.bodies.append(body)
        fault = await self._begin("replace", path)
        item, old = json.loads(body), self._found(path)["metadata"]
        new = item["metadata"]
        if new.get("resourceVersion", old["resourceVersion"]) != old["resourceVersion"]:
            raise errors.Conflict(409, "Conflict", f"{path} has been modified")
        if new.get("uid", old["uid"]) != old["uid"]:
            raise errors.Conflict(409, "Conflict", f"{path} is another object")
        return await self._end(fault, self._write("MODIFIED", path, item))

    async def patch(
        self,
        path: str,
        body: bytes,
        content_type: str = "",
        params: Params = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as in Api
    ) -> bytes:
        del content_type, params, timeout
        fault = await self._begin("patch", path)
        where = path.removesuffix("/status")
        item = json.loads(json.dumps(self._found(where)))
        for step in json.loads(body):
            item[step["path"].removeprefix("/")] = step["value"]
        return await self._end(fault, self._write("MODIFIED", where, item))

    async def delete(self, path: str, body: bytes | None = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        del timeout
        fault = await self._begin("delete", path)
        meta = self._found(path)["metadata"]
        wanted = (json.loads(body) if body else {}).get("preconditions", {})
        if any(meta[key] != value for key, value in wanted.items()):
            raise errors.Conflict(409, "Conflict", f"{path} is not the one that was read")
        self.drop(path)
        return await self._end(fault, {"kind": "Status"})

    async def watch(self, path: str, params: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """All that happened since a version, then all that happens, then a bookmark before the end."""
        self.calls.append(("watch", path))
        if "resourceVersion" not in params:
            raise errors.ApiError(400, "BadRequest", "sendInitialEvents is not served here")
        loop = asyncio.get_running_loop()
        end = loop.time() + float(params["timeoutSeconds"])
        seen = int(params["resourceVersion"])
        while True:
            for version, kind, where, raw in self.history:
                if version > seen and _matches(path, params, where):
                    seen = version
                    yield b'{"type":"%s","object":%s}' % (kind.encode(), raw)
            self._changed.clear()
            try:
                async with asyncio.timeout_at(end - 2):
                    await self._changed.wait()
            except TimeoutError:
                mark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self.version)}}}
                yield json.dumps(mark).encode()
                return

    async def _begin(self, method: str, path: str) -> Fault:
        self.calls.append((method, path))
        for _ in range(self._rng.randrange(4)):
            await asyncio.sleep(0)
        planned = self.faults.get(method)
        fault = planned.pop(0) if planned else Fault()
        await asyncio.sleep(1e9 if fault.wait is None else fault.wait)
        if fault.error is not None and fault.when == "before":
            raise fault.error
        return fault

    async def _end(self, fault: Fault, answer: Mapping[str, Any]) -> bytes:
        raw = json.dumps(answer).encode()  # as of now: others may change it while the answer travels
        for _ in range(self._rng.randrange(4)):
            await asyncio.sleep(0)
        if fault.error is not None:
            raise fault.error
        return raw

    def _write(self, kind: str, path: str, item: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        old = self.objects.get(path)
        meta = item["metadata"]
        meta.setdefault("uid", "" if old is None else old["metadata"]["uid"])
        if not meta["uid"]:
            self._uids += 1
            meta["uid"] = f"made-{self._uids}"
        meta["resourceVersion"] = str(self.version)
        meta.pop("managedFields", None)
        if kind != "DELETED":
            self.objects[path] = item
            self.after_write(path, item)
        self.history.append((self.version, kind, path, json.dumps(item).encode()))
        self._changed.set()
        return item

    def _found(self, path: str) -> dict[str, Any]:
        if path not in self.objects:
            raise errors.NotFound(404, "NotFound", f"{path} not found")
        return self.objects[path]

    def _list(self, path: str, params: Params) -> dict[str, Any]:
        items = [item for where, item in self.objects.items() if _matches(path, params or {}, where)]
        return {"metadata": {"resourceVersion": str(self.version)}, "items": items}


def _is_collection(path: str) -> bool:
    return path.rpartition("/")[2] in COLLECTIONS


def _matches(collection: str, params: Mapping[str, str], path: str) -> bool:
    """Whether an object is of a collection: `/api/v1/pods` holds the pods of all namespaces."""
    above, _, name = path.rpartition("/")
    field = params.get("fieldSelector", "")
    if field and field != f"metadata.name={name}":
        return False
    if above == collection:
        return True
    root, _, plural = collection.rpartition("/")
    return above.startswith(f"{root}/namespaces/") and above.endswith(f"/{plural}")
