"""What one node offers, and what one device of each of its GPU resources costs there.

    GPUNode: the devices behind the name, as NVML and the kubelet say      ──► else
    labels of the Node, as NVIDIA's GPU feature discovery writes them       ──► else the table of models

The single strategy calls a slice `nvidia.com/gpu`: only the devices, or the label `nvidia.com/gpu.product`, tell.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from labquota.api import GPU, GPUNodeStatus, MigDevice, NodeResource
from labquota.quota import models, prices, profiles, quantities
from labquota.quota.deviceids import Device, DeviceKey, Devices
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.models import Model
from labquota.quota.points import Price
from labquota.quota.profiles import Profile
from labquota.quota.quantities import QuantityError

_LABEL: Final = "nvidia.com/"
_MEBI: Final = 2**20


def offered(settings: GPUSettings, allocatable: Mapping[str, str | int | float | None]) -> frozenset[str]:
    """The GPU resources of which a node has any. A capacity of "0" is a name of the past."""
    return frozenset(
        name for name, text in allocatable.items() if settings.is_gpu_like(name) and _positive(text)
    )


class Node:
    """One node, as far as it matters for prices.

    Args:
        settings: The administrator's word.
        name: Its name.
        is_node: Whether it is a Node that says what is offered, and not only its agent.

    Attributes:
        labels: Its labels, all of them: a pod may select by any.
        offered: The GPU resources that it has; None where the Node is not known, or gone.
        gpus: What its agent reports; None where there is none.
    """

    __slots__ = ("_devices", "_is_node", "_prices", "_settings", "gpus", "labels", "name", "offered")

    def __init__(self, settings: GPUSettings, name: str, *, is_node: bool) -> None:
        self.name, self._settings, self._is_node = name, settings, is_node
        self.labels: Mapping[str, str] = {}
        self.offered: frozenset[str] | None = None
        self.gpus: GPUNodeStatus | None = None
        self._prices: dict[str, Price | None] = {}
        self._devices: Devices | None = None

    def changed(self) -> None:
        """Forget what was reckoned."""
        self._prices.clear()
        self._devices = None

    def names(self) -> Iterable[str]:
        """The GPU resources that it offers now."""
        if self._is_node:
            return self.offered or ()
        listed = self.gpus.resources if self.gpus else ()
        return [each.name for each in listed if each.count and self._settings.is_gpu_like(each.name)]

    def price(self, resource: str) -> Price | None:
        """What one device of a resource costs here, offered now or not; None where nothing here tells."""
        if resource not in self._prices:
            self._prices[resource] = self._price(resource)
        return self._prices[resource]

    def device(self, key: DeviceKey) -> tuple[Price, tuple[str, ...]] | None:
        """What one device costs that its agent reports, and the names under which it is offered."""
        if self.gpus is None:
            return None
        devices = self._reported(self.gpus)
        found = devices.at(key)
        price = self._of_device(found) if found is not None and found.gpu.health != "Lost" else None
        if price is None:
            return None
        names = {
            each.name
            for each in self.gpus.resources
            if any((one := devices.find(name)) is not None and one.key == key for name in each.devices)
        }
        return price, tuple(sorted(names))

    def _price(self, resource: str) -> Price | None:
        listed = (
            next((each for each in self.gpus.resources if each.name == resource), None) if self.gpus else None
        )
        found = self._by_devices(resource, listed) or self._by_labels(resource)
        if found is None:
            return None
        shared = prices.of_replica(self._settings, found, self._replicas(resource, listed))
        return Price(
            shared.compute,
            shared.memory,
            shared.bytes,
            f"{shared.source} on node {self.name}",
            whole=shared.whole,
            is_gpu=shared.is_gpu,
        )

    def _by_devices(self, resource: str, listed: NodeResource | None) -> Price | None:
        if self.gpus is None:
            return None
        devices = self._reported(self.gpus)
        behind = [each for each in map(devices.find, listed.devices) if each] if listed else []
        if not behind:  # the kubelet has not been asked yet, or an id means nothing now
            behind = self._alike(resource, devices)
        found = [price for each in behind if (price := self._of_device(each)) is not None]
        return prices.worst(found) if found else None

    def _reported(self, status: GPUNodeStatus) -> Devices:
        if self._devices is None:
            self._devices = Devices(status.gpus)
        return self._devices

    def _alike(self, resource: str, devices: Devices) -> list[Device]:
        """The devices that a resource of this name can be made of, where its own are not known."""
        wanted = profiles.of_resource(resource)
        if wanted is not None:
            return [each for each in devices.all if each.mig and profiles.parse(each.mig.profile) == wanted]
        if not profiles.is_whole(resource) or self._single() is not None:
            return []
        return [each for each in devices.all if each.mig is None and each.gpu.mig_mode != "Enabled"]

    def _of_device(self, device: Device) -> Price | None:
        gpu, mig = device.gpu, device.mig
        if mig is None:
            return prices.of_gpu(self._settings, gpu.model, gpu.memory)
        profile = profiles.parse(mig.profile)
        return None if profile is None else self._of_mig(gpu, mig, profile)

    def _of_mig(self, gpu: GPU, mig: MigDevice, profile: Profile) -> Price | None:
        by_id = models.by_id(gpu.device_id)
        known = (by_id,) if by_id else models.by_product(gpu.model, gpu.memory)
        share = mig.memory / gpu.memory if gpu.memory else 0.0
        return self._of_slice(gpu.model, known, profile, mig.memory, share, mig.size)

    def _by_labels(self, resource: str) -> Price | None:
        profile = profiles.of_resource(resource)
        plain = profiles.unshared(resource).partition("/")[2]
        product, single = profiles.of_product(self.labels.get(f"{_LABEL}gpu.product", ""))
        size = self._number(f"{plain}.memory")
        if profile is not None:
            own = self.labels.get(f"{_LABEL}{plain}.product", "")
            product = profiles.of_product(own)[0] or product
            whole = 0 if single else self._number("gpu.memory")
            known = models.by_product(product, whole)
            return self._of_slice(product, known, profile, size, size / whole if whole else 0.0)
        if not profiles.is_whole(resource):
            return None  # a renamed resource can be a GPU or any slice of one
        if single is not None:
            return self._of_slice(product, models.by_product(product), single, size)
        return prices.of_gpu(self._settings, product, size) if product or size else None

    def _of_slice(
        self,
        product: str,
        known: Iterable[Model],
        profile: Profile,
        mebibytes: int,
        share: float = 0.0,
        slots: int = 0,
    ) -> Price | None:
        found = prices.of_slice(self._settings, product, known, profile, mebibytes)
        if found is None and (product or share or slots):
            return prices.of_stranger(self._settings, product, profile, share, slots, mebibytes)
        return found

    def _single(self) -> Profile | None:
        """The profile that `nvidia.com/gpu` is here by the single strategy."""
        return profiles.of_product(self.labels.get(f"{_LABEL}gpu.product", ""))[1]

    def _replicas(self, resource: str, listed: NodeResource | None) -> int:
        if listed is not None and listed.replicas > 1:
            return listed.replicas
        return self._number(f"{profiles.unshared(resource).partition('/')[2]}.replicas")

    def _number(self, label: str) -> int:
        text = self.labels.get(_LABEL + label, "")
        return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else 0


def _positive(text: str | float | None) -> bool:
    try:
        return text is not None and quantities.parse(text) > 0
    except QuantityError:
        return False
