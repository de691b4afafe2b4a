"""An API server over real HTTP whose every answer a test scripts.

Requests are answered by the scripted answers in order; when these run out a watch stays open and silent, and
anything else fails with status 500.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from labquota.kube.client import HttpApi
from labquota.kube.credentials import Credentials

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeApi:
    """The scripted answers, the requests that came, and the client that talks to it."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.open_streams = 0
        self.arrived = asyncio.Event()
        self.stopping = asyncio.Event()
        self.url = ""
        self.api = HttpApi(Credentials("http://unset"))

    def script(self, *answers: Answer) -> None:
        self.answers.extend(answers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        self.arrived.set()
        if self.answers:
            return await self.answers.popleft()(request)
        if request.query.get("watch"):
            return await stream(then="hang")(request)
        return await refuse(500, "InternalError", "the script has run out")(request)

    async def until(self, number: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(5):
            while len(self.requests) < number:
                self.arrived.clear()
                await self.arrived.wait()

    def queries(self) -> list[dict[str, str]]:
        return [dict(request.query) for request in self.requests]


FAKE = web.AppKey("fake", FakeApi)


@asynccontextmanager
async def serving(**client: Any) -> AsyncIterator[FakeApi]:
    """Start the server on a port of its own, with a client to it."""
    fake = FakeApi()
    app = web.Application(client_max_size=64 << 20)
    app[FAKE] = fake
    app.router.add_route("*", "/{path:.*}", fake.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    fake.url = f"http://{host}:{port}"
    fake.api = HttpApi(Credentials(fake.url), **client)
    try:
        async with fake.api:
            yield fake
    finally:
        fake.stopping.set()
        await runner.cleanup()


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Answer with a JSON body."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return answer


def refuse(code: int, reason: str, message: str, retry_after: int | None = None) -> Answer:
    """Answer with a Status."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return reply(status(code, reason, message), code, headers)


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "status": "Failure",
        "metadata": {},
        "code": code,
        "reason": reason,
        "message": message,
    }


def page(items: list[dict[str, Any]], version: int, more: str = "") -> Answer:
    """Answer with one page of a list."""
    return reply({"metadata": {"resourceVersion": str(version), "continue": more}, "items": items})


def hang_up() -> Answer:
    """Close the connection without an answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        await asyncio.Event().wait()
        raise AssertionError

    return answer


def stream(*chunks: bytes, then: str = "end", pause: float = 0.0) -> Answer:
    """Answer a watch with these chunks, then end it properly, drop the connection, or hang."""

    async def answer(request: web.Request) -> web.StreamResponse:
        fake = request.app[FAKE]
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        fake.open_streams += 1
        try:
            for chunk in chunks:
                await response.write(chunk)
                await asyncio.sleep(pause)
            if then == "hang":
                await fake.stopping.wait()
            elif then == "drop":
                assert request.transport is not None
                request.transport.abort()
        finally:
            fake.open_streams -= 1
        return response

    return answer


def thing(name: str, version: int, **more: Any) -> dict[str, Any]:
    """Make an object."""
    return {"metadata": {"name": name, "namespace": "lab", "resourceVersion": str(version)}, **more}


def event(kind: str, item: dict[str, Any]) -> bytes:
    """Write a line of a watch as the API server does."""
    return json.dumps({"type": kind, "object": item}, separators=(",", ":")).encode() + b"\n"


def bookmark(version: int, *, initial_end: bool = False) -> bytes:
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if initial_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return event("BOOKMARK", {"kind": "Thing", "metadata": metadata})


def error(code: int, reason: str, message: str) -> bytes:
    return event("ERROR", status(code, reason, message))
