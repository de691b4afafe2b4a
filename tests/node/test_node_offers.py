"""NVIDIA's plugin offers devices in its other ways: whatever names and ids it writes, they are told and paid for."""

from controlplane.process import wait_until
from harness import AsyncClient, World
from harness.clients import pods as pods_of
from harness.manifests import Manifest
from node.pods import pod
from node.realnode import RealNode
from node.steps import created
from node.story import Story

GPU = "nvidia.com/gpu"
ONE = {"gpu-equivalents": 1}


async def passes(client: AsyncClient, body: Manifest) -> str:
    """Empty if a pod would be let through, else why not."""
    answer = await client.create(pods_of(body["metadata"]["namespace"]), body, dryRun="All")
    return answer.message


# Fact: strategy `single` offers plain nvidia.com/gpu; only the devices behind it, or a label, say that it is a slice.
async def test_of_the_single_strategy_seven_slices_are_one_gpu_and_an_eighth_is_refused(
    world: World, node: RealNode, story: Story
) -> None:
    alice = world.user("alice")
    world.group("student", subjects=[world.owner(alice)], aggregate=ONE)
    with node.offering("single", layout=["1g.5gb"] * 7):
        assert wait_until(lambda: node.offered() == {GPU: 21}, 30, every=0.2), node.offered()
        seven, eighth = pod("seven", story.namespace, gpu=7), pod("eighth", story.namespace, gpu=1)
        async with world.client(alice) as client:
            await story.eventually(lambda: passes(client, seven))
            await created(world, alice, seven)
            ids = story.agreed("seven", 7)
            slices = {each.uuid for gpu in node.gpus.gpus for each in gpu.instances}
            assert set(ids) < slices
            refused = await client.create_pod(eighth)
            assert refused.status == 403
            assert "gpu-equivalents" in refused.message
        story.remove()


# Fact: replicas: device ids end in ::<n>; two pods that share a device by intention are no Conflict.
async def test_two_people_share_a_gpu_by_replicas_and_each_pays_for_it(
    world: World, node: RealNode, story: Story
) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    world.group("student", subjects=[world.owner(alice), world.owner(bob)], aggregate=ONE)
    uuid = node.gpus.gpus[1].uuid
    with node.offering(sharing=[GPU]):
        assert wait_until(lambda: node.offered().get(GPU) == 2, 30, every=0.2), node.offered()
        async with world.client(alice) as client:
            mine, yours = pod("mine", story.namespace, gpu=1), pod("yours", story.namespace, gpu=1)
            await story.eventually(lambda: passes(client, mine))
            await created(world, alice, mine)
            await created(world, bob, yours)
            ids = [story.agreed(name, 1, without=("container",))[0] for name in ("mine", "yours")]
            assert sorted(ids) == [f"{uuid}::0", f"{uuid}::1"]
            for name in ("mine", "yours"):
                story.reached(name, "Running")
            assert story.container("mine") == story.container("yours") == (uuid,)
            (offer,) = [each for each in story.gpunode()["resources"] if each["name"] == GPU]
            assert (offer["count"], offer["replicas"], offer["devices"]) == (2, 2, [uuid])
            refused = await client.create_pod(pod("more", story.namespace, gpu=1))
            assert refused.status == 403
            assert "gpu-equivalents" in refused.message
        assert story.problems("mine") == story.problems("yours") == {}
        story.remove()
