"""Row: what the webhook's process itself costs: the same review of about 7 kB sent again and again, over TLS.

The review is one that the API server wrote, of an owner without aggregate limits, so that no ledger is touched. CPU is
what the kernel counts for the process, whatever it does meanwhile; the sender is a process of its own (this one).
Connections stand before it counts: the API server keeps them, and a handshake costs as much as many reviews.
"""

import asyncio
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from bench.plan import Plan, repeats
from bench.processes import cpu_seconds
from bench.rows import BenchError, Row
from bench.site import STAMP, Site
from bench.yes import CAPTURED
from controlplane import Process

__all__ = ["review_cpu"]

CONNECTIONS = 4
UNLIMITED = "bench-unlimited"
REPLAYED = "bench-replayed"

Sender = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def review_cpu(site: Site, plan: Plan) -> list[Row]:
    """Microseconds of CPU a review, for the webhook that says yes and for labquota's replicas together."""
    body = _of_somebody_without_limits(site.captured.read_bytes())
    row = Row("review-cpu", f"webhook CPU a review of {len(body) / 1000:.1f} kB over TLS", "µs")
    replicas = [site.installed.webhook(0), site.installed.webhook(1)]
    webhooks = {"yes": (site.yes_url, [site.yes]), "labquota": (site.installed.url, replicas)}
    for turn in repeats(plan):
        for case, (url, processes) in webhooks.items():
            spent = await _spent(url, body, plan.reviews, processes)
            if turn:  # the first one warms up
                row.add(case, spent)
    row.n = f"{len(row.values['labquota'])} x {plan.reviews}"
    return [row]


async def _spent(url: str, body: bytes, count: int, processes: Sequence[Process]) -> float:
    senders = [await _connect(url) for _ in range(CONNECTIONS)]
    try:
        request = _request(url, body)
        for sender in senders:
            await _replay(sender, request, 1)
        before = sum(cpu_seconds(each.pid) for each in processes)
        async with asyncio.TaskGroup() as tasks:
            for sender in senders:
                tasks.create_task(_replay(sender, request, count // CONNECTIONS))
        spent = sum(cpu_seconds(each.pid) for each in processes) - before
    finally:
        for _, writer in senders:
            writer.close()
            await writer.wait_closed()
    return spent / (count // CONNECTIONS * CONNECTIONS) * 1e6


async def _connect(url: str) -> Sender:
    address = urlsplit(url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return await asyncio.open_connection(address.hostname, address.port, ssl=context)


def _request(url: str, body: bytes) -> bytes:
    """As the API server sends it."""
    head = (
        f"POST /validate?timeout=10s HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        f"User-Agent: kube-apiserver-admission\r\nContent-Length: {len(body)}\r\nAccept: application/json, */*\r\n"
        "Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    return head.encode() + body


async def _replay(sender: Sender, request: bytes, count: int) -> None:
    """Send a review so many times over one connection, each when the one before is answered."""
    reader, writer = sender
    for _ in range(count):
        writer.write(request)
        answer = await _answer(reader)
        if b'"allowed":true' not in answer:
            raise BenchError(f"a replayed review was not allowed: {answer[:300]!r}")


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length))


def _of_somebody_without_limits(review: bytes) -> bytes:
    """The same review, asked by somebody in no group, stamped accordingly, under a name for which nobody keeps it."""
    found = msgspec.json.decode(review.replace(CAPTURED.encode(), REPLAYED.encode()))
    request = found["request"]
    request["userInfo"] = {"username": UNLIMITED, "groups": ["system:authenticated"]}
    request["object"]["metadata"]["annotations"][STAMP] = f"user:{UNLIMITED}"
    request["dryRun"] = False
    return msgspec.json.encode(found)
