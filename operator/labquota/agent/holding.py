"""Who holds which device, by what the kubelet says and the API server knows. Pure.

The kubelet names pods without their UIDs, keeps finished ones for a while, and may give a device that one of them had
to the next pod of the same name. So a grant counts for the pod of that name only

* while that pod has not ended, and had been taken by the kubelet before the kubelet was asked,
* if one of its containers asks for the resource, and for as many devices as it asks for: those that its own status
  names first, then those that it had before, then those that no other pod of the name had.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from labquota.agent.podresources import Grant
from labquota.agent.pods import Asked, Pod, Pods
from labquota.api import DeviceHolder
from labquota.quota.deviceids import DeviceKey, Devices, is_uuid
from labquota.quota.gpusettings import GPUSettings


class Joiner:
    """Joins grants to pods, and remembers to whom it has joined them.

    Args:
        pods: The node's pods.
        settings: Which resources are GPUs.
    """

    def __init__(self, pods: Pods, settings: GPUSettings) -> None:
        self._pods, self._settings = pods, settings
        self._had: dict[Grant, str] = {}

    def holders(
        self, grants: Iterable[Grant], devices: Devices, started: frozenset[str]
    ) -> tuple[DeviceHolder, ...]:
        """Who holds what.

        Args:
            grants: What the kubelet has said.
            devices: The inventory.
            started: The UIDs of pods that the kubelet had taken before it was asked.
        """
        joined: dict[Grant, str] = {}
        groups: dict[tuple[str, str, Asked], set[Grant]] = defaultdict(set)
        for each in grants:
            if self._settings.is_gpu_like(each.resource) or is_uuid(each.device):
                groups[each.namespace, each.pod, Asked(each.container, each.resource)].add(each)
        for (namespace, name, asked), group in groups.items():
            pod = self._pods.named(namespace, name)
            if pod is None:
                joined.update(dict.fromkeys(group, ""))
            elif pod.uid in started and not pod.ended:
                joined.update(dict.fromkeys(self._own(pod, asked, group), pod.uid))
        listed = (each for group in groups.values() for each in group)
        had = ((each, joined.get(each) or self._had.get(each, "")) for each in listed)
        self._had = {each: uid for each, uid in had if uid}
        return tuple(_holder(grant, uid, devices) for grant, uid in sorted(joined.items()))

    def _own(self, pod: Pod, asked: Asked, group: set[Grant]) -> Sequence[Grant]:
        """Those of a group that are this pod's, where a former pod of its name may still be listed."""
        most = pod.asked.get(asked, 0)
        if len(group) <= most:
            return list(group)
        told = pod.told.get(asked, frozenset())

        def likeliness(grant: Grant) -> tuple[bool, bool, bool, Grant]:
            had = self._had.get(grant, pod.uid)
            return grant.device not in told, self._had.get(grant) != pod.uid, had != pod.uid, grant

        return sorted(group, key=likeliness)[:most]


def _holder(grant: Grant, uid: str, devices: Devices) -> DeviceHolder:
    device = devices.find(grant.device)
    key = DeviceKey("") if device is None else device.key
    return DeviceHolder(
        resource=grant.resource,
        device=grant.device,
        gpu=key.gpu,
        gpu_instance=key.gpu_instance,
        compute_instance=key.compute_instance,
        namespace=grant.namespace,
        pod=grant.pod,
        container=grant.container,
        pod_uid=uid,
    )
