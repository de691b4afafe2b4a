"""Which processes a scan finds on GPUs and MIG devices."""

from pathlib import Path

import pytest

from labquota.agent.scanning import GpuProcess
from nvml import CURRENT, R470, Library, Node, Process
from nvml.scans import scan

A100 = "A100-SXM4-40GB"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "node.yaml", A100, A100)


# Fact: the versioned functions are asked newest first; an old library has older ones.
@pytest.mark.parametrize("variant", [CURRENT, R470], ids=lambda each: each.name)
def test_processes_of_every_kind_are_found_on_a_whole_gpu(node: Node, variant: Library) -> None:
    gpu = node.gpus[1]
    gpu.processes = [Process(30, 1), Process(10, 2, kind="graphics"), Process(20, kind="mps")]
    found = scan(node.write().environment(variant)).processes
    assert found == (
        GpuProcess(gpu.uuid, -1, -1, 10, 2),
        GpuProcess(gpu.uuid, -1, -1, 20, -1),
        GpuProcess(gpu.uuid, -1, -1, 30, 1),
    )


@pytest.mark.parametrize("variant", [CURRENT, R470], ids=lambda each: each.name)
def test_processes_on_mig_devices_are_told_with_their_instances_once(node: Node, variant: Library) -> None:
    gpu = node.gpus[0]
    node.cut(gpu, ["3g.20gb", ("1c.3g.20gb", "2c.3g.20gb")])
    gpu.processes = [Process(10, 100, gi=1, ci=0), Process(11, 200, gi=2, ci=1)]
    found = scan(node.write().environment(variant)).processes
    assert found == (GpuProcess(gpu.uuid, 1, 0, 10, 100), GpuProcess(gpu.uuid, 2, 1, 11, 200))


def test_one_process_on_two_devices_is_on_both(node: Node) -> None:
    node.cut(node.gpus[0], ["3g.20gb", "3g.20gb"])
    node.gpus[0].processes = [Process(10, 1, gi=1, ci=0), Process(10, 2, gi=2, ci=0)]
    node.gpus[1].processes = [Process(10, 3)]
    found = scan(node.write().environment()).processes
    assert [(each.gpu_instance, each.memory) for each in found] == [(1, 1), (2, 2), (-1, 3)]


def test_without_rights_on_the_whole_each_mig_device_is_asked_for_its_own(node: Node) -> None:
    gpu = node.gpus[0]
    node.cut(gpu, ["3g.20gb"])
    gpu.processes = [Process(10, 1, gi=1, ci=0)]
    gpu.errors["nvmlDeviceGetComputeRunningProcesses"] = 4
    gpu.instances[0].errors["nvmlDeviceGetComputeRunningProcesses"] = 0  # this one answers
    seen = scan(node.write().environment())
    assert (seen.processes, seen.unlisted) == ((GpuProcess(gpu.uuid, 1, 0, 10, 1),), {})


def test_a_process_of_a_mig_device_is_not_told_again_where_the_whole_does_not_say_which(node: Node) -> None:
    gpu = node.gpus[0]
    node.cut(gpu, ["3g.20gb"])
    gpu.processes = [Process(10, 1, gi=1, ci=0), Process(10, 1), Process(11, 2)]
    found = scan(node.write().environment()).processes
    assert found == (GpuProcess(gpu.uuid, 1, 0, 10, 1), GpuProcess(gpu.uuid, -1, -1, 11, 2))


def test_a_mig_device_whose_processes_cannot_be_listed_is_told(node: Node) -> None:
    gpu = node.gpus[0]
    node.cut(gpu, ["3g.20gb", "3g.20gb"])
    gpu.processes = [Process(10, 1, gi=2, ci=0)]
    gpu.instances[0].errors["nvmlDeviceGetComputeRunningProcesses"] = 4
    seen = scan(node.write().environment())
    assert [each.pid for each in seen.processes] == [10]
    assert seen.unlisted == {
        gpu.uuid: "nvmlDeviceGetComputeRunningProcesses_v3: Insufficient Permissions (code 4)"
    }


def test_a_driver_without_graphics_or_mps_still_tells_who_computes(node: Node) -> None:
    node.gpus[0].errors |= {
        "nvmlDeviceGetGraphicsRunningProcesses": 3,
        "nvmlDeviceGetMPSComputeRunningProcesses": 3,
    }
    node.gpus[0].processes = [Process(10, 1)]
    seen = scan(node.write().environment())
    assert ([each.pid for each in seen.processes], seen.unlisted) == ([10], {})


def test_processes_that_cannot_be_listed_are_told_and_cost_nothing_else(node: Node) -> None:
    node.gpus[0].errors["nvmlDeviceGetComputeRunningProcesses"] = 3
    node.gpus[1].processes = [Process(10, 1)]
    seen = scan(node.write().environment())
    assert [each.health for each in seen.gpus] == ["Healthy", "Healthy"]
    assert [each.pid for each in seen.processes] == [10]
    assert seen.unlisted == {
        node.gpus[0].uuid: "nvmlDeviceGetComputeRunningProcesses_v3: Not Supported (code 3)"
    }
