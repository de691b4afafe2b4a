"""Fake GPU nodes, which kwok keeps alive and whose pods it plays."""

from typing import Any

__all__ = ["ANNOTATION", "gpu_node"]

ANNOTATION = {"kwok.x-k8s.io/node": "fake"}

# Large enough that only quotas ever refuse a pod: the scheduler must never be what a test waits for.
CAPACITY = {
    "cpu": "4000",
    "memory": "16Ti",
    "ephemeral-storage": "100Ti",
    "hugepages-2Mi": "1Ti",
    "pods": "10000",
    "nvidia.com/gpu": "1000",
    "nvidia.com/mig-1g.10gb": "1000",
    "nvidia.com/mig-2g.20gb": "1000",
    "nvidia.com/mig-3g.40gb": "1000",
    "nvidia.com/mig-3g.20gb": "1000",
}


def gpu_node(name: str) -> dict[str, Any]:
    """A node with more of everything than any test asks for, as its kubelet would register it."""
    conditions = [
        {
            "type": "Ready",
            "status": "False",
            "reason": "Starting",
            "message": "kwok has not seen this node yet",
        }
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": ANNOTATION,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
            },
        },
        "status": {"capacity": CAPACITY, "allocatable": CAPACITY, "conditions": conditions},
    }
