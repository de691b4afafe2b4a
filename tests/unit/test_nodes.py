import asyncio
import json
from typing import Any

from labquota.controllers import nodes
from labquota.controllers.nodes import Node, Nodes
from labquota.controllers.pods import Pods
from labquota.quota.world import World
from unit.builders import ALICE, manifest
from unit.simulated import Clock, run


def node(name: str = "gpu-1", ready: str = "True") -> Node:
    item = {
        "metadata": {"name": name},
        "status": {"conditions": [{"type": "Ready", "status": ready}, {"type": "X"}]},
    }
    return nodes.decode(json.dumps(item).encode())


def view(*, deadline: str | None = "2026-03-01T08:00:00Z", on: str = "gpu-1") -> Pods:
    made = Pods(World(), lambda _owner, _freed: None)
    item: dict[str, Any] = manifest("a", gpu=1)
    item["spec"]["nodeName"] = on
    if deadline:
        item["metadata"]["deletionTimestamp"] = deadline
    made.changed("ADDED", made.decode(json.dumps(item).encode()), "5")
    return made


def freed(pods: Pods, *seen: Node, after: float = 70) -> bool:
    async def scenario() -> None:
        watched = Nodes(pods, Clock(), 60)
        watched.replaced(list(seen), "5")
        task = asyncio.create_task(watched.run())
        await asyncio.sleep(after)
        task.cancel()

    run(scenario())
    return pods.sums(ALICE) == {}


def test_a_pod_that_is_being_deleted_on_an_unreachable_node_is_free_after_its_grace_and_ours() -> None:
    assert freed(view(), node(ready="Unknown"))
    assert not freed(view(), node(ready="Unknown"), after=59)


def test_it_is_charged_on_a_node_that_can_be_reached_or_while_nobody_deletes_it() -> None:
    assert not freed(view(), node(ready="True"))
    assert not freed(view(), node(ready="False"))
    assert not freed(view(deadline=None), node(ready="Unknown"))
    assert not freed(view(on=""), node(ready="Unknown"))


def test_a_node_that_was_removed_is_lost_too() -> None:
    assert freed(view())
    assert freed(view(), node("other"))


def test_a_node_that_comes_back_charges_its_pods_again() -> None:
    async def scenario() -> None:
        pods = view()
        watched = Nodes(pods, Clock(), 60)
        watched.replaced([node()], "5")
        task = asyncio.create_task(watched.run())
        watched.changed("MODIFIED", node(ready="Unknown"), "6")
        await asyncio.sleep(70)
        assert pods.sums(ALICE) == {}
        watched.changed("MODIFIED", node(ready="True"), "7")
        await asyncio.sleep(6)
        assert pods.sums(ALICE)["gpu"] == 1
        watched.changed("DELETED", node(), "8")
        watched.progressed("9")
        await asyncio.sleep(6)
        assert pods.sums(ALICE) == {}
        task.cancel()

    run(scenario())
