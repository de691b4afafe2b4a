"""Which device an id means that a device plugin has given a GPU or MIG device.

| id                         | written by                                             |
|----------------------------|--------------------------------------------------------|
| `GPU-<uuid>`, `MIG-<uuid>` | NVIDIA's device plugin                                 |
| `MIG-GPU-<uuid>/<gi>/<ci>` | drivers before R470                                    |
| `nvidia0`, `nvidia0/gi7`   | GKE's device plugin: the number is that of /dev/nvidia0 |
| `0`, `0:0`                 | by index: the GPU's, and among its MIG devices         |
| any of them with `::<n>`   | a replica of a device that several containers share    |
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from labquota.api import GPU, MigDevice

WHOLE: Final = -1
"""As the id of an instance: the whole GPU."""

_REPLICA: Final = re.compile(r"(.+?)::[0-9]+")
_UUID: Final = re.compile(r"(GPU|MIG)-[0-9A-Za-z]+(-[0-9A-Za-z]+)*")
_OLD_MIG: Final = re.compile(r"MIG-(GPU-[0-9A-Za-z-]+)/([0-9]{1,9})/([0-9]{1,9})")
_GKE: Final = re.compile(r"nvidia([0-9]{1,9})(?:/gi([0-9]{1,9}))?(?:/vgpu[0-9]+)?")
_INDEX: Final = re.compile(r"([0-9]{1,9})(?::([0-9]{1,9}))?")


class DeviceKey(NamedTuple):
    """Where a device is on its node: this stays while its UUID changes. UUIDs of MIG devices are made anew."""

    gpu: str
    gpu_instance: int = WHOLE
    compute_instance: int = WHOLE


class Device(NamedTuple):
    """A device of the inventory: a GPU, or a MIG device and the GPU that it lies on."""

    gpu: GPU
    mig: MigDevice | None = None

    @property
    def key(self) -> DeviceKey:
        """Where it is."""
        if self.mig is None:
            return DeviceKey(self.gpu.uuid)
        return DeviceKey(self.gpu.uuid, self.mig.gpu_instance, self.mig.compute_instance)


def base(device_id: str) -> str:
    """The id without the number of a replica."""
    found = _REPLICA.fullmatch(device_id)
    return found.group(1) if found else device_id


def is_uuid(device_id: str) -> bool:
    """Whether an id can be nothing but that of an NVIDIA device, whatever the resource is called."""
    plain = base(device_id)
    return _UUID.fullmatch(plain) is not None or _OLD_MIG.fullmatch(plain) is not None


class Devices:
    """The devices of one node's inventory, by every id that may mean them."""

    def __init__(self, gpus: Iterable[GPU]) -> None:
        self.all: tuple[Device, ...] = tuple(
            device for gpu in gpus for device in (Device(gpu), *(Device(gpu, mig) for mig in gpu.mig_devices))
        )
        self._by_uuid = {_uuid(each): each for each in self.all if _uuid(each)}
        self._by_key = {each.key: each for each in self.all if each.gpu.uuid}
        self._by_index = {each.gpu.index: each for each in self.all if each.mig is None}
        self._by_minor = {_minor(each.gpu): each for each in self.all if each.mig is None}

    def at(self, key: DeviceKey) -> Device | None:
        """The device in a place; None where nothing is there now."""
        return self._by_key.get(key)

    def find(self, device_id: str) -> Device | None:
        """The device that an id means; None where the inventory has none such."""
        plain = base(device_id)
        if (found := self._by_uuid.get(plain)) is not None:
            return found
        if old := _OLD_MIG.fullmatch(plain):
            return self._by_key.get(DeviceKey(old[1], int(old[2]), int(old[3])))
        if gke := _GKE.fullmatch(plain):
            return self._of_gke(int(gke[1]), gke[2])
        if index := _INDEX.fullmatch(plain):
            return self._of_index(int(index[1]), index[2])
        return None

    def _of_gke(self, minor: int, instance: str | None) -> Device | None:
        whole = self._by_minor.get(minor)
        if whole is None or instance is None:
            return whole
        # that plugin makes one compute instance in each GPU instance, so the first one is meant
        found = [mig for mig in whole.gpu.mig_devices if mig.gpu_instance == int(instance)]
        return Device(whole.gpu, min(found, key=lambda mig: mig.compute_instance)) if found else None

    def _of_index(self, index: int, slot: str | None) -> Device | None:
        whole = self._by_index.get(index)
        if whole is None or slot is None:
            return whole
        for place, mig in enumerate(whole.gpu.mig_devices):
            if int(slot) == (place if mig.index < 0 else mig.index):
                return Device(whole.gpu, mig)
        return None


def _uuid(device: Device) -> str:
    return device.gpu.uuid if device.mig is None else device.mig.uuid


def _minor(gpu: GPU) -> int:
    return gpu.index if gpu.minor < 0 else gpu.minor
