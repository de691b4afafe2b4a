"""A node's kubelet, as far as PodResources shows it: watches the node's pods and gives them devices."""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp

from controlplane import User
from harness.clients import AsyncClient
from kubelet.books import Books, Entry
from kubelet.messages import AllocatableReply, ListReply
from kubelet.serving import Serving

__all__ = ["FakeKubelet"]

_PODS = "/api/v1/pods"
_STRATEGIC = "application/strategic-merge-patch+json"


class FakeKubelet:
    """Use it with `with`; what it offers may change while it runs.

    Args:
        user: whom it calls the API server as: an administrator.
        node: the node's name.
        path: of its socket.
        offers: ids by resource name, as they are now (`ids.offers`).
        linger: seconds for which a finished pod is still listed.
        tells: whether it writes `allocatedResourcesStatus` into the pods' status, as since Kubernetes 1.36.
        seed: which devices, and the order of lists.

    Attributes:
        books: who has what.
        serving: the socket: let it refuse, or hang.
        garbage: what is answered instead of any reply.
    """

    def __init__(
        self,
        user: User,
        node: str,
        path: Path,
        offers: Callable[[], Mapping[str, Sequence[str]]],
        *,
        linger: float = 0.0,
        tells: bool = False,
        seed: int = 1,
    ) -> None:
        self._user, self._node, self._tells = user, node, tells
        self.books = Books(offers, random.Random(seed), linger)
        self.garbage: bytes | None = None
        self.serving = Serving(path, self._listed, self._offered)
        self._lock = threading.Lock()
        self._synced = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"kubelet-{node}", daemon=True)
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> Self:
        """Return when it knows the node's pods and listens."""
        self._thread.start()
        if not self._synced.wait(30):
            raise TimeoutError(f"the fake kubelet of {self._node} has not seen its pods in 30 s")
        self.serving.start()
        return self

    def stop(self) -> None:
        """Close the socket and end the watch."""
        self.serving.close()
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def devices(self, namespace: str, name: str) -> list[str]:
        """What a pod was given."""
        with self._lock:
            return self.books.of(namespace, name)

    def _listed(self) -> bytes:
        if self.garbage is not None:
            return self.garbage
        with self._lock:
            return _pods(self.books.listed(time.monotonic()))

    def _offered(self) -> bytes:
        if self.garbage is not None:
            return self.garbage
        with self._lock:
            offered = self.books.offered()
        reply = AllocatableReply(cpus=[0, 1])
        for resource, device in offered:
            reply.devices.add(resource=resource, ids=[device], topology={"nodes": [{"id": 0}]})
        return bytes(reply.SerializeToString())

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(self._watch())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(asyncio.sleep(0.1))  # in which aiohttp closes its connections
        self._loop.close()

    async def _watch(self) -> None:
        own = {"fieldSelector": f"spec.nodeName={self._node}"}
        async with AsyncClient(self._user) as client:
            while True:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    answer = await client.get(_PODS, **own)
                    if not answer.ok:
                        await asyncio.sleep(0.1)
                        continue
                    await self._all(client, answer.body["items"])
                    self._synced.set()
                    version = answer.body["metadata"]["resourceVersion"]
                    async for event in client.watch(_PODS, **own, resourceVersion=version):
                        if event["type"] == "ERROR":
                            break
                        await self._take(client, event["type"], event["object"])
                await asyncio.sleep(0.1)

    async def _all(self, client: AsyncClient, pods: list[dict[str, Any]]) -> None:
        with self._lock:
            self.books.forget({each["metadata"]["uid"] for each in pods})
        for each in pods:
            await self._take(client, "MODIFIED", each)

    async def _take(self, client: AsyncClient, kind: str, pod: dict[str, Any]) -> None:
        with self._lock:
            entry = self.books.take(kind, pod, time.monotonic())
        if entry is not None and entry.given and self._tells:
            path = f"/api/v1/namespaces/{entry.namespace}/pods/{entry.name}/status"
            await client.patch(path, _told(entry, pod["metadata"]["uid"]), _STRATEGIC)


def _pods(entries: list[Entry]) -> bytes:
    reply = ListReply()
    for each in entries:
        pod = reply.pods.add(name=each.name, namespace=each.namespace)
        for name in dict.fromkeys(given.container for given in each.given):
            container = pod.containers.add(name=name, cpus=[0])
            for given in each.given:
                if given.container == name:
                    container.devices.add(resource=given.resource, ids=[given.device])
    return bytes(reply.SerializeToString())


def _told(entry: Entry, uid: str) -> dict[str, Any]:
    statuses: dict[str, dict[str, list[dict[str, str]]]] = {}
    for given in entry.given:
        ids = statuses.setdefault(given.container, {}).setdefault(given.resource, [])
        ids.append({"resourceID": given.device, "health": "Healthy"})
    told = [
        {
            "name": container,
            "allocatedResourcesStatus": [{"name": name, "resources": ids} for name, ids in by.items()],
        }
        for container, by in statuses.items()
    ]
    return {"metadata": {"uid": uid}, "status": {"containerStatuses": told}}
