"""Who reaches whom over which port: straight, unless somebody stands in between to cut and slow them."""

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Wires"]


class Wires(Protocol):
    """Gives out ports of loopback that lead to other ports of loopback."""

    def link(self, caller: str, callee: str, port: int) -> int:
        """The port over which a process reaches another one that listens on `port`."""
        ...

    def spread(self, callees: Mapping[str, int]) -> int:
        """One port for several processes by name, each with a port of its own, as a Service has it."""
        ...
