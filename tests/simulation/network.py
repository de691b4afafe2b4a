"""Calls on their way between processes and API servers, and what becomes of them: an `Api` as labquota knows it.

process ──(takes time, or is lost)──► API server ──► store ──(takes time, or is lost)──► process
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final

from labquota.kube import errors
from labquota.kube.api import MERGE_PATCH
from labquota.kube.errors import KubeError
from simulation import cache, faults, refusals
from simulation.connection import Connection
from simulation.faults import Fault
from simulation.machines import Machine, Server
from simulation.paths import parse
from simulation.timeline import Timeline

Params = Mapping[str, str] | None
REFUSED_SECONDS: Final = 0.002
Way = tuple[str, ...]
"""What a message is, and where it goes: messages on one way do not overtake each other."""


class Network:
    """How long everything takes, and who reaches whom.

    Args:
        timeline: where it all happens.
        rng: delays, and which API server a call goes to.

    Attributes:
        servers: the API servers.
        slowest: the most seconds that a message takes while nothing is wrong.
        trace: called with process, call and outcome of what is done.
    """

    def __init__(self, timeline: Timeline, rng: random.Random) -> None:
        self.timeline, self.rng = timeline, rng
        self.servers: list[Server] = []
        self.slowest = 0.004
        self.trace: Callable[[str, str, str], None] | None = None

    def delay(self, machine: Machine) -> float:
        """Seconds that a message from or to a process takes."""
        return (0.0002 + self.slowest * self.rng.random() ** 2) * machine.slowness

    def server_for(self, machine: Machine) -> Server | None:
        """An API server that a process reaches, or none."""
        if machine.cut:
            return None
        up = [server for server in self.servers if server.alive and not server.cut]
        return up[int(self.rng.random() * len(up))] if up else None

    def send(self, way: Way, machine: Machine, happen: Callable[..., object], *args: Any) -> None:
        """Let a message from or to a process arrive in its time."""
        del way
        self.timeline.after(self.delay(machine), happen, *args)

    async def rest(self, way: Way, seconds: float) -> None:
        """Wait, in an API server, before what it is about to store."""
        del way
        await asyncio.sleep(seconds)

    def tell(self, who: str, what: str, outcome: str) -> None:
        """Put a line into the trace, if there is one."""
        if self.trace is not None:
            self.trace(who, what, outcome)


class SimulatedApi:
    """The API server, as one process reaches it.

    Args:
        network: the way there.
        machine: the process.
        seconds: after how many seconds a call is given up, if it does not say.
    """

    def __init__(self, network: Network, machine: Machine, seconds: float) -> None:
        self._network, self._machine, self._seconds = network, machine, seconds

    async def get(self, path: str, params: Params = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        return await self._call("get", path, (params,), timeout)

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
        del params
        return await self._call("create", path, (body, self._machine.name), timeout)

    async def replace(self, path: str, body: bytes, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        return await self._call("replace", path, (body, self._machine.name), timeout)

    async def patch(
        self,
        path: str,
        body: bytes,
        content_type: str = MERGE_PATCH,
        params: Params = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as in Api
    ) -> bytes:
        del params
        return await self._call("patch", path, (body, content_type, self._machine.name), timeout)

    async def delete(self, path: str, body: bytes | None = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        return await self._call("delete", path, (body, self._machine.name), timeout)

    async def watch(self, path: str, params: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        network, machine = self._network, self._machine
        server = network.server_for(machine)
        if server is None:
            await asyncio.sleep(REFUSED_SECONDS)
            raise errors.Unreachable(f"no answer from the API server to a watch of {path}")
        connection = Connection(network, machine, server, parse(path).resource)
        network.send(("watch", machine.name), machine, self._open, connection, path, params)
        try:
            while True:
                for line in await connection.lines():
                    yield line
                if connection.ended:
                    return
        finally:
            connection.close()

    def _open(self, connection: Connection, path: str, params: Mapping[str, str]) -> None:
        server = connection.server
        if connection.closed or not server.alive:
            connection.fail(errors.Unreachable("the API server went away"))
            return
        try:
            connection.opened(server.api.watch(path, dict(params), connection.tell), params)
        except errors.ApiError as error:
            connection.tell(cache.error_line(error))
            connection.end()

    async def _call(self, method: str, path: str, args: tuple[Any, ...], seconds: float | None) -> bytes:
        network, machine = self._network, self._machine
        if not machine.loop.alive:
            raise errors.Unreachable("this process is dead")
        limit = self._seconds if seconds is None else seconds
        server = network.server_for(machine)
        fault = faults.take(machine.faults, method) if machine.faults else None
        if fault is not None and fault.kind == faults.CRASH_BEFORE:
            network.tell(machine.name, f"{method} {path}", "dies before it calls")
            network.timeline.after(0.0, machine.die)
            await asyncio.sleep(1e9)
        loop = machine.loop
        answer: asyncio.Future[bytes] = loop.create_future()
        if server is None:
            loop.call_later(REFUSED_SECONDS, _fail, answer, "nobody is there")
            return await answer
        call = _Call(network, machine, server, method, path, args, answer)
        if fault is None:
            network.send(("call", machine.name, method, path), machine, call.arrive)
        else:
            call.suffer(fault, limit)
        timer = loop.call_later(limit, _fail, answer, "timed out")
        try:
            return await answer
        finally:
            timer.cancel()


class _Call:
    """One call on its way."""

    __slots__ = (
        "_again",
        "_answer",
        "_args",
        "_machine",
        "_method",
        "_network",
        "_path",
        "_server",
        "_silent",
        "_status",
    )

    def __init__(
        self,
        network: Network,
        machine: Machine,
        server: Server,
        method: str,
        path: str,
        args: tuple[Any, ...],
        answer: "asyncio.Future[bytes]",
    ) -> None:
        self._network, self._machine, self._server = network, machine, server
        self._method, self._path, self._args = method, path, args
        self._answer = answer
        self._silent = self._again = False
        self._status = 0

    def suffer(self, fault: Fault, limit: float) -> None:
        """Send it, with what is to become of it."""
        kind, timeline = fault.kind, self._network.timeline
        self._network.tell(self._machine.name, f"{self._method} {self._path}", f"fault: {kind}")
        way = self._network.delay(self._machine)
        if kind == faults.LOST:
            return
        if kind in (faults.BROKEN, faults.BUSY):
            error = (
                refusals.unavailable(429, "TooManyRequests", 1.0)
                if kind == faults.BUSY
                else refusals.unavailable(500)
            )
            timeline.after(2 * way, self._deliver, error)
            return
        self._again = kind == faults.RESENT
        self._silent = kind in (faults.UNANSWERED, faults.LATE, faults.CRASH_AFTER)
        self._status = 504 if kind == faults.DOUBTFUL else 0
        timeline.after(limit + fault.seconds if kind == faults.LATE else way, self.arrive)
        if kind == faults.CRASH_AFTER:
            timeline.after(0.0, self._machine.die)

    def arrive(self) -> None:
        """Be done."""
        network, server = self._network, self._server
        if not server.alive:
            self._deliver(errors.Unreachable("the API server went away"))
            return
        outcome = self._do()
        if self._again:
            outcome = self._do()
        if self._silent:
            if not self._answer.done():
                network.timeline.after(
                    network.delay(self._machine), self._deliver, errors.Unreachable("cut off")
                )
            return
        if self._status:
            outcome = refusals.unavailable(self._status)
        network.send(("answer", self._machine.name), self._machine, self._return, outcome)

    def _do(self) -> bytes | KubeError:
        try:
            done: bytes = getattr(self._server.api, self._method)(self._path, *self._args)
        except KubeError as error:
            self._network.tell(self._machine.name, f"{self._method} {self._path}", str(error))
            return error
        if self._method != "get":
            self._network.tell(self._machine.name, f"{self._method} {self._path}", "ok")
        return done

    def _return(self, outcome: bytes | KubeError) -> None:
        if self._machine.cut or not self._server.alive:
            outcome = errors.Unreachable("cut off before the answer")
        self._deliver(outcome)

    def _deliver(self, outcome: bytes | KubeError) -> None:
        loop = self._machine.loop
        if self._answer.get_loop() is loop and loop.alive:
            loop.call_soon(_settle, self._answer, outcome)


def _settle(answer: "asyncio.Future[bytes]", outcome: bytes | KubeError) -> None:
    if answer.done():
        return
    if isinstance(outcome, KubeError):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


def _fail(answer: "asyncio.Future[bytes]", why: str) -> None:
    _settle(answer, errors.Unreachable(f"no answer from the API server: {why}"))
