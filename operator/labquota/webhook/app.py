"""One replica of the webhook, put together: watches, queues, server."""

import asyncio
import random
import signal

from aiohttp import web

from labquota import gpusettings, ownership, serving
from labquota.clock import Clock, SystemClock
from labquota.kube import credentials, rights
from labquota.kube.api import Api
from labquota.kube.client import HttpApi
from labquota.kube.ledgers import Ledgers
from labquota.kube.lineage import Lineage
from labquota.kube.lookups import Lookups
from labquota.kube.marker import Marker, Pulse
from labquota.kube.watching import Watching
from labquota.quota.owners import Owner
from labquota.quota.world import World
from labquota.settings import Settings
from labquota.webhook import listening
from labquota.webhook.admissions import Admissions
from labquota.webhook.advising import Adviser
from labquota.webhook.aftercare import Aftercare
from labquota.webhook.gate import Gate
from labquota.webhook.holders import Holders
from labquota.webhook.means import Means
from labquota.webhook.nudging import Nudger
from labquota.webhook.remembering import Memory
from labquota.webhook.server import Reviews
from labquota.webhook.stamper import Stamper
from labquota.webhook.telling import Teller
from labquota.webhook.touching import Toucher
from labquota.webhook.whose import Whose

CALL_SECONDS = 4.0
"""Time-out of one call to the API server: a failure leaves time for another try before an answer is due."""
_OPERATOR_SECONDS = 5.0
_CLOSING_SECONDS = 2.0


class Replica:
    """The parts of one replica, without its server: what it watches, and the gate that answers from that.

    Args:
        api: The API server.
        settings: What the administrator has set.
        clock: Deadlines, and the time that decides which overrides apply.
        rng: Jitter.
    """

    def __init__(self, api: Api, settings: Settings, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._synced_at: float | None = None
        trust = ownership.load(settings.owners)
        world, store, self._marker = World(trust), Ledgers(api, self._told), Marker(clock)
        world.gpu_settings = gpusettings.load(settings.gpus)
        self._watching = Watching(api, clock, rng)
        self._watching.world(world)
        self._watching.inventory(world.inventory)
        self._watching.ledgers(store)
        self._watching.marker(self._marker, settings.namespace)
        pulse = Pulse(api, self._marker, settings.namespace, clock)
        means = Means(store, pulse, clock, rng, take_advances=settings.advances)
        self._admissions = Admissions(means, clock)
        lineage = Lineage(api, clock, trust, world.annotations_of)
        whose, seconds = Whose(trust, lineage), settings.create_seconds
        self._nudger = Nudger(Toucher(api, lineage, trust, clock), world, store, clock)
        self._aftercare = Aftercare(trust, Teller(api, lineage, clock), self._nudger)
        told = self._aftercare.refused
        holders, lookups = Holders(api, clock), Lookups(api, clock)
        self.gate = Gate(world, store, self._admissions, holders, whose, lookups, clock, seconds, told)
        self.stamper = Stamper(trust, lineage, clock)
        self.adviser = Adviser(api, world, store, Memory(world, store, self._admissions, clock), clock)

    async def run(self) -> None:
        """Keep what it knows up to date, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._watching.informers:
                tasks.create_task(informer.run())
            tasks.create_task(self._aftercare.run())

    async def close(self) -> None:
        """Give back what was taken in advance, as far as there is time."""
        await self._admissions.close(_CLOSING_SECONDS)

    def _told(self, owner: Owner) -> None:
        self._admissions.told(owner)
        self._nudger.told(owner)

    def synced(self) -> bool:
        """Whether this replica knows what it needs; an operator that starts beside it is waited for a moment."""
        if not self._watching.synced:
            return False
        self._synced_at = self._synced_at or self._clock.monotonic()
        return self._marker.is_complete() or self._clock.monotonic() - self._synced_at > _OPERATOR_SECONDS


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        labquota.kube.errors.CredentialsError: No kubeconfig and no service account.
        labquota.ownership.OwnershipError: The owners' settings are wrong.
        labquota.gpusettings.GPUSettingsError: The GPU settings are wrong.
        labquota.kube.rights.MissingRights: Something that leads to owners, or nodes, may not be read.
        OSError: A port is taken, or a file of the certificate cannot be read.
    """
    clock, rng = SystemClock(), random.Random()  # noqa: S311  jitter, not a secret
    tls = serving.tls_context(settings.tls_cert, settings.tls_key)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with HttpApi(credentials.load(), timeout=CALL_SECONDS) as api, asyncio.TaskGroup() as tasks:
        await rights.check(api, ownership.load(settings.owners))
        await rights.check_nodes(api)
        replica = Replica(api, settings, clock, rng)
        watching = tasks.create_task(replica.run())
        reviews = Reviews(replica.gate, replica.stamper, replica.adviser, clock, replica.synced)
        reuse = settings.reuse_port
        listener = await listening.listen(reviews, settings.host, settings.port, tls=tls, reuse_port=reuse)
        runner: web.AppRunner | None = None
        if settings.metrics_port:
            ready = serving.operations(lambda: replica.synced() and not stop.is_set())
            runner = await serving.listen(ready, settings.metrics_host, settings.metrics_port)
        await stop.wait()
        await listener.close()  # what is open is answered first
        if runner is not None:
            await runner.cleanup()
        await replica.close()
        watching.cancel()
