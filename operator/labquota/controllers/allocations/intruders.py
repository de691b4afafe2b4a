"""Pods that use a device which they were not given: told to them, whether anybody else has that device or not."""

from collections.abc import Iterator

from labquota.api import DeviceProcess
from labquota.controllers.allocations.hardware import Hardware

_MOST = 1000
"""Those of more are in their node's report alone."""


class Intruders:
    """Which pod uses what, by the nodes' reports; each is to be told once while it lasts."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, DeviceProcess]] = {}

    def note(self, node: str, hardware: Hardware | None) -> Iterator[str]:
        """Take a node's report; the keys of those who are new in it."""
        if hardware is not None and hardware.is_stale:
            return
        there = {_key(each): each for each in hardware.unaccounted if each.pod_uid} if hardware else {}
        for key in [key for key, (on, _) in self._known.items() if on == node and key not in there]:
            del self._known[key]
        for key, process in there.items():
            if key not in self._known and len(self._known) < _MOST:
                self._known[key] = node, process
                yield key

    def get(self, key: str) -> tuple[str, DeviceProcess] | None:
        """The node and the first process of one of them."""
        return self._known.get(key)

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()


def _key(process: DeviceProcess) -> str:
    place = f"{process.gpu} {process.gpu_instance}/{process.compute_instance}"
    return f"{process.pod_uid} on {place}"
