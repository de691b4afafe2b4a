"""One replica of the webhook, put together: watches, queues, server."""

import asyncio
import random
import signal

from labquota import serving
from labquota.clock import SystemClock
from labquota.kube import credentials
from labquota.kube.client import HttpApi
from labquota.kube.ledgers import Ledgers
from labquota.kube.marker import Marker, Pulse
from labquota.kube.watching import Watching
from labquota.quota.world import World
from labquota.settings import Settings
from labquota.webhook import server
from labquota.webhook.admissions import Admissions
from labquota.webhook.gate import Gate
from labquota.webhook.holders import Holders
from labquota.webhook.means import Means

_CALL_SECONDS = 4.0
_OPERATOR_SECONDS = 5.0


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        labquota.kube.errors.CredentialsError: No kubeconfig and no service account.
        OSError: A port is taken, or a file of the certificate cannot be read.
    """
    clock, rng = SystemClock(), random.Random()  # noqa: S311  jitter, not a secret
    tls = serving.tls_context(settings.tls_cert, settings.tls_key)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with HttpApi(credentials.load(), timeout=_CALL_SECONDS) as api, asyncio.TaskGroup() as tasks:
        world, store, marker = World(), Ledgers(api), Marker(clock)
        watching = Watching(api, clock, rng)
        watching.world(world)
        watching.ledgers(store)
        watching.marker(marker, settings.namespace)
        pulse = Pulse(api, marker, settings.namespace, clock)
        admissions = Admissions(Means(store, pulse, clock, rng), clock)
        gate = Gate(world, store, admissions, Holders(api, clock), clock, settings.create_seconds)
        watches = [tasks.create_task(informer.run()) for informer in watching.informers]

        synced_at: float | None = None

        def synced() -> bool:
            """Whether this replica knows what it needs; an operator that starts beside it is waited for a moment."""
            nonlocal synced_at
            if not watching.synced:
                return False
            synced_at = synced_at or clock.monotonic()
            return marker.is_complete() or clock.monotonic() - synced_at > _OPERATOR_SECONDS

        app = server.application(gate, clock, synced)
        reuse = settings.reuse_port
        runners = [await serving.listen(app, settings.host, settings.port, tls=tls, reuse_port=reuse)]
        if settings.metrics_port:
            ready = serving.operations(synced)
            runners.append(await serving.listen(ready, settings.metrics_host, settings.metrics_port))
        await stop.wait()
        for runner in runners:
            await runner.cleanup()  # what is open is answered first
        for watch in watches:
            watch.cancel()
