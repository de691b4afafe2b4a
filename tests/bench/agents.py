"""Rows: what an agent costs on a node of 8 GPUs of 7 slices each, all of them held and used.

The agent runs as shipped: NVML each 30 s, the kubelet each 5 s, a heartbeat each minute.
"""

import asyncio
from collections.abc import Callable

from bench.plan import Plan
from bench.processes import cpu_seconds, memory_bytes
from bench.rows import BenchError, Row
from controlplane import ControlPlane
from controlplane.process import wait_until
from kubelet.gpunode import GpuNode, install
from nvml import Process

__all__ = ["agent"]

_MODEL = "A100-SXM4-40GB"
_GPUS, _SLICES = 8, 7
_NAMESPACE = "bench-gpus"


async def agent(plane: ControlPlane, plan: Plan, say: Callable[[str], None]) -> list[Row]:
    """All rows of this module."""
    return await asyncio.to_thread(_measured, plane, plan, say)


def _measured(plane: ControlPlane, plan: Plan, say: Callable[[str], None]) -> list[Row]:
    install(plane)
    node = GpuNode(plane, "bench-gpus", *[_MODEL] * _GPUS, settings={"scan_seconds": 30, "poll_seconds": 5})
    for gpu in node.nvml.gpus:
        node.nvml.cut(gpu, ["1g.5gb"] * _SLICES)
    plane.client.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}}])
    what = f"{_GPUS} x {_SLICES} slices"
    cpu = Row("agent-cpu", "agent's CPU while nothing changes", "% of a core", what)
    memory = Row("agent-memory", "agent's resident memory", "MB", what)
    writes = Row("agent-writes", "its writes a minute while nothing changes", "writes", what)
    with node:
        _hold(plane, node)
        say("every slice is held; the agent looks")
        _once_more(node)
        for _ in range(max(2, round(plan.row_seconds / _TURN_SECONDS))):
            spent, wrote = cpu_seconds(node.process.pid), _writes(node)
            node.waits(_TURN_SECONDS)
            cpu.add("labquota", 100 * (cpu_seconds(node.process.pid) - spent) / _TURN_SECONDS)
            memory.add("labquota", memory_bytes(node.process.pid) / 1e6)
            writes.add("labquota", (_writes(node) - wrote) * 60 / _TURN_SECONDS)
    return [cpu, memory, writes]


_TURN_SECONDS = 30.0
"""One scan, six questions to the kubelet."""


def _hold(plane: ControlPlane, node: GpuNode) -> None:
    """A pod and a process for each slice."""
    path = f"/api/v1/namespaces/{_NAMESPACE}/pods"
    plane.client.call(
        "POST", f"/api/v1/namespaces/{_NAMESPACE}/serviceaccounts", {"metadata": {"name": "default"}}
    )
    of_device: dict[str, str] = {}
    for number in range(_GPUS * _SLICES):
        name = f"train-{number}"
        uid = plane.client.create(path, node.pod(name, _NAMESPACE, mig={"1g.5gb": 1}))["metadata"]["uid"]
        if not wait_until(lambda: bool(node.kubelet.devices(_NAMESPACE, name)), 30):  # noqa: B023  called in this turn
            raise BenchError(f"the fake kubelet has not given {name} a device")
        of_device[node.kubelet.devices(_NAMESPACE, name)[0]] = uid
    pid = 1000
    for gpu in node.nvml.gpus:
        for mig in gpu.instances:
            pid += 1
            node.runs(pid, of_device[mig.uuid])
            gpu.processes.append(Process(pid, 512, mig.gi, mig.ci))
    node.nvml.write()


def _once_more(node: GpuNode) -> None:
    """Wait until a scan has seen everything, and all of it was written."""
    began = node.calls()
    if not wait_until(lambda: node.calls() > began + 100, 60):
        raise BenchError("the agent does not scan")
    everything = _GPUS * _SLICES
    if not wait_until(lambda: len(node.status().get("holders", ())) == everything, 30):
        raise BenchError(f"not all {everything} slices are seen as held: {node.status().get('summary')}")
    if found := node.status()["unaccounted"]:
        raise BenchError(f"processes of pods that hold their slice are not accounted for: {found[0]}")


def _writes(node: GpuNode) -> float:
    (line,) = [each for each in node.metrics() if each.startswith("labquota_gpu_node_writes")]
    return float(line.split()[1])
