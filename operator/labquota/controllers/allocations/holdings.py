"""Who has which device by our own books: pods that live and holds that last. Two of them on one device show here."""

from collections.abc import Iterator

import msgspec

from labquota.api import BoundDevice
from labquota.controllers.allocations.evidence import key_of
from labquota.controllers.allocations.hardware import is_shared, overlap
from labquota.quota.deviceids import DeviceKey

_Gpu = tuple[str, str]
"""Node and GPU."""


class Holding(msgspec.Struct, frozen=True, gc=False):
    """What one pod or hold has."""

    what: str
    """As people read it: pod lab/train-0 of user:alice."""
    is_hold: bool
    devices: tuple[BoundDevice, ...]


class Holdings:
    """Everybody who has a device, by GPU."""

    def __init__(self) -> None:
        self._holdings: dict[str, Holding] = {}
        self._on: dict[_Gpu, set[str]] = {}

    def put(self, uid: str, holding: Holding) -> set[str]:
        """Note what a pod or hold has now; returns those with whom it conflicts, or did before."""
        if self._holdings.get(uid) == holding:
            return set()
        concerned = self.drop(uid)
        if not holding.devices:
            return concerned
        self._holdings[uid] = holding
        for gpu in {_gpu(each) for each in holding.devices}:
            self._on.setdefault(gpu, set()).add(uid)
        return concerned | {other for other, _, _ in self._clashes(uid)}

    def drop(self, uid: str) -> set[str]:
        """Forget what a pod or hold had; returns those with whom it conflicted."""
        if uid not in self._holdings:
            return set()
        concerned = {other for other, _, _ in self._clashes(uid)}
        for gpu in {_gpu(each) for each in self._holdings.pop(uid).devices}:
            self._on[gpu].discard(uid)
            if not self._on[gpu]:
                del self._on[gpu]
        return concerned

    def rivals(self, uid: str) -> list[tuple[BoundDevice, Holding]]:
        """The devices of a pod or hold that another one has as well, with that other one.

        A hold is no reason to find fault with a pod: anybody may write one. Nor is it the other way round a reason to
        end the hold, but it shows there.
        """
        mine = self._holdings.get(uid)
        found = [(device, self._holdings[other]) for other, device, _ in self._clashes(uid)]
        found = [
            (device, other) for device, other in found if mine is None or mine.is_hold or not other.is_hold
        ]
        return sorted(found, key=lambda each: (each[1].what, each[0].gpu, each[0].id))

    def _clashes(self, uid: str) -> Iterator[tuple[str, BoundDevice, BoundDevice]]:
        holding = self._holdings.get(uid)
        for device in holding.devices if holding is not None else ():
            for other in self._on.get(_gpu(device), ()):
                if other == uid:
                    continue
                for theirs in self._holdings[other].devices:
                    if device.node == theirs.node and _clash(device, theirs):
                        yield other, device, theirs


def _clash(a: BoundDevice, b: BoundDevice) -> bool:
    if is_shared(a.id) and is_shared(b.id):
        return False
    return overlap(_key(a), _key(b))


def _gpu(device: BoundDevice) -> _Gpu:
    return device.node, _key(device).gpu


def _key(device: BoundDevice) -> DeviceKey:
    """Where it is; what is not in the inventory is told apart by its id."""
    return key_of(device) if device.gpu else DeviceKey(device.id)
