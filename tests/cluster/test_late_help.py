"""Late help: a refused pod comes by itself within two seconds of budget coming free, and nobody is asked in vain."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from cluster.steps import eventually, fill, held
from cluster.workloads import NUDGED, PATHS, create, makers, path_of, pod_names, student, workload
from controlplane import User
from harness import AsyncClient, Installation, World, manifests

KINDS = ("Deployment", "StatefulSet", "Job", "ReplicaSet", "ReplicationController", "DaemonSet")
BACK_OFF = 8.0
"""Seconds after which each controller waits for two more at least: they try after 5.1 and 10.2, Jobs after 7 and 15."""


def nudges(world: World) -> int:
    """How often controllers were asked to try again, by both replicas."""
    installed = _installed(world)
    return int(sum(installed.metrics(f"webhook-{number}")["labquota_nudges_total"] for number in range(2)))


def _installed(world: World) -> Installation:
    assert world.installed is not None
    return world.installed


def come(client: AsyncClient, where: str, count: int, start: str = "") -> Callable[[], Awaitable[bool]]:
    """Whether so many pods have come."""

    async def asked() -> bool:
        return len(await pod_names(client, where, start)) >= count

    return asked


async def test_the_refused_pod_of_any_controller_comes_within_two_seconds_of_the_budget(world: World) -> None:
    async def one(kind: str) -> float:
        alice, where = student(world, kind.lower(), pods=1)
        async with world.client(alice) as client:
            await fill(client, held("blocker", where))
            await create(client, workload(kind, "train", where))
            await asyncio.sleep(BACK_OFF)
            assert await pod_names(client, where, "train") == [], kind
            await client.delete_pod(where, "blocker")
            took = await eventually(come(client, where, 1, "train"), 2, f"the pod of the {kind} comes")
            kept = (
                await makers(client, where)
                if kind == "Deployment"
                else await client.list(PATHS[kind].format(where))
            )
            assert NUDGED in kept[0]["metadata"]["annotations"], f"the {kind} tried by itself"
            return took

    took = await asyncio.gather(*map(one, KINDS))
    print({kind: round(seconds, 2) for kind, seconds in zip(KINDS, took, strict=True)})


async def test_it_comes_as_soon_when_the_limit_rises_instead_and_no_diff_shows_it(world: World) -> None:
    alice, where = student(world, pods=2)
    kubectl = world.plane.kubectl
    ways = {"train": (), "serve": ("--server-side",)}
    texts = {name: json.dumps(workload("StatefulSet", name, where, 2)) for name in ways}
    async with world.client(alice) as client:
        for name, how in ways.items():
            applied = kubectl(alice, "apply", *how, "-f", "-", stdin=texts[name])
            assert applied.returncode == 0, applied.stderr
        await eventually(come(client, where, 2), 5, "the first pods")
        await asyncio.sleep(6)
        world.override("more", world.owner(alice), aggregate={"pods": 4})
        await eventually(come(client, where, 4), 2, "the others come")
        nudged = await client.list(PATHS["StatefulSet"].format(where))
        assert any(NUDGED in each["metadata"]["annotations"] for each in nudged)
        for name, how in ways.items():
            shown = kubectl(alice, "diff", *how, "-f", "-", stdin=texts[name])
            assert (name, shown.returncode, shown.stdout) == (name, 0, "")


async def test_each_place_that_frees_is_taken_by_one_that_waits(world: World) -> None:
    alice, where = student(world, pods=1)
    async with world.client(alice) as client:
        for number in range(6):
            assert (await create(client, manifests.job(f"job-{number}", where))).ok

        async def all_done() -> bool:
            jobs = await client.list(PATHS["Job"].format(where))
            return all(each["status"].get("succeeded") for each in jobs)

        # half a second of work each, a second in which its controller gathers changes, and what it takes to free
        await eventually(all_done, 40, "all are done")
        assert nudges(world) > 0


async def test_nobody_is_asked_where_nothing_frees_or_what_frees_is_too_little(world: World) -> None:
    alice, where = student(world, gpu=3)
    async with world.client(alice) as client:
        await fill(client, held("one", where, gpu=1), held("two", where, gpu=1))
        before = nudges(world)
        for number in range(5):
            await create(client, workload("ReplicaSet", f"big-{number}", where, 2, gpu=3))
        await create(client, workload("Job", "huge", where, gpu=9))
        await asyncio.sleep(3)
        for _ in range(10):
            await client.delete_pod(where, "one")
            await asyncio.sleep(0.3)
            await fill(client, held("one", where, gpu=1))
        await asyncio.sleep(1)
        assert nudges(world) == before


async def test_where_one_place_frees_one_is_asked_and_it_does_not_go_round(world: World) -> None:
    alice, where = student(world, pods=1)
    async with world.client(alice) as client:
        await fill(client, held("blocker", where))
        for number in range(8):
            await create(client, workload("ReplicaSet", f"train-{number}", where, 2))
        await asyncio.sleep(6)
        before = nudges(world)
        await client.delete_pod(where, "blocker")
        await eventually(come(client, where, 1, "train"), 2, "one of them comes")
        await asyncio.sleep(8)
        assert len(await pod_names(client, where)) == 1
        asked = [
            NUDGED in (each["metadata"].get("annotations") or {}) for each in await makers(client, where)
        ]
        assert 1 <= nudges(world) - before <= 2, "one by each replica at most"
        assert sum(asked) <= 2


async def test_the_webhook_may_change_nothing_of_a_workload_but_when_it_was_asked(world: World) -> None:
    alice, where = student(world, pods=1)
    webhook: User = _installed(world).webhook_user
    made = workload("Deployment", "train", where)
    async with world.client(alice) as client, world.client(webhook) as ours:
        await create(client, made)
        for patch in (
            {"spec": {"replicas": 5}},
            {"metadata": {"labels": {"a": "b"}}},
            {"metadata": {"annotations": {"a": "b"}}},
            {"metadata": {"annotations": {"deployment.kubernetes.io/revision": None}}},
            {"metadata": {"finalizers": ["a.b/c"]}},
        ):

            async def refused() -> bool:
                answer = await ours.patch(path_of(made), patch)  # noqa: B023  called in this turn
                return answer.status == 403 and answer.message.endswith(
                    "labquota's webhook changes annotation labquota.dev/nudged alone"
                )

            await eventually(refused, 5, f"{patch} is refused")
        answer = await ours.patch(path_of(made), {"metadata": {"annotations": {NUDGED: "now"}}})
        assert answer.ok, answer.message
