"""A server of the webhook's kind with a handler of the tests' own, and clients that write bytes."""

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any

from labquota.webhook import listening
from labquota.webhook.handling import Reply
from labquota.webhook.messages import Request

OK = b"200 OK\r\n"


class Echo:
    """Answers with the body; `/later` when told to, `/fails` not at all."""

    most_bytes = 1000

    def __init__(self) -> None:
        self.go, self.patience = asyncio.Event(), 5.0
        self.asked: list[bytes] = []

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def answer(self, request: Request) -> Reply | Coroutine[Any, Any, Reply]:
        self.asked.append(request.target)
        if request.target == b"/fails":
            raise ValueError("a bug")
        if request.target == b"/later":
            return self._later(request)
        return OK, b"%d %b" % (request.size, request.body[:40])

    async def _later(self, request: Request) -> Reply:
        await self.go.wait()
        return OK, b"later " + request.body

    def unread(self, request: Request, why: str) -> Reply:
        return OK, b"%b: %b" % (request.target, why.encode())

    def waits(self, request: Request) -> float:
        return request.began + self.patience - self.now()


class Line:
    """One client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)

    async def answer(self, *, bare: bool = False) -> tuple[int, bytes, bytes]:
        """Status, headers and body of the next answer."""
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] or b"0")
            body = b"" if bare else await self.reader.readexactly(length)
            return int(head.split()[1]), head, body

    async def body(self) -> bytes:
        return (await self.answer())[2]

    async def end(self) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.read()


class Served:
    """A server over TLS or in plain text, and its clients."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.echo, self.tls = Echo(), tls
        self.listener: listening.Listener
        self.lines: list[Line] = []

    async def line(self, *, plain: bool = False) -> Line:
        context = None
        if self.tls is not None and not plain:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        line = Line(*await asyncio.open_connection("127.0.0.1", self.listener.port, ssl=context))
        self.lines.append(line)
        return line

    async def asks(self) -> bytes:
        """The answer to a good request on a connection of its own."""
        line = await self.line()
        line.send(post(b"1"))
        return await line.body()

    async def close(self) -> None:
        for line in self.lines:
            line.writer.transport.abort()
        await asyncio.sleep(0.01)
        await self.listener.close()


def post(body: bytes, target: bytes = b"/", more: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n%b" % (target, more, len(body), body)
