"""One agent, put together: watches, scans, and the port with its metrics."""

import asyncio
import logging
import os
import random
import signal
from contextlib import AsyncExitStack
from typing import Final

from prometheus_client import CollectorRegistry

from labquota import gpusettings, memory
from labquota.agent import failures, scanning
from labquota.agent.agent import Agent
from labquota.agent.operations import Operations
from labquota.agent.series import Series
from labquota.clock import Clock, SystemClock
from labquota.kube import incluster
from labquota.kube.lean import LeanApi, Proof
from labquota.settings import PREFIX, SettingError, Settings

log = logging.getLogger(__name__)

DRIVER_CHANGED: Final = 4
"""Exit code: the driver was replaced under the library that this process has loaded. Start it again."""
_GATHER_SECONDS: Final = 0.2
"""What an event may wait for others: a process that is woken for each of them spends most on waking."""


async def run(settings: Settings) -> int:
    """Look and write until SIGTERM or SIGINT.

    Returns:
        The process's exit code: 0, or `DRIVER_CHANGED`.

    Raises:
        labquota.kube.errors.CredentialsError: No service account and no kubeconfig.
        labquota.gpusettings.GPUSettingsError: The GPU settings are wrong.
        labquota.settings.SettingError: Nobody has said on which node this is.
        OSError: The port is taken.
    """
    if not settings.node_name:
        raise SettingError(
            f"{PREFIX}NODE_NAME is not set: give the agent its Node's name, by a fieldRef to spec.nodeName"
        )
    clock, rng = SystemClock(), random.Random()  # noqa: S311  jitter, not a secret
    gpus = gpusettings.load(settings.gpus)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(LeanApi(_proof(settings, clock), gather=_GATHER_SECONDS))
        agent = Agent(api, settings, gpus, clock, rng, scanning.scan)
        if settings.metrics_port:
            registry = CollectorRegistry()
            registry.register(Series(settings.node_name, agent))
            listening = Operations(registry, agent.ready).listen(settings.metrics_host, settings.metrics_port)
            stack.callback((await listening).close)
        memory.settle()
        return await _until_told(agent)


async def _until_told(agent: Agent) -> int:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    looking = asyncio.create_task(agent.run())
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({looking, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    looking.cancel()
    await asyncio.wait({looking})
    if looking.cancelled():
        return 0
    code = 0
    try:
        looking.result()
    except* failures.DriverChanged as changed:
        log.warning("the driver was replaced, ending so as to be started again: %s", changed.exceptions[0])
        code = DRIVER_CHANGED
    return code


def _proof(settings: Settings, clock: Clock) -> Proof:
    """The pod's own account; outside of a pod, or where somebody says so, a kubeconfig as kubectl finds it."""
    if incluster.in_pod() and "KUBECONFIG" not in os.environ:
        return incluster.load(clock, settings.service_account)
    from labquota.kube import credentials  # noqa: PLC0415  20 MB, which an agent in a pod does not need

    return credentials.load(clock=clock)
