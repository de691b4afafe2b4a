"""Who holds which device, and whose processes nobody accounts for, with kwok's pods and a kubelet's manners."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from harness import World
from harness.clients import pods
from kubelet import FORMS, offers
from kubelet.gpunode import GpuNode
from kubelet.ids import Form
from nvml import CURRENT, R470, Process

A100 = "A100-SXM4-40GB"
SLICES = ["3g.20gb", "1g.5gb", "1g.5gb"]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as open_nodes:
        yield open_nodes


def two_gpus(gpu_world: World, *, old: bool = False, **options: Any) -> GpuNode:
    """A whole GPU and one in three slices; `old`: under a driver of 2021."""
    library = R470 if old else CURRENT
    node = GpuNode(gpu_world.plane, gpu_world.name("node"), A100, A100, library=library, **options)
    node.nvml.old_mig_uuids = old
    node.nvml.cut(node.nvml.gpus[1], SLICES)
    return node


def create(gpu_world: World, pod: dict[str, Any]) -> str:
    """Create a pod; returns its UID."""
    made = gpu_world.plane.client.create(pods(pod["metadata"]["namespace"]), pod)
    return str(made["metadata"]["uid"])


def path(where: str, name: str) -> str:
    return f"{pods(where)}/{name}"


@pytest.mark.parametrize("form", FORMS)
def test_holders_are_joined_to_pods_and_devices_by_ids_of_every_form(
    gpu_world: World,
    stack: ExitStack,
    form: Form,
) -> None:
    own = two_gpus(gpu_world, old=form == "old", offers=lambda nvml: offers(nvml, form=form))
    node = stack.enter_context(own)
    where = gpu_world.namespace()
    uid = create(gpu_world, node.pod("train", where, gpu=1))
    create(gpu_world, node.pod("small", where, mig={"1g.5gb": 2}))
    status = node.shows(lambda status: len(status["holders"]) == 3)
    whole, cut = node.nvml.gpus
    found = {
        (each["pod"], each["gpu"], each["gpuInstance"], each["computeInstance"]) for each in status["holders"]
    }
    slices = {("small", cut.uuid, mig.gi, mig.ci) for mig in cut.instances if mig.profile == "1g.5gb"}
    assert found == {("train", whole.uuid, -1, -1), *slices}
    (train,) = [each for each in status["holders"] if each["pod"] == "train"]
    assert (train["podUid"], train["namespace"], train["container"]) == (uid, where, "main")
    assert train["device"] in offers(node.nvml, form=form)["nvidia.com/gpu"]
    assert status["summary"]["held"] == "3/4"
    line = next(each for each in node.metrics() if each.startswith("labquota_gpu_holder") and "train" in each)
    for label, value in (
        ("UUID", whole.uuid),
        ("gpu", "0"),
        ("modelName", "NVIDIA A100-SXM4-40GB"),
        ("Hostname", node.name),
        ("GPU_I_ID", ""),
        ("pod", "train"),
        ("namespace", where),
        ("container", "main"),
    ):
        assert f'{label}="{value}"' in line


def test_a_finished_pod_and_the_next_one_of_its_name_are_never_confused(
    gpu_world: World,
    stack: ExitStack,
) -> None:
    """PodResources names pods without their UIDs, and goes on naming finished ones for a while."""
    node = stack.enter_context(two_gpus(gpu_world, linger=4.0))
    where = gpu_world.namespace()
    asked = {"mig": {"1g.5gb": 1}}
    first = create(gpu_world, node.pod("train", where, **asked))
    one = node.shows(lambda status: status["holders"])["holders"][0]
    assert one["podUid"] == first

    ended = {"metadata": {"annotations": {"controlplane/outcome": "Failed"}}}
    gpu_world.plane.client.merge(path(where, "train"), ended)
    node.shows(lambda status: status["holders"] == [])
    listed = [each.name for each in node.kubelet.books.listed(0)]
    assert "train" in listed, "the kubelet still lists it"

    gpu_world.plane.client.delete(path(where, "train"), gracePeriodSeconds=0)
    second = create(gpu_world, node.pod("train", where, **asked))
    two = node.shows(lambda status: status["holders"])
    for _ in range(3):
        assert [each["podUid"] for each in two["holders"]] == [second]
        assert [each["device"] for each in two["holders"]] == node.kubelet.devices(where, "train")
        node.waits(1.5)
        two = node.status()


def test_pods_that_end_or_vanish_hold_nothing_and_replicas_are_held_by_several(
    gpu_world: World,
    stack: ExitStack,
) -> None:
    node = GpuNode(
        gpu_world.plane, gpu_world.name("node"), A100, offers=lambda nvml: offers(nvml, replicas=4)
    )
    stack.enter_context(node)
    where = gpu_world.namespace()
    for name in ("one", "two", "three"):
        create(gpu_world, node.pod(name, where, gpu=1))
    status = node.shows(lambda status: len(status["holders"]) == 3)
    assert {each["gpu"] for each in status["holders"]} == {node.nvml.gpus[0].uuid}
    assert all("::" in each["device"] for each in status["holders"])
    (offered,) = status["resources"]
    assert (offered["count"], offered["replicas"], offered["devices"]) == (4, 4, [node.nvml.gpus[0].uuid])
    assert status["summary"]["held"] == "1/1"
    gpu_world.plane.client.merge(
        path(where, "one"), {"metadata": {"annotations": {"controlplane/outcome": "Succeeded"}}}
    )
    node.shows(lambda status: {each["pod"] for each in status["holders"]} == {"two", "three"})
    gpu_world.plane.client.delete(path(where, "two"), gracePeriodSeconds=0)
    node.shows(lambda status: [each["pod"] for each in status["holders"]] == ["three"])


def test_a_kubelet_that_does_not_answer_keeps_the_last_holders_and_says_why(
    gpu_world: World,
    stack: ExitStack,
) -> None:
    node = stack.enter_context(two_gpus(gpu_world))
    where = gpu_world.namespace()
    create(gpu_world, node.pod("train", where, gpu=1))
    create(gpu_world, node.pod("other", where, mig={"1g.5gb": 1}))
    before = node.shows(lambda status: len(status["holders"]) == 2)
    node.kubelet.serving.refuses = grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit"
    node.shows(lambda _: node.condition("PodResourcesAvailable")[:2] == ("False", "RateLimited"))
    assert "rejected by rate limit" in node.condition("PodResourcesAvailable")[2]
    node.kubelet.serving.refuses, node.kubelet.garbage = None, b"\x0a\xff\x01"
    node.shows(lambda _: node.condition("PodResourcesAvailable")[1] == "BadAnswer")
    assert (node.status()["holders"], node.status()["resources"]) == (before["holders"], before["resources"])
    assert node.condition("Stale")[0] == "False", "NVML answers"
    assert node.status()["summary"]["problems"] == "no PodResources"
    gpu_world.plane.client.delete(path(where, "train"), gracePeriodSeconds=0)
    node.shows(lambda status: [each["pod"] for each in status["holders"]] == ["other"])
    node.kubelet.garbage = None
    node.shows(lambda _: node.condition("PodResourcesAvailable")[0] == "True")


def test_processes_that_no_grant_covers_are_told_with_pod_owner_command_and_cgroup(
    gpu_world: World,
    stack: ExitStack,
) -> None:
    node = stack.enter_context(two_gpus(gpu_world))
    where = gpu_world.namespace()
    whole, cut = node.nvml.gpus
    holder = create(gpu_world, node.pod("train", where, gpu=1))
    owner = {"labquota.dev/owner": "user:mallory"}
    plain = create(gpu_world, node.pod("baked-in", where, annotations=owner))
    stored = gpu_world.plane.client.get(path(where, "baked-in"))["metadata"]["annotations"][
        "labquota.dev/owner"
    ]
    node.shows(lambda status: status["holders"])
    node.runs(101, holder)
    node.runs(102, plain, "miner")
    node.runs(103, "", "Xorg")
    whole.processes += [Process(101, 1024), Process(102, 2048), Process(103, 10)]
    slice_ = cut.instances[0]
    cut.processes.append(Process(101, 512, slice_.gi, slice_.ci))  # train holds the whole GPU, and no slice
    cut.processes.append(Process(999, 512, slice_.gi, slice_.ci))  # has ended since
    node.nvml.write()
    status = node.shows(lambda status: len(status["unaccounted"]) == 3)
    told = {(each["pid"], each["pod"], each["command"], each["owner"]) for each in status["unaccounted"]}
    mine = gpu_world.plane.client.get(path(where, "train"))["metadata"].get("annotations", {})
    assert told == {
        (101, "train", "python3", mine.get("labquota.dev/owner", "")),
        (102, "baked-in", "miner", stored),
        (103, "", "Xorg", ""),
    }
    (wrong,) = [each for each in status["unaccounted"] if each["pid"] == 101]
    assert (wrong["gpu"], wrong["gpuInstance"], wrong["podUid"]) == (cut.uuid, slice_.gi, holder)
    (miner,) = [each for each in status["unaccounted"] if each["pid"] == 102]
    assert plain.replace("-", "_") in miner["cgroup"]
    assert miner["memory"] == 2048
    assert status["summary"]["problems"] == "3 unaccounted"
    whole.processes.clear()
    cut.processes.clear()
    node.nvml.write()
    node.shows(lambda status: status["unaccounted"] == [])


def test_many_pods_that_fail_at_once_cost_a_few_writes(
    gpu_world: World,
    stack: ExitStack,
) -> None:
    """A GPU falls off the bus: its pods fail, and new ones fail in their place, about a thousand in five minutes."""
    node = stack.enter_context(two_gpus(gpu_world, offers=lambda nvml: offers(nvml, replicas=100)))
    where = gpu_world.namespace()
    failing = {"annotations": {"controlplane/outcome": "Failed"}}
    node.nvml.xid(node.nvml.gpus[0], 79)
    node.nvml.write()
    node.shows(lambda status: status["summary"]["problems"] == "1 lost")
    before = writes(node)
    for number in range(60):
        create(gpu_world, node.pod(f"train-{number}", where, mig={"1g.5gb": 1}, **failing))
    node.waits(3)
    node.shows(lambda status: status["holders"] == [])
    assert writes(node) - before <= 10, "at most one a second, however many pods come and go"


def writes(node: GpuNode) -> int:
    (line,) = [each for each in node.metrics() if each.startswith("labquota_gpu_node_writes")]
    return int(float(line.split()[1]))


def test_an_agent_writes_the_object_of_its_own_node_alone(
    gpu_world: World,
    stack: ExitStack,
) -> None:
    node = stack.enter_context(two_gpus(gpu_world))
    client = node.client()
    other = {
        "apiVersion": "labquota.dev/v1alpha1",
        "kind": "GPUNode",
        "metadata": {"name": "gpu-node-0"},
    }
    said = f"its token is of node {node.name}, not of gpu-node-0"
    status, answer = client.call("POST", "/apis/labquota.dev/v1alpha1/gpunodes", other)
    assert status == 403, answer
    assert said in answer["message"]
    gpu_world.apply(other)
    patch = {"status": {"driverVersion": "forged"}}
    content = "application/merge-patch+json"
    status, answer = client.call(
        "PATCH", "/apis/labquota.dev/v1alpha1/gpunodes/gpu-node-0/status", patch, content
    )
    assert (status, said in answer["message"]) == (403, True), answer
    own = f"/apis/labquota.dev/v1alpha1/gpunodes/{node.name}"
    assert client.call("PATCH", f"{own}/status", {"status": {"driverVersion": "1"}}, content)[0] == 200
    assert client.call("PATCH", own, {"metadata": {"labels": {"a": "b"}}}, content)[0] == 403
    assert client.call("DELETE", own)[0] == 403
    loose = gpu_world.plane.service_account("labquota-system", "labquota-agent").client()
    status, answer = loose.call("PATCH", f"{own}/status", patch, content)
    assert (status, "its token is of no node" in answer["message"]) == (403, True), answer
