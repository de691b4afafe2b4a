"""Rows: what allocations cost the operator among 10,000 pods with GPUs on 200 nodes; how soon one shows its devices.

The costs are those of the operator's own code in a process of its own, whose API server answers at once: 20,000 writes
at the operator's pace would take minutes. How soon a pod's devices show is measured on the real one.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.plan import Plan
from bench.processes import memory_bytes
from bench.rows import BenchError, Row, percentile
from bench.site import LABQUOTAS, Site
from controlplane.nodes import gpu_node
from labquota.api import GPUAllocationStatus
from labquota.clock import SystemClock
from labquota.controllers.allocations import stored
from labquota.controllers.allocations.keeper import Keeper
from labquota.controllers.allocations.stored import Stored
from labquota.controllers.allocations.writing import Pod, Writer
from labquota.controllers.pods import Pods
from labquota.quota.amounts import Amounts
from labquota.quota.world import World

__all__ = ["devices"]

_NODES, _GPUS, _SLICES = 200, 8, 7
_NODE = "bench-devices"
_PERSON = 20
_SLICE = "nvidia.com/mig-1g.10gb"
_EVERY_SECONDS = 0.03
_LONGEST_SECONDS = 60.0


async def devices(site: Site, plan: Plan) -> list[Row]:
    """All rows of this module."""
    found = await asyncio.to_thread(_alone, plan.devices)
    what = f"{plan.devices:,} pods"
    memory = Row("gpu-memory", "operator's memory a pod with GPUs, its allocation included", "bytes", what)
    event = Row("gpu-event", "operator's CPU an event that changes nothing of a pod's devices", "µs", what)
    report = Row(
        "gpu-report", "and a heartbeat of a node with 56 slices, without kopf's part", "µs", f"{_NODES}"
    )
    writes = Row("gpu-writes", "allocations written while nothing changes", "writes", what)
    for row in (memory, event, report, writes):
        row.add("labquota", found[row.key])
    return [memory, event, report, writes, await _bound(site, plan)]


async def _bound(site: Site, plan: Plan) -> Row:
    """From the moment at which a pod's status names its device until its allocation does."""
    site.plane.client.apply([gpu_node(_NODE)])
    count = plan.storm // 2
    spec, hold = {"nodeName": _NODE}, {"controlplane/hold": "true"}
    made = []
    for number in range(count):
        amounts = {"cpu": "1", "memory": "1Gi", _SLICE: "1"}
        asks = {"requests": amounts, "limits": amounts}
        containers = [{"name": "main", "image": "none", "resources": asks}]
        pod = site.pod(
            f"device-{number}", LABQUOTAS, _PERSON, spec=spec, annotations=hold, containers=containers
        )
        answer = await site.clients[_PERSON].create_pod(pod)
        if not answer.ok:
            raise BenchError(f"a pod with a GPU: {answer.message}")
        made.append(answer.body["metadata"])
    told: dict[str, float] = {}
    watching = asyncio.create_task(_seen(site, count))
    for meta in made:
        told[meta["uid"]] = time.monotonic()
        answer = await site.admin.patch_status(
            LABQUOTAS, meta["name"], {"containerStatuses": [_given(meta["uid"])]}
        )
        if "allocatedResourcesStatus" not in str(answer.body):
            raise BenchError(f"the API server keeps no allocatedResourcesStatus: {answer.message}")
        await asyncio.sleep(_EVERY_SECONDS)
    bound = await watching
    for meta in made:
        await site.admin.delete_pod(LABQUOTAS, meta["name"], gracePeriodSeconds=0)
    await site.admin.call("DELETE", f"/api/v1/nodes/{_NODE}")
    row = Row("gpu-bound", "a pod's devices show in its allocation after: p99", "ms", f"{count} pods")
    row.add("labquota", percentile([bound[uid] - told[uid] for uid in told], 99) * 1000)
    return row


async def _seen(site: Site, count: int) -> dict[str, float]:
    bound: dict[str, float] = {}
    until = time.monotonic() + _LONGEST_SECONDS
    while len(bound) < count:
        if time.monotonic() > until:
            raise BenchError(f"only {len(bound)} of {count} allocations are bound")
        for each in await site.admin.list(stored.path_of(LABQUOTAS)):
            if each.get("status", {}).get("phase") == "Bound":
                bound.setdefault(each["spec"]["pod"]["uid"], time.monotonic())
        await asyncio.sleep(0.05)
    return bound


def _given(name: str) -> dict[str, Any]:
    """The status of a container to which the kubelet has given a device."""
    given = [{"name": _SLICE, "resources": [{"resourceID": f"MIG-{name}", "health": "Healthy"}]}]
    state = {"name": "main", "image": "none", "imageID": "", "ready": True, "restartCount": 0}
    return {**state, "allocatedResourcesStatus": given}


def _alone(count: int) -> dict[str, float]:
    """What is measured without an API server, in a process of its own."""
    root = Path(__file__).parents[2]
    paths = os.pathsep.join(str(root / each) for each in ("tests", "operator"))
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": paths}
    argv = [sys.executable, "-m", "bench.devices", str(count)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise BenchError(f"allocations cannot be measured: {done.stderr.strip()[-300:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


class _Writer(Writer):
    """What the API server would answer, at once."""

    count: Final[list[None]] = []

    def __init__(self) -> None:
        """Nothing is needed."""

    async def create(self, pod: Pod, resources: Amounts, *, owned: bool) -> Stored:
        del resources
        self.count.append(None)
        references = [{"uid": pod.uid}] if owned else []
        meta = {"name": f"pod-{pod.uid}", "namespace": pod.namespace, "uid": str(uuid.uuid4())}
        spec = {"owner": pod.owner, "pod": {"name": pod.name, "uid": pod.uid}}
        item = {"metadata": {**meta, "resourceVersion": "1", "ownerReferences": references}, "spec": spec}
        return stored.decode(msgspec.json.encode(item))

    async def status(self, item: Stored, status: GPUAllocationStatus) -> Stored:
        self.count.append(None)
        meta = {"name": item.name, "namespace": item.namespace, "uid": item.uid}
        version = str(int(item.version) + 1)
        spec = {"owner": item.owner, "pod": {"name": item.pod, "uid": item.pod_uid}}
        written = {
            "metadata": {**meta, "resourceVersion": version, "ownerReferences": [{}]},
            "spec": spec,
            "status": status,
        }
        return stored.decode(msgspec.json.encode(written))


def _pod(number: int, version: int) -> bytes:
    node, slot = number % _NODES, number // _NODES
    uid = str(uuid.UUID(int=number + 1))
    asks = {"cpu": "1", "memory": "1Gi", _SLICE: "1"}
    meta: dict[str, Any] = {
        "name": f"pod-{number}",
        "namespace": "lab",
        "uid": uid,
        "resourceVersion": str(version),
    }
    meta["annotations"] = {"labquota.dev/owner": f"user:{number % 500}"}
    return msgspec.json.encode(
        {
            "metadata": meta,
            "spec": {
                "nodeName": f"node-{node}",
                "containers": [{"name": "main", "resources": {"requests": asks, "limits": asks}}],
            },
            "status": {"phase": "Running", "containerStatuses": [_given(f"{node}-{slot}")]},
        }
    )


def _report(node: int) -> dict[str, Any]:
    gpus = [
        {
            "index": gpu,
            "uuid": f"GPU-{node}-{gpu}",
            "model": "NVIDIA H100 80GB HBM3",
            "migMode": "Enabled",
            "migDevices": [
                {
                    "uuid": f"MIG-{node}-{gpu * _SLICES + slot}",
                    "gpuInstance": slot + 1,
                    "computeInstance": 0,
                    "profile": "1g.10gb",
                }
                for slot in range(_SLICES)
            ],
        }
        for gpu in range(_GPUS)
    ]
    return {"metadata": {"name": f"node-{node}"}, "status": {"gpus": gpus}}


async def _measure(count: int) -> dict[str, float]:
    first = [_pod(number, 1000 + number) for number in range(count)]
    again = [_pod(number, 900_000 + number) for number in range(count)]
    reports = [_report(node) for node in range(_NODES)]
    empty = memory_bytes(os.getpid())
    world = World()
    keeper = Keeper(
        Pods(world, lambda _owner, _freed: None), _Writer(), SystemClock(), world.inventory.is_gpu_like
    )
    keeper.pods.replaced([keeper.pods.decode(raw) for raw in first], "500000")
    for each in reports:
        keeper.see_node(each, gone=False)
    running = asyncio.create_task(keeper.run())
    while len(_Writer.count) < 2 * count:  # noqa: ASYNC110  what is waited for knows nothing of us
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    memory, wrote = memory_bytes(os.getpid()) - empty, len(_Writer.count)
    began = time.process_time()
    for raw in again:
        keeper.pods.changed("MODIFIED", keeper.pods.decode(raw), "999999")
    await asyncio.sleep(0.5)
    event = time.process_time() - began
    began = time.process_time()
    for each in reports:
        keeper.see_node(each, gone=False)
    await asyncio.sleep(0.5)
    heartbeat = time.process_time() - began
    running.cancel()
    return {
        "gpu-memory": memory / count,
        "gpu-event": event / count * 1e6,
        "gpu-report": heartbeat / _NODES * 1e6,
        "gpu-writes": len(_Writer.count) - wrote,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measure(int(sys.argv[1])))))
