"""labquota's two processes, put together by labquota's own code, on simulated machines."""

import asyncio
import random
from collections.abc import Callable
from typing import Final

from labquota.controllers import app as controllers
from labquota.settings import Settings
from labquota.webhook import app as webhook
from simulation.machines import Machine
from simulation.network import Network, SimulatedApi
from simulation.timeline import Timeline

OPERATOR_SECONDS: Final = 10.0
"""Time-out of the operator's calls, as `HttpApi` has it."""


class Webhook(Machine):
    """One replica of the webhook, without HTTP: reviews reach its gate as bytes."""

    def __init__(
        self,
        timeline: Timeline,
        name: str,
        began: float,
        died: Callable[[str, str], None],
        network: Network,
        settings: Settings,
        seed: int,
    ) -> None:
        super().__init__(timeline, name, began, died)
        self._network, self._settings, self._rng = network, settings, random.Random(seed)
        self.replica: webhook.Replica | None = None

    async def main(self) -> None:
        api = SimulatedApi(self._network, self, webhook.CALL_SECONDS)
        self.replica = webhook.Replica(api, self._settings, self, self._rng)
        await self.replica.run()

    async def answer(self, body: bytes, seconds: float) -> bytes | None:
        """What its server answers; None is 429 with Retry-After, since it has not synced."""
        if self.replica is None or not self.replica.synced():
            return None
        return await self.replica.gate.answer(body, seconds, self.monotonic())


class Operator(Machine):
    """One operator, without kopf and its HTTP port."""

    def __init__(
        self,
        timeline: Timeline,
        name: str,
        began: float,
        died: Callable[[str, str], None],
        network: Network,
        settings: Settings,
        seed: int,
    ) -> None:
        super().__init__(timeline, name, began, died)
        self._network, self._settings, self._rng = network, settings, random.Random(seed)
        self.operator: controllers.Operator | None = None
        self.stopping = False
        self.reports = False
        """Whether it publishes OwnerUsage, too."""

    async def main(self) -> None:
        self.stopping = False
        api = SimulatedApi(self._network, self, OPERATOR_SECONDS)
        self.operator = controllers.Operator(api, self._settings, self, self._rng)
        if not self.reports:
            self.operator.reports.clear()
        await self.operator.run()

    def stop(self) -> None:
        """End it as SIGTERM does: it lets go of the Lease."""
        operator, root = self.operator, self.root
        if operator is None or root is None or not self.alive or self.stopping:
            return
        self.stopping = True

        async def stopping() -> None:
            self.root = stopped
            root.cancel()
            await asyncio.wait([root])
            await operator.leader.release()
            self.timeline.after(0.0, self.die)
            await asyncio.sleep(1e9)

        stopped = self.loop.start(stopping())
