"""What an agent shows of its node's GPUs while they change, with the real pynvml on our library."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import World
from kubelet.gpunode import GpuNode

A100 = "A100-SXM4-40GB"


@pytest.fixture
def node(gpu_world: World) -> Iterator[GpuNode]:
    """A node with a whole GPU and one in three slices; the agent is to be started."""
    with_slices = GpuNode(gpu_world.plane, gpu_world.name("node"), A100, A100)
    with_slices.nvml.cut(with_slices.nvml.gpus[1], ["3g.20gb", "1g.5gb", "1g.5gb"])
    try:
        yield with_slices.start(agent=False)
    finally:
        with_slices.stop()


def profiles(status: dict[str, Any]) -> list[str]:
    return [mig["profile"] for gpu in status.get("gpus", ()) for mig in gpu["migDevices"]]


def uuids(status: dict[str, Any]) -> set[str]:
    return {mig["uuid"] for gpu in status["gpus"] for mig in gpu["migDevices"]}


def test_a_node_is_shown_as_it_is_and_as_it_is_cut_anew(node: GpuNode) -> None:
    node.start_agent()
    first = node.shows(lambda status: status["holders"] == [] and status["gpus"])
    assert sorted(profiles(first)) == ["1g.5gb", "1g.5gb", "3g.20gb"]
    assert first["driverVersion"] == node.nvml.driver
    assert first["summary"] == {
        "models": "2 x NVIDIA A100-SXM4-40GB",
        "devices": "1 whole, 2 x 1g.5gb, 1 x 3g.20gb",
        "held": "0/4",
        "problems": "",
    }
    assert [(each["name"], each["count"]) for each in first["resources"]] == [
        ("nvidia.com/gpu", 1),
        ("nvidia.com/mig-1g.5gb", 2),
        ("nvidia.com/mig-3g.20gb", 1),
    ]
    owner = node.stored()["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("Node", node.name)
    if shutil.which("setpriv") and os.geteuid() == 0:
        status_file = Path(f"/proc/{node.process.pid}/status").read_text()
        assert "CapEff:\t0000000000000000\n" in status_file, "it has a capability that it does not need"

    node.nvml.cut(node.nvml.gpus[1], ["2g.10gb", "2g.10gb", "2g.10gb"])  # MIG is reconfigured while it runs
    node.nvml.write()
    second = node.shows(lambda status: profiles(status) == ["2g.10gb"] * 3)
    assert second["gpus"][0] == first["gpus"][0]

    node.nvml.reboot()  # MIG mode stays, the instances go
    node.nvml.write()
    node.shows(lambda status: status["summary"]["devices"] == "1 whole")
    assert node.status()["gpus"][1]["migMode"] == "Enabled"
    node.nvml.create(node.nvml.gpus[1], ["2g.10gb", "2g.10gb", "2g.10gb"])
    node.nvml.write()
    third = node.shows(lambda status: profiles(status) == ["2g.10gb"] * 3)
    assert uuids(third).isdisjoint(uuids(second)), "made anew, they have other UUIDs"

    node.nvml.xid(node.nvml.gpus[0], 79)  # one falls off the bus, the other goes on
    node.nvml.write()
    lost = node.shows(lambda status: status["summary"]["problems"] == "1 lost")
    assert (lost["gpus"][0]["health"], lost["gpus"][1]["health"]) == ("Lost", "Healthy")
    assert lost["gpus"][0]["uuid"] == first["gpus"][0]["uuid"], "what is known of it stays"
    assert node.condition("Stale")[0] == "False"


def test_a_missing_driver_keeps_the_last_inventory_and_marks_it_stale(node: GpuNode) -> None:
    node.start_agent()
    before = node.shows(lambda status: len(profiles(status)) == 3)
    for code, reason in (
        (9, "DriverNotLoaded"),
        (4, "NoPermission"),
        (12, "LibraryNotFound"),
        (15, "GPULost"),
    ):
        node.nvml.errors = {"nvmlInit": code}
        node.nvml.write()
        node.shows(lambda _: node.condition("NVMLAvailable")[:2] == ("False", reason))  # noqa: B023  called in this turn
        assert node.condition("Stale")[:2] == ("True", reason)
        assert node.status()["gpus"] == before["gpus"]
        assert "no NVML" in node.status()["summary"]["problems"]
    node.process.stop()
    node.start_agent()  # nor does an agent that starts meanwhile take it for a node without GPUs
    assert node.status()["gpus"] == before["gpus"]
    assert node.condition("Stale")[0] == "True"
    node.nvml.errors = {}
    node.nvml.write()
    node.shows(lambda _: node.condition("Stale")[0] == "False")
    assert node.condition("NVMLAvailable") == ("True", "Scanned", "NVML answers")


def test_a_replaced_driver_ends_the_agent_cleanly_with_a_code_of_its_own(node: GpuNode) -> None:
    node.start_agent()
    node.shows(lambda status: len(profiles(status)) == 3)
    node.nvml.errors = {"nvmlInit": 18}
    node.nvml.write()
    node.shows(lambda _: not node.process.alive, 15)
    assert node.process.returncode == 4
    assert "the driver was replaced, ending so as to be started again" in node.process.tail()
    assert "Traceback" not in node.process.tail()
    assert node.condition("Stale")[:2] == ("True", "DriverChanged")
    assert len(profiles(node.status())) == 3
    node.nvml.errors = {}
    node.nvml.write()
    node.start_agent()
    node.shows(lambda _: node.condition("Stale")[0] == "False")


def test_nvml_is_left_alone_while_nvidias_tools_have_paused_its_clients(
    node: GpuNode, gpu_world: World
) -> None:
    """MIG reconfigured while in use: "In use by another client"."""
    path, label = f"/api/v1/nodes/{node.name}", "nvidia.com/gpu.deploy.client"
    node.start_agent()
    node.shows(lambda status: len(profiles(status)) == 3)
    for value in ("paused-for-mig-change", "false"):
        gpu_world.plane.client.merge(path, {"metadata": {"labels": {label: value}}})
        node.shows(lambda _: node.condition("NVMLAvailable")[:2] == ("Unknown", "Paused"))
        assert f"{label}={value}" in node.condition("Stale")[2]
        node.nvml.cut(node.nvml.gpus[1], ["7g.40gb"])
        node.nvml.write()
        asked = node.calls()
        node.waits(2.5)
        assert node.calls() == asked, "NVML was asked while it should be left alone"
        assert len(profiles(node.status())) == 3
        gpu_world.plane.client.merge(path, {"metadata": {"labels": {label: "true"}}})
        node.shows(lambda status: profiles(status) == ["7g.40gb"])
        node.nvml.cut(node.nvml.gpus[1], ["3g.20gb", "1g.5gb", "1g.5gb"])
        node.nvml.write()
        node.shows(lambda status: len(profiles(status)) == 3)


def test_nothing_is_written_while_nothing_changes(node: GpuNode, gpu_world: World) -> None:
    node.start_agent()
    where = gpu_world.namespace()
    pod = node.pod("train", where, gpu=1)
    gpu_world.plane.client.create(f"/api/v1/namespaces/{where}/pods", pod)
    node.shows(lambda status: status["holders"])
    node.waits(1.5)
    version = node.stored()["metadata"]["resourceVersion"]
    gpu_world.plane.client.merge(
        f"/api/v1/namespaces/{where}/pods/train", {"metadata": {"annotations": {"note": "x"}}}
    )
    scans = node.calls()
    node.waits(6)
    assert node.calls() > scans, "it has looked meanwhile"
    assert node.stored()["metadata"]["resourceVersion"] == version
