"""A GPU node that a test describes itself, in place of the agent: what it reports, what its pods' statuses say."""

from collections.abc import Sequence
from typing import Any

from cluster.steps import HOLD, pod_path
from controlplane.nodes import gpu_node
from controlplane.process import wait_until
from harness import World, manifests
from harness.world import CUSTOM

Json = dict[str, Any]
SLICE = "nvidia.com/mig-1g.10gb"
WHOLE = "nvidia.com/gpu"
MEMORY = 81559
_MERGE = "application/merge-patch+json"


def mig(world: World, instance: int, device: str = "") -> Json:
    """A slice of the first GPU."""
    return {
        "uuid": device or f"MIG-{world.tag}-{instance}",
        "gpuInstance": instance,
        "computeInstance": 0,
        "profile": "1g.10gb",
        "memory": 9856,
        "gpuSlices": 1,
        "computeSlices": 1,
        "size": 1,
    }


class Cards:
    """One node with a GPU in seven slices and two whole ones."""

    def __init__(self, world: World) -> None:
        self.world, self.node = world, world.name("node")
        node = gpu_node(self.node)
        node["spec"] = {"taints": [{"key": "labquota.test/alone", "effect": "NoSchedule"}]}
        world.apply(node)
        self.slices = [mig(world, instance) for instance in range(1, 8)]
        world.apply(
            {"apiVersion": "labquota.dev/v1alpha1", "kind": "GPUNode", "metadata": {"name": self.node}}
        )
        self.report()

    def uuid(self, index: int) -> str:
        """A GPU's UUID."""
        return f"GPU-{self.world.tag}-{index}"

    def slice(self, instance: int) -> str:
        """A slice's UUID."""
        return f"MIG-{self.world.tag}-{instance}"

    def device(self, index: int, instance: int = -1) -> Json:
        """A device as a hold names it."""
        place = {"gpuInstance": instance, "computeInstance": 0} if instance >= 0 else {}
        return {"node": self.node, "gpu": self.uuid(index), **place}

    def holder(self, device: str, pod: Json | None, name: str = "", resource: str = SLICE) -> Json:
        """A device that the kubelet has given to a pod; without one, to one of that name that is gone."""
        meta = pod["metadata"] if pod is not None else {"name": name, "namespace": self._namespace}
        found = {"resource": resource, "device": device, "container": "main", "podUid": meta.get("uid", "")}
        index, instance = self._place(device)
        place = {"gpuInstance": instance, "computeInstance": 0 if instance >= 0 else -1}
        return {
            **found,
            "gpu": self.uuid(index),
            **place,
            "namespace": meta["namespace"],
            "pod": meta["name"],
        }

    def report(
        self,
        *,
        holders: Sequence[Json] = (),
        unaccounted: Sequence[Json] = (),
        without: Sequence[int] = (),
        stale: bool = False,
    ) -> None:
        """Write what an agent would, without some of the slices."""
        slices = [each for each in self.slices if each["gpuInstance"] not in without]
        model = {"model": "NVIDIA H100 80GB HBM3", "memory": MEMORY, "deviceId": "2330"}
        gpus = [
            {**model, "index": 0, "uuid": self.uuid(0), "migMode": "Enabled", "migDevices": slices},
            *({**model, "index": index, "uuid": self.uuid(index), "migMode": "Disabled"} for index in (1, 2)),
        ]
        offered = {SLICE: [each["uuid"] for each in slices], WHOLE: [self.uuid(1), self.uuid(2)]}
        condition = {
            "type": "Stale",
            "status": str(stale),
            "reason": "Test",
            "message": "",
            "lastTransitionTime": "2026-03-01T08:00:00Z",
        }
        status = {
            "gpus": gpus,
            "resources": [
                {"name": name, "count": len(ids), "replicas": 1, "devices": ids}
                for name, ids in offered.items()
            ],
            "holders": list(holders),
            "unaccounted": list(unaccounted),
            "conditions": [condition],
        }
        path = f"{CUSTOM}/gpunodes/{self.node}/status"
        code, answer = self.world.plane.client.call("PATCH", path, {"status": status}, content_type=_MERGE)
        assert code == 200, answer

    def pod(self, name: str, namespace: str, *, resource: str = SLICE, **fields: Any) -> Json:
        """A pod on this node that stays as the test says."""
        self._namespace = namespace
        return manifests.pod(
            name,
            namespace,
            annotations=HOLD,
            limits={resource: 1},
            requests={resource: 1},
            spec={"nodeName": self.node, **fields},
        )

    def says(
        self, namespace: str, name: str, *devices: str, phase: str = "Running", resource: str = SLICE
    ) -> Json:
        """Write into a pod's status, as its kubelet does, what it was given; returns the pod as it is stored."""
        status = {
            "phase": phase,
            **({"containerStatuses": [container(*devices, resource=resource)]} if devices else {}),
        }
        path = f"{pod_path(namespace, name)}/status"
        code, answer = self.world.plane.client.call("PATCH", path, {"status": status}, content_type=_MERGE)
        assert code == 200, answer
        stored: Json = answer
        return stored

    def _place(self, device: str) -> tuple[int, int]:
        if device.startswith("GPU-"):
            return int(device.rpartition("-")[2]), -1
        return 0, int(device.rpartition("-")[2])


def container(*devices: str, resource: str = SLICE) -> Json:
    """The status of a container to which the kubelet has given these."""
    given = [{"name": resource, "resources": [{"resourceID": each, "health": "Healthy"} for each in devices]}]
    return {
        "name": "main",
        "image": "none",
        "imageID": "",
        "ready": True,
        "restartCount": 0,
        "allocatedResourcesStatus": given,
    }


def allocation(world: World, namespace: str, name: str) -> Json:
    """A GPUAllocation; empty where there is none."""
    path = f"{CUSTOM}/namespaces/{namespace}/gpuallocations/{name}"
    code, answer = world.plane.client.call("GET", path)
    found: Json = answer if code == 200 else {}
    return found


def of(world: World, pod: Json) -> Json:
    """The status of a pod's allocation."""
    meta = pod["metadata"]
    status: Json = allocation(world, meta["namespace"], f"pod-{meta['uid']}").get("status", {})
    return status


def shows(world: World, pod: Json, seconds: float = 5, **wanted: Any) -> Json:
    """Wait until the status of a pod's allocation has these fields; returns it."""
    found: list[Json] = [{}]

    def there() -> bool:
        found[0] = of(world, pod)
        return all(found[0].get(key) == value for key, value in wanted.items())

    assert wait_until(there, seconds), f"not {wanted} within {seconds:g} s: {found[0]}"
    return found[0]


def condition(world: World, pod: Json, kind: str, *, holds: bool, seconds: float = 5) -> str:
    """Wait until a condition holds, or does not any more; returns its message."""
    found: list[Json] = [{}]

    def there() -> bool:
        conditions = of(world, pod).get("conditions", ())
        found[0] = next((each for each in conditions if each["type"] == kind), {})
        return found[0].get("status") == str(holds)

    assert wait_until(there, seconds), f"{kind} is not {holds} within {seconds:g} s: {of(world, pod)}"
    return str(found[0]["message"])
