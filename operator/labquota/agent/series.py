"""What the agent counts, with dcgm-exporter's label names, so that its series and ours join in PromQL.

    DCGM_FI_DEV_FB_USED * on(UUID, GPU_I_ID) group_left(owner, namespace, pod) labquota_gpu_holder

`UUID` is the GPU's, also for a MIG device; `GPU_I_ID` and `GPU_I_PROFILE` are empty for a whole GPU, which to
Prometheus is the same as absent, as dcgm-exporter leaves them.
"""

from collections.abc import Iterable
from typing import Final, Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from labquota.api import DeviceHolder, GPUNodeStatus
from labquota.quota.deviceids import Device, DeviceKey, Devices

DEVICE: Final = ("gpu", "UUID", "pci_bus_id", "device", "modelName", "Hostname", "GPU_I_ID", "GPU_I_PROFILE")
HOLDER: Final = (*DEVICE, "namespace", "pod", "container", "owner")
_BLANK: Final = ("",) * len(DEVICE)


class Told(Protocol):
    """What is shown."""

    @property
    def status(self) -> GPUNodeStatus:
        """The latest status."""
        ...

    @property
    def writes(self) -> int:
        """Writes of it so far."""
        ...

    def owner_of(self, holder: DeviceHolder) -> str:
        """Who pays for a holder's pod; empty: not known."""
        ...


class Series(Collector):
    """The agent's metrics, made when they are asked for.

    Args:
        node: The node's name.
        told: Where they come from.
    """

    def __init__(self, node: str, told: Told) -> None:
        self._node, self._told = node, told

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        status = self._told.status
        devices = Devices(status.gpus)
        info = GaugeMetricFamily(
            "labquota_gpu_info", "1 for each GPU and MIG device of the node.", labels=DEVICE
        )
        for device in devices.all:
            info.add_metric(self._labels(device), 1)
        holders = GaugeMetricFamily(
            "labquota_gpu_holder",
            "1 for each device of a container; a device that is shared has several.",
            labels=HOLDER,
        )
        for each in status.holders:
            found = devices.at(DeviceKey(each.gpu, each.gpu_instance, each.compute_instance))
            labels = _BLANK if found is None else self._labels(found)
            who = each.namespace, each.pod, each.container, self._told.owner_of(each)
            holders.add_metric([*labels, *who], 1)
        yield info
        yield holders
        yield _gauge(
            "labquota_gpu_unaccounted_processes",
            "Processes on GPUs that were not given to the pod they run in.",
            len(status.unaccounted),
        )
        condition = GaugeMetricFamily(
            "labquota_gpu_node_condition",
            "The GPUNode's conditions: 1 true, 0 false, -1 unknown.",
            labels=("Hostname", "condition", "reason"),
        )
        for said in status.conditions:
            condition.add_metric([self._node, said.type, said.reason], _NUMBER[said.status])
        yield condition
        yield _gauge("labquota_gpu_node_writes", "Writes of the GPUNode since the start.", self._told.writes)

    def _labels(self, device: Device) -> tuple[str, ...]:
        gpu, mig = device
        minor = gpu.index if gpu.minor < 0 else gpu.minor
        instance, profile = ("", "") if mig is None else (str(mig.gpu_instance), mig.profile)
        names = str(gpu.index), gpu.uuid, gpu.pci_address, f"nvidia{minor}", gpu.model
        return (*names, self._node, instance, profile)


_NUMBER: Final = {"True": 1, "False": 0, "Unknown": -1}


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)
