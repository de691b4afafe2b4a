"""The keeper of allocations on a simulated cluster, with pods and GPU nodes as their agents report them."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from labquota.controllers.allocations import stored
from labquota.controllers.allocations.keeper import Keeper
from labquota.controllers.allocations.writing import Writer
from labquota.controllers.pacing import Pace
from labquota.controllers.pods import Pods
from labquota.kube.informer import Informer
from labquota.quota import gpus
from labquota.quota.world import World
from unit.builders import manifest
from unit.operators import PODS, pod_path
from unit.simulated import Clock, Cluster, run

Json = dict[str, Any]
NODE = "gpu-1"
SLICE = "nvidia.com/mig-1g.10gb"
WHOLE = "nvidia.com/gpu"


def uid_of(name: str) -> str:
    """A uid that follows from a name, as tests ask for it."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def mig(instance: int, device: str = "", profile: str = "1g.10gb") -> Json:
    """A MIG device of GPU 0."""
    return {
        "uuid": device or f"MIG-{instance}",
        "gpuInstance": instance,
        "computeInstance": 0,
        "profile": profile,
    }


def gpu(index: int = 0, *slices: Json, **fields: Any) -> Json:
    """A GPU, cut into these slices."""
    return {
        "index": index,
        "uuid": f"GPU-{index}",
        "model": "NVIDIA H100 80GB HBM3",
        "migMode": "Enabled" if slices else "Disabled",
        "migDevices": list(slices),
        **fields,
    }


def holder(device: str, pod: str, uid: str = "", resource: str = SLICE, **fields: Any) -> Json:
    """A device that the kubelet has given to a pod of namespace lab."""
    return {
        "resource": resource,
        "device": device,
        "namespace": "lab",
        "pod": pod,
        "container": "main",
        "podUid": uid,
        **fields,
    }


def report(
    *gpus_: Json,
    holders: Sequence[Json] = (),
    unaccounted: Sequence[Json] = (),
    stale: bool = False,
    node: str = NODE,
) -> Json:
    """A GPUNode as its agent writes it."""
    moment = "2026-03-01T08:00:00Z"
    stale_ = {
        "type": "Stale",
        "status": str(stale),
        "reason": "R",
        "message": "",
        "lastTransitionTime": moment,
    }
    return {
        "apiVersion": "labquota.dev/v1alpha1",
        "kind": "GPUNode",
        "metadata": {"name": node},
        "status": {
            "gpus": list(gpus_),
            "holders": list(holders),
            "unaccounted": list(unaccounted),
            "conditions": [stale_],
        },
    }


def granted(*devices: str, resource: str = SLICE) -> Json:
    """The status of a container to which the kubelet has given these."""
    listed = [{"resourceID": each, "health": "Healthy"} for each in devices]
    return {"name": "main", "allocatedResourcesStatus": [{"name": resource, "resources": listed}]}


class Lab:
    """Pods, GPU nodes and a keeper that leads."""

    def __init__(self, writes_per_second: float = 1000, cluster: Cluster | None = None) -> None:
        self.cluster, self.clock = cluster or Cluster(), Clock()
        self.touched: list[str] = []
        self.view = Pods(World(), lambda owner, _freed: self.touched.append(owner))
        writer = Writer(self.cluster, Pace(self.clock, writes_per_second), self.clock)
        self.keeper = Keeper(self.view, writer, self.clock, gpus.is_gpu_like)
        rng = random.Random(5)
        self.informers: list[Informer[Any]] = [
            Informer(self.cluster, path, decode, sink, clock=self.clock, rng=rng, watch_list=False)
            for path, decode, sink in (
                (PODS, self.keeper.pods.decode, self.keeper.pods),
                (stored.PATH, stored.decode, self.keeper.stored),
            )
        ]

    def pod(self, name: str, *statuses: Json, node: str = NODE, **asks: Any) -> str:
        """Store a pod; returns its uid."""
        asks = {"uid": uid_of(name), "phase": "Running", **(asks or {"mig": 1})}
        if not {*asks} & {"mig", "gpu", "cpu"}:
            asks["mig"] = 1
        item = manifest(name, **asks)
        item["spec"]["nodeName"] = node
        item["status"]["containerStatuses"] = list(statuses)
        self.cluster.store(pod_path(name), item)
        return str(asks["uid"])

    def report(self, *gpus_: Json, **said: Any) -> None:
        """The agent writes what it has found."""
        self.keeper.see_node(report(*gpus_, **said), gone=False)

    def allocation(self, uid: str) -> Json:
        """A pod's allocation as it is stored; empty where there is none."""
        return self.cluster.objects.get(stored.path_of("lab", f"pod-{uid}"), {})

    def status(self, uid: str) -> Json:
        """Its status."""
        found: Json = self.allocation(uid).get("status", {})
        return found

    def condition(self, uid: str, kind: str) -> Json:
        """One condition of it; empty where it never held."""
        return next((each for each in self.status(uid).get("conditions", ()) if each["type"] == kind), {})

    def events(self, reason: str) -> list[str]:
        """The messages of Events with a reason."""
        return [
            each["message"]
            for path, each in self.cluster.objects.items()
            if "/events/" in path and each["reason"] == reason
        ]

    def writes(self) -> int:
        """How many writes were sent."""
        return sum(method in {"create", "patch", "delete"} for method, _ in self.cluster.calls)


async def settle(seconds: float = 5.0) -> None:
    """Let everything happen that is under way; the time is the simulated loop's."""
    await asyncio.sleep(seconds)


def keeping(scenario: Callable[[Lab], Awaitable[None]], lab: Lab | None = None) -> None:
    """Run a scenario beside a keeper that leads."""

    async def whole() -> None:
        await beside(scenario, lab or Lab())

    run(whole())


async def beside(scenario: Callable[[Lab], Awaitable[None]], of: Lab) -> None:
    """As `keeping`, in a loop that runs."""
    tasks = [asyncio.create_task(each.run()) for each in of.informers]
    for informer in of.informers:
        await informer.synced.wait()
    tasks.append(asyncio.create_task(of.keeper.run()))
    try:
        await scenario(of)
    finally:
        for task in tasks:
            task.cancel()
        for died in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(died, asyncio.CancelledError), f"a task has died: {died!r}"
