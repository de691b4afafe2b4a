"""The informer against a real API server: the same set as kubectl's, and nothing lost when the server dies."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest

from controlplane import ControlPlane
from labquota.clock import SystemClock
from labquota.kube import credentials, errors, versions
from labquota.kube.client import HttpApi
from labquota.kube.feed import Kind
from labquota.kube.informer import Informer

MANY = 3000


class Store:
    """A sink that holds the resource version of every object by name."""

    def __init__(self) -> None:
        self.things: dict[str, str] = {}
        self.replacements = 0

    def replaced(self, items: list[dict[str, Any]], _resource_version: str) -> None:
        self.replacements += 1
        self.things = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}

    def changed(self, kind: Kind, item: dict[str, Any], resource_version: str) -> None:
        if kind == "DELETED":
            del self.things[item["metadata"]["name"]]
        else:
            self.things[item["metadata"]["name"]] = resource_version

    def progressed(self, resource_version: str) -> None:
        """Nothing to keep."""


class Namespace:
    """A namespace of ConfigMaps of our own."""

    def __init__(self, plane: ControlPlane, api: HttpApi, name: str) -> None:
        self.plane, self.api, self.name = plane, api, name
        self.path = f"/api/v1/namespaces/{name}/configmaps"

    async def create(self, name: str) -> None:
        await self.api.create(
            self.path, json.dumps({"metadata": {"name": name}, "data": {"a": "x" * 200}}).encode()
        )

    async def change(self, name: str, value: str) -> None:
        await self.api.patch(f"{self.path}/{name}", json.dumps({"data": {"a": value}}).encode())

    async def delete(self, name: str) -> None:
        await self.api.delete(f"{self.path}/{name}")

    async def version(self) -> str:
        """Return the newest resource version, by a quorum read."""
        found = json.loads(await self.api.get(self.path, {"limit": "1"}))
        return str(found["metadata"]["resourceVersion"])

    async def touch_another_kind(self) -> None:
        """Make the store's version grow without a change that the informer would see."""
        secrets = f"/api/v1/namespaces/{self.name}/secrets"
        await self.api.create(secrets, json.dumps({"metadata": {"name": "other"}}).encode())

    def by_kubectl(self) -> dict[str, str]:
        template = r'jsonpath={range .items[*]}{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}'
        out = self.plane.kubectl(
            self.plane.admin, "get", "configmaps", "-n", self.name, "-o", template, check=True
        ).stdout
        return dict(line.split() for line in out.splitlines())


@pytest.fixture
async def lab(plane: ControlPlane) -> AsyncIterator[Namespace]:
    """A namespace that goes away after the test."""
    name = f"informer-{random.SystemRandom().getrandbits(40):x}"
    async with HttpApi(credentials.load(str(plane.admin.kubeconfig))) as api:
        await api.create("/api/v1/namespaces", json.dumps({"metadata": {"name": name}}).encode())
        yield Namespace(plane, api, name)
        await api.delete(f"/api/v1/namespaces/{name}")


@asynccontextmanager
async def informing(
    lab: Namespace, *, watch_list: bool
) -> AsyncIterator[tuple[Informer[dict[str, Any]], Store]]:
    store = Store()
    informer: Informer[dict[str, Any]] = Informer(
        lab.api,
        lab.path,
        msgspec.json.decode,
        store,
        clock=SystemClock(),
        rng=random.Random(),
        watch_list=watch_list,
    )
    task = asyncio.create_task(informer.run())
    try:
        async with asyncio.timeout(30):
            await informer.synced.wait()
        yield informer, store
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def passed(informer: Informer[Any], version: str) -> None:
    """Wait until the view has passed a version."""
    async with asyncio.timeout(30):
        while versions.newer(version, informer.view):  # noqa: ASYNC110  a view has no event for each version
            await asyncio.sleep(0.02)


async def persistently(call: Callable[..., Awaitable[None]], *args: str) -> None:
    """Make a write although the API server is away, taking its own earlier success for one."""
    while True:
        try:
            return await call(*args)
        except (errors.AlreadyExists, errors.NotFound):
            return None
        except errors.KubeError:
            await asyncio.sleep(0.1)


async def test_thousands_of_objects_are_the_same_set_by_watch_by_pages_and_by_kubectl(lab: Namespace) -> None:
    names = iter([f"thing-{number}" for number in range(MANY)])

    async def creator() -> None:
        for name in names:
            await lab.create(name)

    await asyncio.gather(*[creator() for _ in range(16)])
    expected = lab.by_kubectl()
    assert MANY <= len(expected) <= MANY + 1  # the cluster adds kube-root-ca.crt

    for watch_list in (True, False):
        async with informing(lab, watch_list=watch_list) as (_, store):
            assert store.things == expected


async def test_no_event_is_lost_when_the_api_server_is_killed_in_the_middle(lab: Namespace) -> None:
    running = True

    async def churn(worker: int) -> None:
        number = 0
        while running:
            name = f"thing-{worker}-{number}"
            await persistently(lab.create, name)
            await persistently(lab.change, name, "changed")
            if number % 2:
                await persistently(lab.delete, name)
            number += 1

    async with (
        informing(lab, watch_list=True) as (one, watched),
        informing(lab, watch_list=False) as (other, listed),
    ):
        workers = [asyncio.create_task(churn(worker)) for worker in range(4)]
        await asyncio.sleep(1)
        server = lab.plane.apiserver()
        server.kill()
        await asyncio.to_thread(server.restart)
        await asyncio.sleep(2)
        running = False
        await asyncio.gather(*workers)

        expected = lab.by_kubectl()
        newest = max(expected.values(), key=int)
        await passed(one, newest)
        await passed(other, newest)
        one.hurry()
        other.hurry()
        version = await lab.version()
        await passed(one, version)
        await passed(other, version)

        assert len(expected) > 20
        assert watched.things == expected
        assert listed.things == expected


async def test_in_a_hurry_the_view_passes_a_fresh_version_although_nothing_changes(lab: Namespace) -> None:
    async with informing(lab, watch_list=True) as (informer, store):
        await lab.touch_another_kind()
        version = await lab.version()
        assert versions.newer(version, informer.view)

        informer.hurry()

        async with asyncio.timeout(8):
            await passed(informer, version)
        assert store.replacements == 1
