"""A node changes under its pods: a device fails, the kubelet starts again, the cards are cut anew."""

import asyncio

from controlplane.process import wait_until
from harness import World
from node.pods import container, pod
from node.realnode import RealNode
from node.steps import charged, created
from node.story import Story

SPARE = "nvidia.com/mig-4g.20gb"


async def test_a_device_that_fails_under_a_pod_stays_its_and_is_offered_to_nobody(
    world: World, node: RealNode, story: Story
) -> None:
    alice = world.user("alice")
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={SPARE: 2})
    await created(world, alice, pod("ill", story.namespace, mig={"4g.20gb": 1}))
    ids = story.agreed("ill", 1)
    assert story.health("ill") == {ids[0]: "Healthy"}
    gpu = node.gpus.gpus[2]
    node.gpus.xid(gpu, 48, gpu.instances[0])
    node.gpus.write()
    assert wait_until(lambda: story.health("ill") == {ids[0]: "Unhealthy"}, 20, every=0.2), story.health(
        "ill"
    )
    assert wait_until(lambda: SPARE not in node.offered(), 20, every=0.2), node.offered()
    assert story.agreed("ill", 1) == ids
    charged(world, owner, pods=1, mig_4g_20gb=1)
    await created(world, alice, pod("waits", story.namespace, mig={"4g.20gb": 1}))
    await asyncio.sleep(2)
    assert story.pod("waits")["status"]["phase"] == "Pending"
    charged(world, owner, pods=2, mig_4g_20gb=2)
    # NVIDIA's plugin takes nothing back by itself.
    node.plugin.restart(grace=5)
    assert wait_until(lambda: story.health("ill") == {ids[0]: "Healthy"}, 20, every=0.2), story.health("ill")
    async with world.client(alice) as client:
        assert (await client.delete_pod(story.namespace, "ill")).ok
    assert story.agreed("waits", 1) == ids


# Fact: XIDs 13, 31, 43, 45, 68, 109 are application errors and do not make a device unhealthy.
async def test_an_error_of_a_program_makes_no_device_unhealthy(
    world: World, node: RealNode, story: Story
) -> None:
    await created(world, world.user("alice"), pod("wild", story.namespace, mig={"4g.20gb": 1}))
    ids = story.agreed("wild", 1)
    gpu = node.gpus.gpus[2]
    for code in (13, 31, 43, 45, 68, 109):
        node.gpus.xid(gpu, code, gpu.instances[0])
    node.gpus.write()
    await asyncio.sleep(3)
    assert story.health("wild") == {ids[0]: "Healthy"}
    assert node.offered()[SPARE] == 1


async def test_after_a_restart_of_the_kubelet_the_story_goes_on(
    world: World, node: RealNode, story: Story
) -> None:
    alice = world.user("alice")
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={SPARE: 1})
    await created(world, alice, pod("stays", story.namespace, mig={"4g.20gb": 1}))
    ids, before = story.agreed("stays", 1), story.pids("stays")
    offered = node.podresources()["allocatable"]
    node.kubelet.stop(grace=10)
    try:
        story.says("PodResourcesAvailable", "False")
        assert story.agent("stays") == ids, "what the kubelet said last holds while it is away"
        charged(world, owner, pods=1, mig_4g_20gb=1)
    finally:
        node.kubelet.start()
        node.kubelet.wait_ready(60)
    assert wait_until(lambda: _same(node, offered), 60, every=0.2), node.podresources()
    story.says("PodResourcesAvailable", "True")
    assert story.agreed("stays", 1) == ids
    assert story.pids("stays") == before, "its processes never noticed"
    charged(world, owner, pods=1, mig_4g_20gb=1)


# Fact: a kubelet that starts again refuses a running pod whose init container had asked for a device.
async def test_a_pod_that_a_restarted_kubelet_gives_up_is_free(
    world: World, node: RealNode, story: Story
) -> None:
    alice = world.user("alice")
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={SPARE: 1})
    first = container("first", args=("exit", "0"), mig={"4g.20gb": 1})
    await created(
        world,
        alice,
        pod(
            "early",
            story.namespace,
            args=("last", "600"),
            grace=1,
            cpu="1m",
            spec={"initContainers": [first]},
        ),
    )
    story.reached("early", "Running")
    charged(world, owner, pods=1, mig_4g_20gb=1)
    node.plugin.stop()  # whose devices are not there yet when the kubelet looks at its pods again
    try:
        node.kubelet.restart(grace=10, seconds=60)
        story.reached("early", "Failed")
        story.nobody("early")
        charged(world, owner)
    finally:
        node.plugin.start()
    assert wait_until(lambda: node.offered().get(SPARE) == 1, 30, every=0.2), node.offered()


# Fact: node capacity can keep stale names with value "0": treat as gone.
async def test_a_card_that_is_cut_anew_offers_other_devices_under_other_names(
    world: World, node: RealNode, story: Story
) -> None:
    alice = world.user("alice")
    await created(world, alice, pod("before", story.namespace, mig={"4g.20gb": 1}))
    old = story.agreed("before", 1)
    async with world.client(alice) as client:
        assert (await client.delete_pod(story.namespace, "before")).ok
    story.nobody("before")
    gpu = node.gpus.gpus[2]
    try:
        node.gpus.cut(gpu, ("7g.40gb",))
        node.gpus.write()
        node.plugin.restart(grace=5)
        assert wait_until(lambda: node.offered().get("nvidia.com/mig-7g.40gb") == 1, 30, every=0.2)
        # The kubelet keeps the name of what is gone, with a capacity of 0, until it forgets it.
        assert wait_until(lambda: SPARE not in node.offered(), 30, every=0.2), node.offered()
        assert node.node()["status"]["allocatable"][SPARE] == "0"
        await created(world, alice, pod("after", story.namespace, mig={"7g.40gb": 1}))
        new = story.agreed("after", 1)
        assert new == (gpu.instances[0].uuid,)
        assert new != old
    finally:
        world.plane.client.delete(f"/api/v1/namespaces/{story.namespace}/pods", gracePeriodSeconds=0)
        node.gpus.cut(gpu, ("4g.20gb",))
        node.gpus.write()
        node.plugin.restart(grace=5)
    assert wait_until(lambda: node.offered().get(SPARE) == 1, 30, every=0.2), node.offered()
    assert gpu.instances[0].uuid not in old


def _same(node: RealNode, offered: dict[str, list[str]]) -> bool:
    """Whether the kubelet offers these devices again: until the plugin has registered, it offers none."""
    now = node.podresources()["allocatable"]
    return {name: set(ids) for name, ids in now.items()} == {name: set(ids) for name, ids in offered.items()}
