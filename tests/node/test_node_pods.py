"""A person's pods on a real GPU node: whoever is asked names the same devices, from the first moment to the last."""

import asyncio

from controlplane.process import wait_until
from harness import World
from harness.clients import pods as pods_of
from node.pods import container, pod
from node.realnode import RealNode
from node.steps import charged, created
from node.story import Story

SMALL, MIDDLE, LARGE = ("nvidia.com/mig-1g.5gb", "nvidia.com/mig-2g.10gb", "nvidia.com/mig-3g.20gb")


# Fact: since Kubernetes 1.36 allocatedResourcesStatus gives device ids through the API server.
async def test_a_pods_devices_are_the_real_plugins_and_everybody_names_the_same(
    world: World, node: RealNode, story: Story
) -> None:
    alice = world.user("alice")
    world.group("student", subjects=[world.owner(alice)], aggregate={"pods": 5})
    assert node.offered() == {
        "nvidia.com/gpu": 1,
        SMALL: 2,
        MIDDLE: 1,
        LARGE: 1,
        "nvidia.com/mig-4g.20gb": 1,
    }
    both = [container("one", mig={"1g.5gb": 1}), container("two", mig={"3g.20gb": 1})]
    await created(
        world,
        alice,
        pod("slices", story.namespace, containers=both),
        pod("whole", story.namespace, gpu=1),
        pod("none", story.namespace, cpu="1m"),
    )
    slices, whole = story.agreed("slices", 2), story.agreed("whole", 1)
    first, second = node.gpus.gpus[0], node.gpus.gpus[1]
    assert set(slices) < {each.uuid for each in first.instances if each.profile in ("1g.5gb", "3g.20gb")}
    assert whole == (second.uuid,)
    story.reached("none", "Running")
    assert story.agreed("none", 0) == ()
    held = {(each["resource"], each["device"]): each for each in story.gpunode()["holders"]}
    for resource, profile, name in ((SMALL, "1g.5gb", "one"), (LARGE, "3g.20gb", "two")):
        (device,) = (each for each in first.instances if each.uuid in slices and each.profile == profile)
        holder = held[resource, device.uuid]
        assert (holder["gpu"], holder["gpuInstance"], holder["computeInstance"]) == (
            first.uuid,
            device.gi,
            device.ci,
        )
        assert holder["container"] == name


async def test_who_is_refused_is_given_no_device(world: World, node: RealNode, story: Story) -> None:
    alice = world.user("alice")
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={SMALL: 1})
    await created(world, alice, pod("first", story.namespace, mig={"1g.5gb": 1}))
    ids = story.agreed("first", 1)
    async with world.client(alice) as client:
        refused = await client.create_pod(pod("second", story.namespace, mig={"1g.5gb": 1}))
    assert refused.status == 403
    assert f"AGGREGATE_GPU_QUOTA_EXCEEDED: {owner} asked {SMALL} 1, used 1 of 1" in refused.message
    await asyncio.sleep(2)  # whoever were to give one would have
    ours = [each for each in node.podresources()["held"] if each["namespace"] == story.namespace]
    assert [(each["pod"], each["id"]) for each in ours] == [("first", ids[0])]
    charged(world, owner, pods=1, mig_1g_5gb=1)


async def test_a_container_that_starts_again_has_the_devices_that_it_had(world: World, story: Story) -> None:
    alice = world.user("alice")
    world.group("student", subjects=[world.owner(alice)], aggregate={SMALL: 2})
    await created(world, alice, pod("again", story.namespace, mig={"1g.5gb": 2}))
    ids = story.agreed("again", 2)
    before = story.pids("again")
    story.kill("again")

    def restarted() -> bool:
        status = story.pod("again")["status"]["containerStatuses"][0]
        return bool(status["restartCount"] == 1 and status["ready"])

    assert wait_until(restarted, 30, every=0.2), story.pod("again")["status"]
    assert not set(before) & set(story.pids("again"))
    assert story.agreed("again", 2) == ids
    charged(world, world.owner(alice), pods=1, mig_1g_5gb=2)


async def test_a_device_is_its_pods_until_its_containers_have_ended(world: World, story: Story) -> None:
    alice = world.user("alice")
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={MIDDLE: 1})
    slow = pod("slow", story.namespace, args=("last", "6"), grace=20, mig={"2g.10gb": 1})
    await created(world, alice, slow)
    ids = story.agreed("slow", 1)
    async with world.client(alice) as client:
        assert (await client.delete_pod(story.namespace, "slow")).ok
        refused = await client.create_pod(pod("next", story.namespace, mig={"2g.10gb": 1}))
        assert (refused.status, story.kubelet("slow")) == (403, ids), refused.message
        charged(world, owner, pods=1, mig_2g_10gb=1)
        assert story.pod("slow")["metadata"]["deletionTimestamp"]
        story.nobody("slow")
        charged(world, owner)
        assert (await client.create_pod(pod("next", story.namespace, mig={"2g.10gb": 1}))).ok
    assert story.agreed("next", 1) == ids


# Fact: a pod that has finished may still be listed.
async def test_a_pod_that_ends_gives_its_devices_back(world: World, story: Story) -> None:
    alice = world.user("alice")
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={LARGE: 1})
    once = {"restartPolicy": "Never"}
    await created(
        world, alice, pod("done", story.namespace, args=("exit", "0"), spec=once, mig={"3g.20gb": 1})
    )
    story.reached("done", "Succeeded")
    story.nobody("done")
    charged(world, owner)
    await created(
        world, alice, pod("failed", story.namespace, args=("exit", "3"), spec=once, mig={"3g.20gb": 1})
    )
    story.reached("failed", "Failed")
    story.nobody("failed")
    charged(world, owner)


async def test_a_pod_deleted_by_force_is_free_at_once_and_its_device_goes_to_who_comes_next(
    world: World, story: Story
) -> None:
    alice = world.user("alice")
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={LARGE: 1})
    await created(world, alice, pod("forced", story.namespace, args=("last", "60"), mig={"3g.20gb": 1}))
    ids = story.agreed("forced", 1)
    async with world.client(alice) as client:
        path = f"{pods_of(story.namespace)}/forced"
        assert (await client.delete(path, gracePeriodSeconds=0)).ok
    story.nobody("forced")
    charged(world, owner)
    await created(world, alice, pod("forced", story.namespace, mig={"3g.20gb": 1}))
    assert story.agreed("forced", 1) == ids
    charged(world, owner, pods=1, mig_3g_20gb=1)
