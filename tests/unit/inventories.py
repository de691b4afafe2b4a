"""Builders of nodes as NVIDIA's GPU operator labels them, and of what their agents report."""

from collections.abc import Mapping
from typing import Any

import msgspec

from labquota.api import GPUNode
from labquota.quota import gpusettings
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.inventory import Inventory

A100_40 = ("NVIDIA-A100-SXM4-40GB", 40960)
A100_80 = ("NVIDIA-A100-SXM4-80GB", 81920)
V = "nvidia.com"


def labels(card: tuple[str, int] = A100_40, **more: str) -> dict[str, str]:
    """The labels of a node with whole GPUs; of others with `more`, in which `__` stands for `.` and `_` for `-`."""
    product, memory = card
    found = {
        f"{V}/gpu.present": "true",
        f"{V}/gpu.product": product,
        f"{V}/gpu.memory": str(memory),
        f"{V}/gpu.count": "8",
        f"{V}/gpu.replicas": "1",
        f"{V}/mig.capable": "true",
    }
    return found | {f"{V}/{key}": value for key, value in more.items()}


def mixed(card: tuple[str, int], **slices: int) -> dict[str, str]:
    """The labels of a node whose slices are advertised by profile; the number is a slice's memory in MiB."""
    found = labels(card, **{"mig.strategy": "mixed"})
    for name, memory in slices.items():
        profile = name.replace("_", ".").removeprefix("p")
        found |= {
            f"{V}/mig-{profile}.product": f"{card[0]}-MIG-{profile}",
            f"{V}/mig-{profile}.memory": str(memory),
            f"{V}/mig-{profile}.count": "2",
            f"{V}/mig-{profile}.replicas": "1",
        }
    return found


def inventory(
    *nodes: tuple[str, Mapping[str, str], Mapping[str, Any]], settings: GPUSettings = gpusettings.DEFAULT
) -> Inventory:
    """An inventory of nodes: name, labels, allocatable."""
    made = Inventory(settings)
    for name, found, allocatable in nodes:
        made.put_node(name, found, {key: str(value) for key, value in allocatable.items()})
    return made


def gpunode(name: str, gpus: list[dict[str, Any]], *resources: dict[str, Any]) -> GPUNode:
    """What an agent reports."""
    body = {"metadata": {"name": name}, "status": {"gpus": gpus, "resources": list(resources)}}
    return msgspec.convert(body, GPUNode)


def gpu(uuid: str = "GPU-1", card: tuple[str, int] = A100_40, **fields: Any) -> dict[str, Any]:
    """One GPU of a node."""
    model = card[0].replace("-", " ", 1)
    return {"index": 0, "uuid": uuid, "model": model, "memory": card[1], "migMode": "Disabled", **fields}


def mig(uuid: str, profile: str, instance: int, memory: int, size: int = 0) -> dict[str, Any]:
    """One MIG device."""
    return {
        "uuid": uuid,
        "profile": profile,
        "gpuInstance": instance,
        "computeInstance": 0,
        "memory": memory,
        "size": size,
    }


def resource(name: str, *devices: str, replicas: int = 1) -> dict[str, Any]:
    """One name that the device plugin offers."""
    return {"name": name, "count": len(devices) * replicas, "replicas": replicas, "devices": list(devices)}
