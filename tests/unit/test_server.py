import asyncio
import io
import json
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from labquota import serving
from labquota.kube.lookups import Lookups
from labquota.quota.admission import Request
from labquota.webhook import listening, server
from labquota.webhook.advising import Adviser
from labquota.webhook.gate import Gate
from labquota.webhook.holders import Holders
from labquota.webhook.remembering import Memory
from labquota.webhook.review import decode
from labquota.webhook.stamper import Stamper
from unit.builders import group, manifest
from unit.replicas import held, lineage, replica, whose
from unit.simulated import Cluster, Fault

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"


class Noting(Gate):
    """A gate that notes how long the API server waits, and for how long it has waited already."""

    def __init__(self, cluster: Cluster) -> None:
        one = replica(cluster, group(aggregate={"gpu": 2}))
        self.clock, self.told = one.clock, list[tuple[float, float]]()
        holders = Holders(cluster, one.clock)
        lookups, whom = Lookups(cluster, one.clock), whose(cluster, one)
        super().__init__(one.world, one.store, one.admissions, holders, whom, lookups, one.clock, 44)
        self.stamper = Stamper(one.world.trust, lineage(cluster, one), one.clock)
        memory = Memory(one.world, one.store, one.admissions, one.clock)
        self.adviser = Adviser(cluster, one.world, one.store, memory, one.clock)

    def begin(
        self,
        body: bytes,
        seconds: float,
        began: float,
        decode: Callable[[bytes], Request] = decode,
    ) -> bytes | Coroutine[Any, Any, bytes]:
        self.told.append((seconds, self.clock.monotonic() - began))
        return super().begin(body, seconds, began, decode)


class Served:
    """The webhook's own server over real HTTP, with a client."""

    def __init__(self) -> None:
        self.cluster, self.synced = Cluster(), True
        self.gate = Noting(self.cluster)
        self.client: aiohttp.ClientSession
        self.listener: listening.Listener

    async def asks(self, body: Any, query: str = "timeout=10s") -> dict[str, Any]:
        """The response to a review; whatever it holds, it comes with status 200."""
        where = f"{server.PATH}?{query}"
        async with asyncio.timeout(5), self.client.post(where, data=body) as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            response: dict[str, Any] = (await answer.json())["response"]
            assert response["uid"] == UID
            return response


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    one = Served()
    gate = one.gate
    reviews = server.Reviews(gate, gate.stamper, gate.adviser, gate.clock, lambda: one.synced)
    one.listener = await listening.listen(reviews, "127.0.0.1", 0, tls=None)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{one.listener.port}") as one.client:
        yield one
    await one.listener.close()


def review(**asks: Any) -> bytes:
    asked = {
        "uid": UID,
        "operation": "CREATE",
        "namespace": "lab",
        "name": "a",
        "userInfo": {"username": "alice"},
        "object": manifest("a", **asks),
    }
    return json.dumps({"kind": "AdmissionReview", "request": asked}).encode()


def message(response: dict[str, Any]) -> str:
    assert response["allowed"] is False
    text: str = response["status"]["message"]
    return text


async def test_a_review_is_answered_with_status_200_whether_it_is_allowed_or_refused(served: Served) -> None:
    assert await served.asks(review(gpu=1)) == {"uid": UID, "allowed": True}
    assert [each.name for each in held(served.cluster).reservations] == ["a"]
    assert message(await served.asks(review(gpu=3))).startswith("AGGREGATE_GPU_QUOTA_EXCEEDED: ")


async def test_only_a_replica_that_has_not_synced_says_429_with_retry_after(served: Served) -> None:
    served.synced = False
    async with served.client.post(server.PATH, data=review(gpu=1)) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    assert served.cluster.calls == []
    served.synced = True
    for body in (
        review(gpu=1),
        review(gpu=9),
        review(cpu="many"),
        b"",
        b"{}",
        b'{"request": {"uid": "%b"' % UID.encode(),
    ):
        async with served.client.post(server.PATH, data=body) as answer:
            assert (answer.status, answer.headers.get("Retry-After")) == (200, None)


@pytest.mark.parametrize("synced", [True, False])
async def test_a_review_of_a_workload_is_let_through_at_once_whatever_it_is(
    served: Served, *, synced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_BYTES", 10_000)
    served.synced = synced
    head = b'{"request": {"uid": "%b", "operation": "CREATE"' % UID.encode()
    for body in (head, head + b"}}", head + b" " * 20_000 + b"}}"):
        async with served.client.post(f"{server.ADVISE_PATH}?timeout=2s", data=body) as answer:
            assert answer.status == 200
            assert (await answer.json())["response"] == {"uid": UID, "allowed": True}
    assert served.gate.told == []


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("timeout=3s", 3),
        ("timeout=30s", 30),
        ("a=b&timeout=7", 7),
        *(
            (text, 10)
            for text in ("", "timeout=", "timeout=0s", "timeout=-3s", "timeout=1m", "timeout=9999s")
        ),
        ("timeout=%C2%B2s", 10),
    ],
)
async def test_the_deadline_is_that_of_the_query(served: Served, query: str, seconds: float) -> None:
    await served.asks(review(gpu=1), query)
    assert [waits for waits, _ in served.gate.told] == [seconds]


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("size", [server.MOST_BYTES + 1, 5 * server.MOST_BYTES])
async def test_a_body_that_is_too_large_is_refused_and_never_413(
    served: Served,
    size: int,
    chunked: bool,  # noqa: FBT001  a column of the table
) -> None:
    body = review(gpu=1)[:-2] + b', "more": "' + b"x" * size + b'"}}'

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 1 << 20):
            yield body[at : at + (1 << 20)]

    assert message(await served.asks(chunks() if chunked else io.BytesIO(body))) == (
        "INVALID_REQUEST: the AdmissionReview is larger than 8 MiB; make the pod smaller"
    )
    assert served.gate.told == []
    assert await served.asks(review(gpu=1)) == {"uid": UID, "allowed": True}


async def test_a_body_just_below_the_bound_is_judged(served: Served) -> None:
    body = review(gpu=1)[:-2] + b', "more": "'
    body += b"x" * (server.MOST_BYTES - len(body) - 3) + b'"}}'
    assert len(body) == server.MOST_BYTES
    assert await served.asks(io.BytesIO(body)) == {"uid": UID, "allowed": True}


@pytest.mark.parametrize("seed", range(10))
async def test_a_body_that_is_cut_is_refused_with_its_uid(served: Served, seed: int) -> None:
    body = review(gpu=1)
    at = random.Random(seed).randrange(body.index(UID.encode()) + len(UID) + 1, len(body))
    assert message(await served.asks(body[:at])).startswith(
        "INVALID_REQUEST: the AdmissionReview cannot be read: "
    )


async def test_the_deadline_runs_while_the_body_arrives(served: Served) -> None:
    served.cluster.plan("get", Fault(wait=None))
    body = review(gpu=1)
    loop = asyncio.get_running_loop()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:200]
        await asyncio.sleep(0.3)
        yield body[200:]

    began = loop.time()
    assert message(await served.asks(slowly(), "timeout=1s")).startswith("OWNER_QUEUE_FULL: ")
    assert loop.time() - began < 0.7
    ((_, already),) = served.gate.told
    assert already >= 0.3


async def test_a_body_that_never_ends_is_refused_before_the_deadline(served: Served) -> None:
    done = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield review(gpu=1)[:200]
        await done.wait()

    began = asyncio.get_running_loop().time()
    assert message(await served.asks(stuck(), "timeout=1s")) == (
        "INVALID_REQUEST: the AdmissionReview did not arrive as a whole"
    )
    assert asyncio.get_running_loop().time() - began < 0.9
    done.set()


async def test_a_client_that_goes_away_harms_nobody(served: Served) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", served.listener.port)
    writer.write(b"POST /validate HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + review(gpu=1)[:200])
    await writer.drain()
    writer.transport.abort()
    await asyncio.sleep(0.05)
    assert await served.asks(review(gpu=1)) == {"uid": UID, "allowed": True}
    assert len(served.gate.told) == 1


async def test_readyz_turns_true_with_the_first_sync_and_healthz_is_always() -> None:
    synced = False
    async with TestClient(TestServer(serving.operations(lambda: synced))) as client:

        async def status(path: str) -> tuple[int, str]:
            async with client.get(path) as answer:
                return answer.status, await answer.text()

        assert await status("/readyz") == (503, "not synced yet\n")
        assert await status("/healthz") == (200, "ok\n")
        synced = True
        assert await status("/readyz") == (200, "ok\n")
        assert "labquota_admission_requests_total" in (await status("/metrics"))[1]
