"""A whole operator with its audit on a simulated cluster, kopf aside, and what it says of differences."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

from labquota import metrics
from labquota.controllers import app
from labquota.controllers.usage import PATH
from labquota.kube import errors, events
from labquota.quota import owners
from labquota.quota.owners import Owner
from labquota.settings import Settings
from unit.builders import ALICE
from unit.operators import PODS, soon
from unit.simulated import Clock, Cluster, Params

KINDS = ("missed", "gone", "stale", "uncounted", "sums", "ledger")


class Faulty(Cluster):
    """A cluster whose watches leave out what they should have shown, or are late with it."""

    def __init__(self) -> None:
        super().__init__()
        self.lag = 0.0
        """Seconds that every event of a watch is late."""
        self.slow = 0.0
        """Seconds that a list of all pods takes."""
        self.walled = ""
        """The path of an object that cannot be replaced."""
        self.between: Callable[[], object] = lambda: None
        """Called before each page of a list but the first."""
        self._unseen: set[str] = set()

    def unseen(self, change: Callable[[], object]) -> None:
        """Make a change that no watch shows."""
        change()
        self._unseen.add(str(self.version))

    async def get(self, path: str, params: Params = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        if params and "continue" in params:
            self.between()
        return await super().get(path, params, timeout=timeout)

    async def replace(self, path: str, body: bytes, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        if path == self.walled:
            raise errors.ApiError(413, "", "too much of it")
        return await super().replace(path, body, timeout=timeout)

    async def watch(self, path: str, params: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        whole = "sendInitialEvents" in params
        if whole and path == PODS:
            await asyncio.sleep(self.slow)
        async for line in super().watch(path, params):
            event = json.loads(line)
            meta = event["object"]["metadata"]
            if not whole and meta["resourceVersion"] in self._unseen and event["type"] != "BOOKMARK":
                continue
            whole = whole and events.INITIAL_END not in meta.get("annotations", {})
            await asyncio.sleep(self.lag)
            yield line


class Audited(app.Operator):
    """An operator as it is shipped, without what kopf does; it audits everything in `seconds`."""

    def __init__(self, cluster: Cluster, seconds: float) -> None:
        super().__init__(cluster, Settings(identity="it", audit_seconds=seconds), Clock(), random.Random(3))
        self.reports = [self.usage.run, self.audit.run]
        self.cluster = cluster
        self._before = {kind: self.counted(kind) for kind in KINDS}

    def counted(self, kind: str) -> float:
        """What the counter of differences says of a kind."""
        return float(metrics.AUDIT_DIFFERENCES.labels(kind)._value.get())  # noqa: SLF001  as prometheus_client's docs do

    def found(self) -> dict[str, float]:
        """The differences that were counted since this operator began, by kind."""
        more = {kind: self.counted(kind) - old for kind, old in self._before.items()}
        return {kind: count for kind, count in more.items() if count}

    def condition(self, owner: Owner = ALICE) -> tuple[str, str, str] | None:
        """`LedgerDrift` as it is published: status, reason, message."""
        item = self.cluster.objects.get(f"{PATH}/{owners.object_name(owner)}", {})
        conditions = json.loads(json.dumps(item.get("status", {}).get("conditions", [])))
        for each in conditions:
            if each["type"] == "LedgerDrift":
                return each["status"], each["reason"], each["message"]
        return None

    async def drifts(self, owner: Owner = ALICE) -> str:
        """Wait until the condition says that there is a difference; which one."""
        await soon(lambda: (self.condition(owner) or ("",))[0] == "True", 60)
        _, reason, message = self.condition(owner) or ("", "", "")
        assert reason == "RecountDiffers"
        return message

    async def repaired(self, owner: Owner = ALICE) -> str:
        """Wait until the condition says that there is none any more; what it was."""
        await soon(lambda: (self.condition(owner) or ("",))[0] == "False", 60)
        _, reason, message = self.condition(owner) or ("", "", "")
        assert reason == "Repaired"
        return message


async def auditing(
    cluster: Cluster, scenario: Callable[[Audited], Awaitable[None]], seconds: float = 30.0
) -> None:
    """Run a scenario beside an operator that audits."""
    operator = Audited(cluster, seconds)
    task = asyncio.create_task(operator.run())
    try:
        await soon(lambda: operator.folder.epoch > 0)
        await scenario(operator)
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
