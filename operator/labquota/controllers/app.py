"""One operator, put together: watches at once, folding while it holds the Lease, standing by otherwise."""

import asyncio
import functools
import logging
import random
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from labquota import gpusettings, ownership
from labquota.clock import Clock, SystemClock
from labquota.controllers import handlers, nodes, usage
from labquota.controllers.accounts import Accounts
from labquota.controllers.allocations import stored
from labquota.controllers.allocations.keeper import Keeper
from labquota.controllers.allocations.writing import Writer
from labquota.controllers.audit import Audit
from labquota.controllers.budgets import Budgets
from labquota.controllers.charges import Charge
from labquota.controllers.drifts import Drifts
from labquota.controllers.expiring import Expiry
from labquota.controllers.folding import Folder
from labquota.controllers.history import History
from labquota.controllers.holds import Holds
from labquota.controllers.leading import Leader
from labquota.controllers.pacing import Pace
from labquota.controllers.pinning import Pins
from labquota.controllers.pods import Pods
from labquota.controllers.recounting import Recounts
from labquota.controllers.statuses import Statuses
from labquota.controllers.witness import WitnessedLedgers
from labquota.kube import credentials, events, marker, rights
from labquota.kube.api import Api
from labquota.kube.client import HttpApi
from labquota.kube.errors import Lost
from labquota.kube.lease import Lease
from labquota.kube.lineage import Lineage
from labquota.kube.marker import Crd
from labquota.kube.record import Times
from labquota.kube.watching import Watching
from labquota.quota.owners import Owner
from labquota.quota.world import World
from labquota.serving import listen, operations
from labquota.settings import Settings

log = logging.getLogger(__name__)

_PODS = "/api/v1/pods"
_WORLD_SECONDS = 0.1
_PRICES_SECONDS = 0.3
"""Nodes change in bursts, and each look goes through all pods."""
_LOOK_SECONDS = 0.02
_GATHER_SECONDS = 0.1
"""What an event may wait for others: a process that is woken for each of them spends most on waking."""


class Operator:
    """The parts of one operator and what they tell each other.

    Args:
        api: The API server.
        settings: What the administrator has set.
        clock: Measures all intervals, and tells the time that people read.
        rng: Jitter, and what makes this process's name in the Lease unique.
    """

    def __init__(self, api: Api, settings: Settings, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._api, self._settings = api, settings
        trust = ownership.load(settings.owners)
        self.world, crd = World(trust), Crd()
        self.world.gpu_settings = gpusettings.load(settings.gpus)
        self._world_changed, self._prices_changed = asyncio.Event(), asyncio.Event()
        self.view = Pods(self.world, self._pods_touched, self._pod_came)
        self.store = WitnessedLedgers(api, self._ledger_changed)
        pace = Pace(clock, settings.writes_per_second)
        drifts = Drifts(clock, self._drifted)
        budgets = Budgets(self.view, self.world, clock, drifts if settings.audit_seconds else None)
        self.usage = usage.Usage(api, self.view, self.store, budgets, pace)
        self.statuses = Statuses(api, self.world, self.usage, self.store, clock, pace)
        self.allocations = Keeper(
            self.view, Writer(api, pace, clock), clock, self.world.inventory.is_gpu_like
        )
        self.nodes = nodes.Nodes(self.view, clock, settings.lost_node_seconds)
        self.watching = Watching(api, clock, rng)
        self.watching.world(self.world, self._world_changed.set)
        self.watching.inventory(self.world.inventory, self._prices_changed.set)
        self.watching.crd(crd)
        ledgers = self.watching.ledgers(self.store)
        self.watching.add(usage.PATH, usage.decode, self.usage)
        self.holds = Holds(self.view, self.world, clock, self.allocations.stored, self.allocations.touch)
        self._holds = self.watching.add(stored.PATH, stored.decode, self.holds)
        if settings.lost_node_seconds:
            self.watching.add(nodes.PATH, nodes.decode, self.nodes)
        self._before_pods = list(self.watching.informers)
        seen = self.allocations.pods
        self._pods = self.watching.add(_PODS, seen.decode, seen, key=lambda charge: charge.key, large=True)
        current, hurry, holds = self._current, self._hurry, self._current_of_holds
        self.folder = Folder(self.view, self.store, pace, clock, current, hurry, self.usage.folded, holds)
        seconds = settings.create_seconds
        self.expiry = Expiry(self.store, self.view, clock, seconds, current, hurry, holds)
        recounts = Recounts(api, self.view, self._pods, clock)
        accounts = Accounts(self.view, self.store, self.folder)
        self.audit = Audit(recounts, accounts, self.folder, self._pods, drifts, clock, settings.audit_seconds)
        self.pins = Pins(api, self.view, Lineage(api, clock, trust, self.world.annotations_of), pace)
        identity = settings.identity or socket.gethostname()
        times = Times(duration=round(settings.lease_seconds), renew_deadline=settings.lease_seconds * 2 / 3)
        lease = Lease(
            api, settings.namespace, marker.LEASE_NAME, identity=identity, clock=clock, rng=rng, times=times
        )

        def relist() -> None:
            self._pods.relist()
            self._holds.relist()
            ledgers.relist()

        history = History(self.view, current, self._pods.hurry, relist, self._list_holds)
        self.leader = Leader(lease, self.folder, self.expiry, self.view, self.store, crd, history)
        self.reports: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self.usage.run,
            self.statuses.run,
            self.audit.run,
            self.pins.run,
            self.allocations.run,
        ]
        """What tells people of ledgers while this operator leads, and writes none of them."""

    async def run(self) -> None:
        """Watch, wait for the Lease, lead; lost, stand by again. Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._before_pods:
                tasks.create_task(informer.run())
            for informer in self._before_pods:
                await informer.synced.wait()  # a pod's owner and limits are known when the pod is seen
            tasks.create_task(self._pods.run())
            tasks.create_task(self._follow_world())
            tasks.create_task(self.holds.run())
            tasks.create_task(self._follow_prices())
            if self._settings.lost_node_seconds:
                tasks.create_task(self.nodes.run())
            await self._pods.synced.wait()
            while True:
                epoch = await self.leader.acquire()
                try:
                    await self._lead(epoch)
                except* Lost as lost:
                    log.warning("standing by again", extra={"error": str(lost.exceptions[0])})

    async def _lead(self, epoch: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.leader.lead(epoch))
            for report in self.reports:
                tasks.create_task(report())

    async def _follow_world(self) -> None:
        """After groups, overrides or namespaces have changed: other owners, other keys in ledgers, other budgets."""
        owned = -1
        while True:
            now = self._clock.now()
            change = self.world.next_change(now)
            with suppress(TimeoutError):  # an override that begins or ends is a change, too
                async with asyncio.timeout((change - now).total_seconds() if change else None):
                    await self._world_changed.wait()
            await asyncio.sleep(_WORLD_SECONDS)
            self._world_changed.clear()
            if owned != self.world.owners_revision:
                owned = self.world.owners_revision
                self.view.own_again()
            for owner in {*self.view.owners(), *self.store.copies}:
                self.folder.touch(owner)
                self.usage.touch(owner)

    async def _follow_prices(self) -> None:
        """After nodes have changed: other prices, for the pods that they are about."""
        while True:
            await self._prices_changed.wait()
            await asyncio.sleep(_PRICES_SECONDS)
            self._prices_changed.clear()
            self.view.price_again()
            self.holds.price_again()
            self.allocations.touch_all()

    async def _current(self) -> str:
        """The pods' resourceVersion now, by a quorum read."""
        return events.page(await self._api.get(_PODS, {"limit": "1"})).metadata.resource_version

    async def _current_of_holds(self) -> str:
        """The same of holds."""
        return events.page(await self._api.get(stored.PATH, {"limit": "1"})).metadata.resource_version

    async def _list_holds(self) -> None:
        """Take all holds anew."""
        lists = self._holds.relists
        self._holds.relist()
        while self._holds.relists == lists:  # noqa: ASYNC110  the informer knows nothing of us
            await asyncio.sleep(_LOOK_SECONDS)

    def _hurry(self) -> None:
        self._pods.hurry()
        self._holds.hurry()

    def _pods_touched(self, owner: Owner, freed: bool) -> None:  # noqa: FBT001  the view's callback
        self.folder.touch(owner, freed)

    def _pod_came(self, charge: Charge) -> None:
        self.pins.note(charge)

    def _drifted(self, owner: Owner) -> None:
        self.usage.touch(owner)

    def _ledger_changed(self, owner: Owner) -> None:
        self.expiry.note(owner)
        self.audit.note(owner)
        self.folder.touch(owner)
        self.usage.touch(owner)


async def run(settings: Settings) -> None:
    """Operate until SIGTERM or SIGINT.

    Raises:
        labquota.kube.errors.CredentialsError: No kubeconfig and no service account.
        labquota.ownership.OwnershipError: The owners' settings are wrong.
        labquota.gpusettings.GPUSettingsError: The GPU settings are wrong.
        labquota.kube.rights.MissingRights: Something that leads to owners, nodes or holds may not be read.
        OSError: A port is taken.
    """
    async with HttpApi(credentials.load(), gather=_GATHER_SECONDS) as api:
        loop = asyncio.get_running_loop()

        def take_signals() -> None:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, task.cancel)

        await rights.check(api, ownership.load(settings.owners))
        await rights.check_nodes(api)
        await rights.check_holds(api)
        operator = Operator(api, settings, SystemClock(), random.Random())  # noqa: S311  jitter, not a secret
        operator.reports.append(
            functools.partial(handlers.run, operator.statuses, operator.allocations, take_signals)
        )
        task = asyncio.create_task(operator.run())
        take_signals()
        runners = []
        if settings.metrics_port:
            app = operations(lambda: operator.watching.synced)
            runners.append(await listen(app, settings.metrics_host, settings.metrics_port))
        try:
            with suppress(asyncio.CancelledError):
                await task
        finally:
            await operator.leader.release()
            for runner in runners:
                await runner.cleanup()
