"""Pods on lost nodes, as their owner's ledger shows them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from labquota.controllers import nodes
from labquota.controllers.nodes import Node, Nodes
from unit.builders import group, manifest, world
from unit.operators import Operator, operating, pod_path, soon
from unit.replicas import held
from unit.simulated import Cluster, run

OF = world(group(aggregate={"gpu": 3}))
GRACE = 60.0
DELETED = "2026-03-01T08:00:30Z"
"""When the pod's own grace period is over: half a minute after the test begins."""


def node(ready: str) -> Node:
    """A node, ready or not, or unheard of."""
    item = {"metadata": {"name": "gpu-1"}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}
    return nodes.decode(json.dumps(item).encode())


def leaving(name: str, gpu: int) -> dict[str, Any]:
    """A pod on that node that somebody has deleted."""
    pod: dict[str, Any] = manifest(name, gpu=gpu)
    pod["spec"]["nodeName"] = "gpu-1"
    pod["metadata"]["deletionTimestamp"] = DELETED
    return pod


def now() -> float:
    return asyncio.get_running_loop().time()


def watching(scenario: Callable[[Operator, Nodes], Awaitable[None]]) -> None:
    """Run a scenario beside an operator that watches nodes."""

    async def play(operator: Operator) -> None:
        lost = Nodes(operator.view, operator.clock, GRACE)
        lost.replaced([node("True")], "5")
        operator.tasks.append(asyncio.create_task(lost.run()))
        await scenario(operator, lost)

    run(operating(Cluster(), OF, play))


def test_a_pod_on_an_unreachable_node_leaves_the_ledger_after_both_graces_and_returns_with_its_node() -> None:
    async def scenario(operator: Operator, lost: Nodes) -> None:
        cluster = operator.cluster
        cluster.store(pod_path("gone"), leaving("gone", 2))
        cluster.store(pod_path("stays"), manifest("stays", gpu=1))
        await soon(lambda: held(cluster).folded.get("gpu") == 3)
        lost.changed("MODIFIED", node("Unknown"), "6")
        await asyncio.sleep(30 + GRACE - 2 - now())
        assert held(cluster).folded["gpu"] == 3, "not before its grace and ours"
        await soon(lambda: held(cluster).folded == {"gpu": 1, "pods": 1}, 8)
        lost.changed("MODIFIED", node("True"), "7")
        await soon(lambda: held(cluster).folded == {"gpu": 3, "pods": 2}, 8)
        lost.changed("DELETED", node("True"), "8")
        await soon(lambda: held(cluster).folded == {"gpu": 1, "pods": 1}, 8)

    watching(scenario)


def test_a_pod_that_was_given_up_with_its_node_is_not_freed_a_second_time_when_it_goes() -> None:
    async def scenario(operator: Operator, lost: Nodes) -> None:
        cluster = operator.cluster
        cluster.store(pod_path("gone"), leaving("gone", 1))
        cluster.store(pod_path("stays"), manifest("stays", gpu=1))
        lost.changed("MODIFIED", node("Unknown"), "6")
        await soon(lambda: held(cluster).folded == {"gpu": 1, "pods": 1}, 120)
        cluster.drop(pod_path("gone"))
        await asyncio.sleep(20)
        lost.changed("MODIFIED", node("True"), "7")
        await asyncio.sleep(20)
        assert held(cluster).folded == {"gpu": 1, "pods": 1}

    watching(scenario)


def test_a_pod_that_changes_while_it_is_given_up_stays_given_up() -> None:
    async def scenario(operator: Operator, lost: Nodes) -> None:
        cluster = operator.cluster
        cluster.store(pod_path("gone"), leaving("gone", 1))
        cluster.store(pod_path("stays"), manifest("stays", gpu=1))
        lost.changed("MODIFIED", node("Unknown"), "6")
        await soon(lambda: held(cluster).folded == {"gpu": 1, "pods": 1}, 120)
        cluster.store(pod_path("gone"), leaving("gone", 2))
        await asyncio.sleep(20)
        assert held(cluster).folded == {"gpu": 1, "pods": 1}
        lost.changed("MODIFIED", node("True"), "7")
        await soon(lambda: held(cluster).folded == {"gpu": 3, "pods": 2}, 8)

    watching(scenario)
