"""What one node's agent reported last: the devices that exist, who was given them, processes that nobody admitted."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from labquota.api import GPU, DeviceHolder, DeviceProcess, GPUNode
from labquota.quota.deviceids import Device, DeviceKey, Devices


class Hardware:
    """One node's newest report.

    Args:
        report: As the agent wrote it.
        arrived: Counts the reports that have come; what was learnt before a report came is older than it.
    """

    def __init__(self, report: GPUNode, arrived: int) -> None:
        status = report.status
        said = {each.type: each.status for each in status.conditions}
        self.node, self.arrived = report.metadata.name, arrived
        self.is_stale = said.get("Stale") == "True" or said.get("NVMLAvailable") == "False"
        """Kept from before the driver went away: no evidence that anything is gone."""
        self.knows_holders = said.get("PodResourcesAvailable") != "False"
        """Whether who is not named as a holder is none."""
        self.holders: tuple[DeviceHolder, ...] = status.holders
        self.unaccounted: tuple[DeviceProcess, ...] = status.unaccounted
        self._devices = Devices(status.gpus)
        self.gpus: Mapping[str, GPU] = {each.uuid: each for each in status.gpus if each.uuid}
        self._named = {
            each.device: DeviceKey(each.gpu, each.gpu_instance, each.compute_instance)
            for each in self.holders
            if each.gpu
        }

    def at(self, key: DeviceKey) -> Device | None:
        """The device in a place; None where nothing is there now, or only what is left of a lost GPU."""
        found = self._devices.at(key)
        return None if found is None or found.gpu.health == "Lost" else found

    def named(self, device_id: str) -> Device | None:
        """The device that a device plugin calls so; None where the inventory has none such."""
        found = self._devices.find(device_id)
        if found is None and (key := self._named.get(device_id)) is not None:
            found = self._devices.at(key)  # the agent has found it by what only the node knows
        return found

    def same(self, other: "Hardware") -> bool:
        """Whether two reports say the same."""
        return (
            self.is_stale == other.is_stale
            and self.knows_holders == other.knows_holders
            and self.holders == other.holders
            and self.unaccounted == other.unaccounted
            and self.gpus == other.gpus
        )


class Reports(Mapping[str, Hardware]):
    """The newest report of each node."""

    def __init__(self) -> None:
        self._reports: dict[str, Hardware] = {}
        self.arrived = 0
        """How many reports have come."""

    def put(self, body: Mapping[str, Any], *, gone: bool = False) -> tuple[str, bool]:
        """Take a GPUNode; returns the node's name and whether anything is said that was not said before.

        Raises:
            msgspec.ValidationError: It is none.
        """
        report = msgspec.convert(body, GPUNode)
        node = report.metadata.name
        self.arrived += 1
        before = self._reports.pop(node, None)
        if gone:
            return node, True
        self._reports[node] = new = Hardware(report, self.arrived)
        return node, before is None or not before.same(new)

    def index(self, node: str, gpu: str) -> int | None:
        """NVML's index of a GPU."""
        found = self._reports[node].gpus.get(gpu) if node in self._reports else None
        return None if found is None else found.index

    def __getitem__(self, node: str) -> Hardware:
        return self._reports[node]

    def __iter__(self) -> Iterator[str]:
        return iter(self._reports)

    def __len__(self) -> int:
        return len(self._reports)


def overlap(a: DeviceKey, b: DeviceKey) -> bool:
    """Whether two devices are one, or one is the GPU that the other lies on."""
    return a.gpu == b.gpu and (a == b or a.gpu_instance < 0 or b.gpu_instance < 0)


def is_shared(device_id: str) -> bool:
    """Whether an id is that of a replica, which others may hold besides."""
    return "::" in device_id
