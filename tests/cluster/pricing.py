"""Nodes with GPUs as NVIDIA's GPU operator labels them, and pods for them: nothing else is ever scheduled there."""

from collections.abc import Mapping
from typing import Any

from cluster.steps import held
from controlplane.nodes import ANNOTATION
from harness import AsyncClient, World
from harness.manifests import Manifest

A100_40 = ("NVIDIA-A100-SXM4-40GB", 40960)
A100_80 = ("NVIDIA-A100-SXM4-80GB", 81920)
V = "nvidia.com"
HERE = "labquota.test/here"
_MERGE = "application/merge-patch+json"


class GPUNodes:
    """The GPU nodes of one test, all with the label `HERE` of the test."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.here = {HERE: world.tag}

    def add(self, short: str, card: tuple[str, int], offers: Mapping[str, int], **labels: str) -> str:
        """A node; in the labels `__` stands for `.`, and all are of NVIDIA's prefix. Returns its name."""
        name = self.world.name(short)
        found = {f"{V}/gpu.product": card[0], f"{V}/gpu.memory": str(card[1]), **self.here}
        for resource in offers:
            if (plain := resource.partition("/")[2]).startswith("mig-"):
                found[f"{V}/{plain}.product"] = f"{card[0]}-MIG-{plain.removeprefix('mig-')}"
        found |= {f"{V}/{key.replace('__', '.')}": value for key, value in labels.items()}
        has = {
            "cpu": "64",
            "memory": "1Ti",
            "pods": "110",
            **{key: str(each) for key, each in offers.items()},
        }
        meta: dict[str, Any] = {"name": name, "labels": found, "annotations": ANNOTATION}
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": meta,
            "spec": {"unschedulable": True},
            "status": {"capacity": has, "allocatable": has},
        }
        self.world.plane.client.create("/api/v1/nodes", node)
        self.world.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        return name

    def report(self, node: str, gpus: list[dict[str, Any]], *resources: dict[str, Any]) -> None:
        """What the node's agent reports from now on."""
        made = {"apiVersion": "labquota.dev/v1alpha1", "kind": "GPUNode", "metadata": {"name": node}}
        self.world.apply(made)
        path = f"{self.world.plane.client.path_of(made)}/status"
        status = {"gpus": gpus, "resources": list(resources), "holders": [], "unaccounted": []}
        self.world.plane.client.request("PATCH", path, {"status": status}, _MERGE)

    def pod(
        self, name: str, where: str, asks: Mapping[str, int], selector: Mapping[str, str] | None = None
    ) -> Manifest:
        """A pod that nobody schedules, for this test's nodes."""
        spec = {"schedulerName": "nobody", "nodeSelector": {**self.here, **(selector or {})}}
        return held(name, where, requests=asks, limits=asks, spec=spec)


async def bind(admin: AsyncClient, where: str, name: str, node: str) -> None:
    """Put a pod on a node, as a scheduler does."""
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name},
        "target": {"kind": "Node", "name": node},
    }
    answer = await admin.create(f"/api/v1/namespaces/{where}/pods/{name}/binding", binding)
    assert answer.ok, answer.message


def gpu(uuid: str, card: tuple[str, int], device_id: str, *devices: dict[str, Any]) -> dict[str, Any]:
    """One GPU of a report."""
    return {
        "index": 0,
        "uuid": uuid,
        "deviceId": device_id,
        "model": card[0].replace("-", " ", 1),
        "memory": card[1],
        "migMode": "Enabled" if devices else "Disabled",
        "pendingMigMode": "Enabled" if devices else "Disabled",
        "migDevices": list(devices),
    }


def mig(uuid: str, profile: str, memory: int, size: int) -> dict[str, Any]:
    """One MIG device of a report."""
    return {
        "uuid": uuid,
        "profile": profile,
        "memory": memory,
        "size": size,
        "gpuInstance": 7,
        "computeInstance": 0,
    }


def resource(name: str, *devices: str) -> dict[str, Any]:
    """One name that a device plugin offers."""
    return {"name": name, "count": len(devices), "devices": list(devices)}
