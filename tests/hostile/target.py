"""The webhook's process as somebody on the network sees it, and what it takes of the machine."""

import asyncio
import json
import socket
import ssl
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from controlplane import User
from harness import Installation, World
from hostile import cases

__all__ = ["DEADLINE", "MOST_MEMORY", "Answer", "Line", "Target", "head"]

DEADLINE = 10.0
"""The API server's, in seconds."""
MOST_MEMORY = 448 << 20
"""Bytes that the process may ever take: it runs in 512 MiB. About 70 MiB are its own, 128 MiB may be bodies that have
not come as a whole, and a few large ones are being judged."""
_FAULTS = ("Traceback", '"ERROR"', '"CRITICAL"', "was never retrieved", "was never awaited")
_CREATE = json.loads(cases.REVIEWS["create.json"])


class Answer:
    """What came back: status, headers (as they stand, in lower case) and body."""

    def __init__(self, status: int, headers: bytes, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def response(self) -> dict[str, Any]:
        """The response of an AdmissionReview."""
        assert (self.status, b"content-type: application/json" in self.headers) == (200, True), self.body[
            :300
        ]
        review = json.loads(self.body)
        assert (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
        found: dict[str, Any] = review["response"]
        return found

    @property
    def message(self) -> str:
        """The line of a refusal."""
        assert self.response["allowed"] is False
        line: str = self.response["status"]["message"]
        return line


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *parts: bytes) -> None:
        """Send it all."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer(self, *, bare: bool = False, seconds: float = DEADLINE) -> Answer:
        """The next answer; one to HEAD is bare."""
        async with asyncio.timeout(seconds):
            text = await self.reader.readuntil(b"\r\n\r\n")
            first, _, rest = text.partition(b"\r\n")
            headers = rest.lower()
            length = headers.partition(b"content-length:")[2].partition(b"\r\n")[0]
            body = b"" if bare else await self.reader.readexactly(int(length or b"0"))
            return Answer(int(first.split()[1]), headers, body)

    async def end(self, seconds: float = DEADLINE) -> bytes:
        """All that comes until the server closes the connection, which it has to."""
        async with asyncio.timeout(seconds):
            try:
                return await self.reader.read(-1)
            except (OSError, ssl.SSLError):
                return b""

    async def answer_or_end(self, seconds: float = DEADLINE) -> Answer | None:
        """The next answer, or None where the server closes the connection instead."""
        try:
            return await self.answer(seconds=seconds)
        except (asyncio.IncompleteReadError, OSError, ssl.SSLError):
            return None


def head(length: int | None, *more: str, method: str = "POST", path: str = "/validate?timeout=10s") -> bytes:
    """A request's head as the API server writes it; without a length it says how long the body is in `more`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: labquota-webhook.labquota-system.svc", *more]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join(
        [*lines, "User-Agent: kube-apiserver-admission", "Accept: application/json, */*", "", ""]
    ).encode()


class Target:
    """The webhook's process, with a user who has a budget, and another one who asks for good things."""

    def __init__(self, world: World, installed: Installation) -> None:
        self.world, self.installed = world, installed
        self.user, self.other = world.user("alice"), world.user("bob")
        self.owner = world.owner(self.user)
        self.namespace = world.namespace()
        world.group(
            "students",
            subjects=[self.owner, world.owner(self.other)],
            aggregate={"pods": 50, "gpu": 4, "cpu": 100},
            when_unset="Ignore",
        )
        address = urlsplit(installed.url)
        self.host, self.port = str(address.hostname), int(address.port or 0)
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE

    def __enter__(self) -> Self:
        self._pid = self.installed.webhook().pid
        self._faults = self._faulty_lines()
        (Path("/proc") / str(self._pid) / "clear_refs").write_text("5")  # forgets the peak so far
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            assert self.installed.webhook().alive
            assert self._pid == self.installed.webhook().pid
            assert self._faulty_lines() == self._faults, self._last_fault()
            assert self.memory("VmHWM") < MOST_MEMORY, f"{self.memory('VmHWM') >> 20} MiB at the most"

    def _faulty_lines(self) -> int:
        """Lines of the log that tell of a fault: tracebacks, outages, requests that cannot be judged."""
        log = self.installed.webhook().log.read_text(errors="replace")
        return sum(log.count(word) for word in _FAULTS)

    def _last_fault(self) -> str:
        text = self.installed.webhook().log.read_text(errors="replace")
        at = max(text.rfind(word) for word in _FAULTS)
        return text[max(0, at - 500) : at + 3_000]

    def memory(self, which: str = "VmRSS") -> int:
        """Bytes that the process has in memory now, or had at most (VmHWM)."""
        status = (Path("/proc") / str(self._pid) / "status").read_text()
        return int(status.partition(f"{which}:")[2].split()[0]) * 1024

    def open_files(self) -> int:
        """How many files and connections the process has open."""
        return len(list((Path("/proc") / str(self._pid) / "fd").iterdir()))

    async def closed_down_to(self, most: int, seconds: float) -> None:
        """Wait until the process has no more files and connections open than that."""
        end = time.monotonic() + seconds
        while (count := self.open_files()) > most:
            assert time.monotonic() < end, f"{count} files and connections are still open"
            await asyncio.sleep(0.1)

    def review(self, pod: dict[str, Any] | None = None, *, user: User | None = None, **asked: Any) -> bytes:
        """A create by the user, judged and not written; `pod` is merged into its pod, `asked` into the request."""
        name = (user or self.user).name
        uid = str(uuid.uuid4())
        base = _CREATE["request"]["object"]
        metadata = {**base["metadata"], "uid": uid, "namespace": self.namespace}
        metadata["annotations"] = {"labquota.dev/owner": f"user:{name}"}
        whole = {**base, "metadata": metadata, **(pod or {})}
        info = {"username": name, "groups": ["system:authenticated"]}
        request = {
            **_CREATE["request"],
            "uid": uid,
            "namespace": self.namespace,
            "userInfo": info,
            "object": whole,
        }
        return json.dumps({**_CREATE, "request": {**request, "dryRun": True, **asked}}).encode()

    @asynccontextmanager
    async def line(self, *, tls: bool = True) -> AsyncIterator[Line]:
        """A connection of its own."""
        reader, writer = await asyncio.open_connection(
            self.host, self.port, ssl=self.tls if tls else None, limit=16 << 20
        )
        try:
            yield Line(reader, writer)
        finally:
            writer.transport.abort()

    async def ask(self, body: bytes, *, path: str = "/validate?timeout=10s") -> Answer:
        """The answer to one review over a connection of its own."""
        async with self.line() as line:
            await line.send(head(len(body), path=path), body)
            return await line.answer()

    @asynccontextmanager
    async def others(self) -> AsyncIterator[None]:
        """Meanwhile good reviews come, over a connection that is kept and over new ones: all are answered.

        The bound is half of the API server's deadline, so that a slow machine is no failure and a stuck server is one.
        """
        stop, took = asyncio.Event(), list[float]()
        task = asyncio.create_task(self._keep_asking(stop, took))
        try:
            yield
            await asyncio.sleep(0)
        finally:
            stop.set()
            await task
        assert len(took) >= 2
        assert max(took) < DEADLINE / 2, f"a good review took {max(took):.1f} s"

    async def _keep_asking(self, stop: asyncio.Event, took: list[float]) -> None:
        async with self.line() as kept:
            while not stop.is_set() or len(took) < 2:
                for fresh in (False, True):
                    body = self.review(user=self.other)
                    began = time.monotonic()
                    if fresh:
                        answer = await self.ask(body)
                    else:
                        await kept.send(head(len(body)), body)
                        answer = await kept.answer()
                    took.append(time.monotonic() - began)
                    assert answer.response == {"uid": json.loads(body)["request"]["uid"], "allowed": True}
                await asyncio.sleep(0.02)

    def connect(self) -> socket.socket:
        """A bare connection that does nothing."""
        made = socket.socket()
        made.setblocking(False)
        made.connect_ex((self.host, self.port))
        return made
