"""The open connection of one watch: lines in order, each some time on its way; it may go silent, break, or end."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from labquota.kube import events
from labquota.kube.errors import KubeError, Unreachable
from simulation.cache import Stream
from simulation.machines import Machine, Server

if TYPE_CHECKING:
    from simulation.network import Network

GROUPS: Final = "/apis/labquota.dev/v1alpha1/resourcelimitgroups"
NOTED: Final = frozenset({GROUPS, "/apis/coordination.k8s.io/v1/leases"})
"""Collections of which it is noted what a process has been told."""
BOOKMARK_SECONDS: Final = 60.0
LAST_BOOKMARK_SECONDS: Final = 2.0
"""Before the end that a watch was asked to have, the API server sends one more."""


class Connection:
    """One watch between a process and an API server.

    Args:
        network: how lines travel.
        machine: the process that reads.
        server: the API server that tells.
        resource: what it is a watch of.
    """

    def __init__(self, network: "Network", machine: Machine, server: Server, resource: str) -> None:
        self.server, self.ended, self.closed = server, False, False
        self.resource = resource
        self._network, self._machine = network, machine
        self._timeline = network.timeline
        self._arrived: list[bytes] = []
        self._wire: deque[bytes | None] = deque()
        self._held: list[bytes | None] = []
        self._silent = False
        self._waiter: asyncio.Future[None] | None = None
        self._error: KubeError | None = None
        self._stream: Stream | None = None
        self._until = 0.0
        machine.connections.append(self)
        server.connections.append(self)

    async def lines(self) -> list[bytes]:
        """What has arrived since; waits for at least one line, or for the end."""
        while not self._arrived and not self.ended:
            if self._error is not None:
                raise self._error
            self._waiter = self._machine.loop.create_future()
            await self._waiter
        arrived, self._arrived = self._arrived, []
        if self.resource in NOTED:
            seen = self._machine.seen
            for line in arrived:
                version = int(events.parse(line)[1].resource_version or 0)
                seen[self.resource] = max(version, seen.get(self.resource, 0))
        return arrived

    def opened(self, stream: Stream, params: Mapping[str, str]) -> None:
        """The API server has begun to tell."""
        self._stream = stream
        self._until = self._timeline.now + float(params.get("timeoutSeconds", "1800"))
        self._next_bookmark()

    def tell(self, line: bytes) -> None:
        """The API server sends a line."""
        if not self.closed:
            self._send(line)

    def end(self) -> None:
        """The API server ends the stream."""
        self._send(None)

    def fail(self, error: KubeError) -> None:
        """The connection breaks; what had not arrived is lost."""
        if not self.closed:
            self._error, self._held = error, []
            self._wake()

    def silence(self) -> None:
        """Nothing arrives any more, and nobody is told."""
        self._silent = True

    def speak(self) -> None:
        """What was held back arrives."""
        self._silent = False
        held, self._held = self._held, []
        for line in held:
            self._arrive(line)

    def mend(self) -> None:
        """All is well again: what was held back arrives, and what is still on its way there is tried anew."""
        if self._stream is None:
            self.fail(LOST)
        self.speak()

    def close(self) -> None:
        """Nobody reads any more."""
        self.closed = True
        if self._stream is not None:
            self._stream.ended = True
        for known in (self._machine.connections, self.server.connections):
            if self in known:
                known.remove(self)

    def _send(self, line: bytes | None) -> None:
        self._wire.append(line)
        self._network.send(("line", self._machine.name, self.resource), self._machine, self._next)

    def _next(self) -> None:
        self._arrive(
            self._wire.popleft()
        )  # in the order in which they were sent, whatever arrives at the same moment

    def _arrive(self, line: bytes | None) -> None:
        if self.closed or self._error is not None:
            return
        if self._silent or self._machine.cut:
            self._held.append(line)
            self._silent = True
            return
        if line is None:
            self.ended = True
        else:
            self._arrived.append(line)
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and self._machine.loop.alive:
            self._machine.loop.call_soon(_done, waiter)

    def _next_bookmark(self) -> None:
        if self.closed or self._error is not None:
            return
        now = self._timeline.now
        left = self._until - now
        wait = min(BOOKMARK_SECONDS, left - LAST_BOOKMARK_SECONDS)
        if wait <= 0:
            self._timeline.after(max(0.0, left), self._expire)
        else:
            self._timeline.after(wait, self._bookmark)

    def bookmark(self) -> None:
        """The API server says up to where it has told everything."""
        if not self.closed and self._error is None and self._stream is not None:
            self._stream.bookmark(self.server.api.cache.version)

    def _bookmark(self) -> None:
        self.bookmark()
        self._next_bookmark()

    def _expire(self) -> None:
        if not self.closed and self._error is None:
            self.end()


def _done(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


LOST: Final = Unreachable("the connection was cut")
