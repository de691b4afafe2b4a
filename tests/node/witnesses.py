"""What each party says of the devices that a pod holds, asked one by one.

| witness | where it is read |
|---|---|
| `kubelet` | PodResources, through Kubernetes' own client |
| `status` | the pod's allocatedResourcesStatus |
| `container` | what NVIDIA's plugin had put into the container's environment, read from its process |
| `agent` | the holders in the node's GPUNode |
| `allocation` | the pod's GPUAllocation |
"""

import os
import signal
from pathlib import Path
from typing import Any

from controlplane import ControlPlane
from harness.clients import pods as pods_of
from node.realnode import RealNode

__all__ = ["Ids", "Witnesses"]

CUSTOM = "/apis/labquota.dev/v1alpha1"
Ids = tuple[str, ...]


class Witnesses:
    """The parties' words in one namespace.

    Args:
        plane: the control plane.
        node: the real node.
        namespace: where the pods are.

    Attributes:
        node, namespace: likewise.
    """

    def __init__(self, plane: ControlPlane, node: RealNode, namespace: str) -> None:
        self._client, self.node, self.namespace = plane.client, node, namespace

    def kubelet(self, pod: str) -> Ids:
        """By the kubelet's PodResources."""
        held = self.node.podresources()["held"]
        return _sorted(each["id"] for each in held if self._is(each, pod))

    def status(self, pod: str) -> Ids:
        """By the pod's own status."""
        return _sorted(self.health(pod))

    def health(self, pod: str) -> dict[str, str]:
        """Health by device id, of the pod's own status."""
        found: dict[str, str] = {}
        for container in self.pod(pod).get("status", {}).get("containerStatuses", []):
            for resource in container.get("allocatedResourcesStatus", []):
                if resource["name"].startswith("nvidia.com/"):
                    found |= {each["resourceID"]: each["health"] for each in resource["resources"]}
        return found

    def container(self, pod: str) -> Ids:
        """By the environment of the pod's processes."""
        ids: list[str] = []
        statuses = self.pod(pod).get("status", {}).get("containerStatuses", [])
        for container in (
            each["containerID"].rpartition("/")[2] for each in statuses if "containerID" in each
        ):
            for pid in self._processes(container)[:1]:
                environ = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
                values = dict(each.partition("=")[::2] for each in environ)
                ids += values.get("NVIDIA_VISIBLE_DEVICES", "").split(",")
        return _sorted(each for each in ids if each)

    def agent(self, pod: str) -> Ids:
        """By the holders in the GPUNode."""
        uid = self.uid(pod)
        holders = self.gpunode().get("holders", [])
        return _sorted(
            each["device"] for each in holders if self._is(each, pod) and (not uid or each["podUid"] == uid)
        )

    def allocation(self, pod: str) -> Ids:
        """By the GPUAllocation that speaks of it now."""
        uid, ids = self.uid(pod), []
        for of, status in self._allocations(pod):
            if status.get("phase") == "Bound" and (not uid or of == uid):
                ids += [device["id"] for device in status["devices"]]
        return _sorted(ids)

    def problems(self, pod: str) -> dict[str, str]:
        """What a pod's GPUAllocation finds wrong: the message by type of condition, where it holds now."""
        uid = self.uid(pod)
        return {
            each["type"]: each["message"]
            for of, status in self._allocations(pod)
            for each in status.get("conditions", [])
            if of == uid and each["status"] == "True"
        }

    def foreign(self) -> dict[int, dict[str, Any]]:
        """Processes that the agent can account for by nothing, by their id on the node."""
        return {each["pid"]: each for each in self.gpunode().get("unaccounted", [])}

    def inventory(self) -> set[str]:
        """The UUIDs of GPUs and MIG devices, as the agent's pynvml has read them."""
        gpus = self.gpunode().get("gpus", [])
        return {each["uuid"] for gpu in gpus for each in (gpu, *gpu["migDevices"])}

    def pod(self, name: str) -> dict[str, Any]:
        """A pod; empty if there is none."""
        status, found = self._client.call("GET", f"{pods_of(self.namespace)}/{name}")
        return found if status == 200 else {}

    def uid(self, pod: str) -> str:
        """A pod's UID; empty if there is none."""
        return str(self.pod(pod).get("metadata", {}).get("uid", ""))

    def gpunode(self) -> dict[str, Any]:
        """The status of the node's GPUNode; empty if there is none."""
        code, found = self._client.call("GET", f"{CUSTOM}/gpunodes/{self.node.name}")
        status: dict[str, Any] = found.get("status", {}) if code == 200 else {}
        return status

    def pids(self, pod: str) -> list[int]:
        """The processes of a pod's first container that runs, as they are known out here."""
        status = self.pod(pod)["status"]
        both = [*status.get("initContainerStatuses", []), *status["containerStatuses"]]
        running = next(each for each in both if "running" in each["state"])
        return self._processes(running["containerID"].rpartition("/")[2])

    def inner(self, pod: str) -> int:
        """The first process of a pod's first container, as the node numbers it."""
        return self.node.box.pids()[self.pids(pod)[0]]

    def kill(self, pod: str) -> None:
        """End the processes of a pod's first container as a crash would."""
        for pid in self.pids(pod):
            os.kill(pid, signal.SIGKILL)

    def _processes(self, container: str) -> list[int]:
        found = []
        for pid in sorted(self.node.box.pids()):
            try:
                if container in Path(f"/proc/{pid}/cgroup").read_text():
                    found.append(pid)
            except OSError:  # it has just ended
                continue
        return found

    def _allocations(self, pod: str) -> list[tuple[str, dict[str, Any]]]:
        """UID and status of the allocations of all pods that had this name."""
        listed = self._client.get(f"{CUSTOM}/namespaces/{self.namespace}/gpuallocations")["items"]
        found = ((each["spec"].get("pod", {}), each.get("status", {})) for each in listed)
        return [(of["uid"], status) for of, status in found if of.get("name") == pod]

    def _is(self, named: dict[str, Any], pod: str) -> bool:
        return bool(named.get("namespace") == self.namespace and named.get("pod") == pod)


def _sorted(ids: Any) -> Ids:
    return tuple(sorted(ids))
