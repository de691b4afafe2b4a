"""What does not fit together on a real node is named with its evidence, and no longer when it fits again."""

from controlplane.process import wait_until
from harness import World
from node.pods import container, pod
from node.realnode import RealNode
from node.steps import charged, created
from node.story import Story
from nvml import Mig, Process

MIDDLE, SPARE = "nvidia.com/mig-2g.10gb", "nvidia.com/mig-4g.20gb"


def device(node: RealNode, uuid: str) -> Mig:
    return next(each for gpu in node.gpus.gpus for each in gpu.instances if each.uuid == uuid)


async def test_a_process_is_accounted_for_by_the_pod_that_it_runs_in(
    world: World, node: RealNode, story: Story
) -> None:
    alice, mallory = world.user("alice"), world.user("mallory")
    await created(world, alice, pod("mine", story.namespace, mig={"2g.10gb": 1}))
    await created(world, mallory, pod("none", story.namespace, cpu="1m"))
    (uuid,) = story.agreed("mine", 1)
    story.reached("none", "Running")
    gpu, mig = node.gpus.gpus[0], device(node, uuid)
    own, theirs = story.inner("mine"), story.inner("none")
    kubelet = node.box.pids()[node.box.child("kubelet")]
    gpu.processes = [Process(pid, 100, gi=mig.gi, ci=mig.ci) for pid in (own, theirs, kubelet)]
    node.gpus.write()
    try:
        assert wait_until(lambda: {theirs, kubelet} <= set(story.foreign()), 20, every=0.2), story.gpunode()
        foreign = story.foreign()
        assert own not in foreign, "it runs in the pod that has the device"
        found = foreign[theirs]
        assert (found["namespace"], found["pod"], found["podUid"]) == (
            story.namespace,
            "none",
            story.uid("none"),
        )
        assert (found["owner"], found["command"]) == (world.owner(mallory), "box")
        assert (found["gpu"], found["gpuInstance"], found["computeInstance"]) == (gpu.uuid, mig.gi, mig.ci)
        assert (foreign[kubelet]["pod"], foreign[kubelet]["command"]) == ("", "kubelet")
        assert wait_until(lambda: "Unaccounted" in story.problems("mine"), 20, every=0.2), story.problems(
            "mine"
        )
        message = story.problems("mine")["Unaccounted"]
        assert f"process {theirs} (box) of pod {story.namespace}/none of {world.owner(mallory)}" in message
        assert story.agreed("mine", 1) == (uuid,)
    finally:
        gpu.processes = []
        node.gpus.write()
    assert wait_until(lambda: not story.foreign() and not story.problems("mine"), 20, every=0.2), (
        story.gpunode()
    )


# Fact: reboot: UUIDs change and ids are used again; an allocation does not move to another device, nor to another pod.
async def test_a_device_that_is_made_again_under_a_pod_is_named_missing_and_is_not_its(
    world: World, node: RealNode, story: Story
) -> None:
    alice = world.user("alice")
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={SPARE: 2})
    await created(world, alice, pod("left", story.namespace, mig={"4g.20gb": 1}))
    (old,) = story.agreed("left", 1)
    gpu = node.gpus.gpus[2]
    place = gpu.instances[0].gi, gpu.instances[0].ci
    node.gpus.cut(gpu, ("4g.20gb",))  # as after a reboot: the same place on the card, another device
    node.gpus.write()
    new = gpu.instances[0]
    assert place == (new.gi, new.ci)
    assert wait_until(lambda: "Missing" in story.problems("left"), 20, every=0.2), story.problems("left")
    message = story.problems("left")["Missing"]
    assert old in message
    assert f"{new.uuid} has taken its place" in message
    node.plugin.restart(grace=5)
    assert wait_until(lambda: node.podresources()["allocatable"].get(SPARE) == [new.uuid], 20, every=0.2)
    charged(world, owner, pods=1, mig_4g_20gb=1)
    async with world.client(alice) as client:
        assert (await client.delete_pod(story.namespace, "left", gracePeriodSeconds=0)).ok
    await created(world, alice, pod("left", story.namespace, mig={"4g.20gb": 1}))
    assert story.agreed("left", 1) == (new.uuid,)
    assert story.problems("left") == {}
    charged(world, owner, pods=1, mig_4g_20gb=1)


# Fact: GPU falls off the bus (XID 79).
async def test_a_card_that_falls_off_the_bus_is_lost_to_everybody_until_it_is_back(
    world: World, node: RealNode, story: Story
) -> None:
    alice = world.user("alice")
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={SPARE: 1})
    await created(world, alice, pod("lost", story.namespace, mig={"4g.20gb": 1}))
    (uuid,) = story.agreed("lost", 1)
    gpu = node.gpus.gpus[2]
    node.gpus.xid(gpu, 79)
    node.gpus.write()
    try:
        assert wait_until(lambda: story.health("lost") == {uuid: "Unhealthy"}, 20, every=0.2), story.health(
            "lost"
        )
        assert wait_until(lambda: SPARE not in node.offered(), 20, every=0.2), node.offered()
        assert wait_until(lambda: "Missing" in story.problems("lost"), 20, every=0.2), story.problems("lost")
        assert f"has lost GPU {gpu.uuid}" in story.problems("lost")["Missing"]
        shown = {each["uuid"]: each["health"] for each in story.gpunode()["gpus"]}
        assert shown == {each.uuid: "Lost" if each is gpu else "Healthy" for each in node.gpus.gpus}
        charged(world, owner, pods=1, mig_4g_20gb=1)
    finally:
        gpu.lost = False
        node.gpus.write()
        node.plugin.restart(grace=5)
    assert wait_until(lambda: story.health("lost") == {uuid: "Healthy"}, 20, every=0.2), story.health("lost")
    assert story.agreed("lost", 1) == (uuid,)
    assert wait_until(lambda: not story.problems("lost"), 20, every=0.2), story.problems("lost")


# Fact: PodResources omits init containers.
async def test_an_init_containers_device_is_paid_for_though_the_kubelet_does_not_list_it(
    world: World, node: RealNode, story: Story
) -> None:
    alice = world.user("alice")
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={MIDDLE: 1})
    first = container("first", args=("last", "600"), mig={"2g.10gb": 1})
    await created(
        world, alice, pod("early", story.namespace, cpu="1m", grace=0, spec={"initContainers": [first]})
    )

    def begun() -> bool:
        statuses = story.pod("early")["status"].get("initContainerStatuses", [])
        return any("running" in each["state"] for each in statuses)

    assert wait_until(begun, 20, every=0.2), story.pod("early")["status"]
    charged(world, owner, pods=1, mig_2g_10gb=1)
    assert story.kubelet("early") == ()
    pid = story.inner("early")
    gpu = node.gpus.gpus[0]
    mig = next(each for each in gpu.instances if each.profile == "2g.10gb")
    gpu.processes = [Process(pid, 100, gi=mig.gi, ci=mig.ci)]
    node.gpus.write()
    try:
        assert not wait_until(lambda: pid in story.foreign(), 4, every=0.2), story.foreign()
    finally:
        gpu.processes = []
        node.gpus.write()


async def test_one_equivalent_is_a_half_and_a_half_and_not_a_slice_more(
    world: World, node: RealNode, story: Story
) -> None:
    alice = world.user("alice")
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu-equivalents": 1})
    await created(
        world,
        alice,
        pod("half", story.namespace, mig={"4g.20gb": 1}),
        pod("other", story.namespace, mig={"3g.20gb": 1}),
    )
    assert not set(story.agreed("half", 1)) & set(story.agreed("other", 1))
    async with world.client(alice) as client:
        refused = await client.create_pod(pod("slice", story.namespace, mig={"1g.5gb": 1}))
    assert refused.status == 403
    assert "gpu-equivalents" in refused.message
    assert owner in refused.message
    assert [each["pod"] for each in node.podresources()["held"] if each["namespace"] == story.namespace] != []
