"""All links of a storm, in a process of its own that obeys over a socket.

`python -m storm.switchboard PORT` takes one JSON object a line on that port, and answers each with an empty one:

    {"open": {"NAME": PORT}, "at": PORT}     listen at a port and lead to one of these that accepts
    {"link": NAME, "mode": MODE, "latency": SECONDS, "rate": BYTES_PER_SECOND}

It is a process because a proxy that shares an interpreter with 64 clients would slow everything always.
"""

import asyncio
import json
import random
import sys
from collections.abc import Mapping

import uvloop

from storm.links import Connection, Link, Mode, Side

__all__ = ["Switchboard"]


class Switchboard:
    """All links, and the ports that lead to them."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self._servers: list[asyncio.Server] = []
        self._handling: set[asyncio.Task[None]] = set()

    async def open(self, at: int, targets: Mapping[str, int]) -> None:
        """Listen on a port, and lead each connection to one of the targets by chance."""
        for name in targets:
            self._links.setdefault(name, Link())

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)
            await self._lead(Side(reader, writer), dict(targets))

        self._servers.append(await asyncio.start_server(take, "127.0.0.1", at, backlog=1024))

    async def close(self) -> None:
        """Listen no more, and break off what is open."""
        for server in self._servers:
            server.close()
        for task in list(self._handling):
            task.cancel()
        await asyncio.gather(*self._handling, return_exceptions=True)

    def turn(self, name: str, mode: Mode, latency: float = 0.0, rate: float = 0.0) -> None:
        """Change one link."""
        self._links[name].turn(mode, latency, rate)

    async def _lead(self, caller: Side, targets: dict[str, int]) -> None:
        # As with a Service: a process that does not listen gets no connections, one out of reach does.
        for name in random.sample(list(targets), len(targets)):
            link = self._links[name]
            if link.mode is Mode.CUT:
                break
            try:
                callee = Side(*await asyncio.open_connection("127.0.0.1", targets[name]))
            except OSError:
                continue
            await Connection(link, caller, callee).run()
            return
        caller.reset()

    async def obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what is said on a connection, line by line."""
        while line := await reader.readline():
            order = json.loads(line)
            if "open" in order:
                await self.open(order["at"], order["open"])
            else:
                self.turn(order["link"], Mode(order["mode"]), order.get("latency", 0), order.get("rate", 0))
            writer.write(b"{}\n")
            await writer.drain()
        writer.close()


async def _serve(port: int) -> None:
    board = Switchboard()
    server = await asyncio.start_server(board.obey, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
