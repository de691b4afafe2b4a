"""GPUs as the command line shows them: nodes, their devices, and who holds each; also the shape of `gpus -o json`."""

from typing import Final

import msgspec

from labquota.api import GPUAllocationSpec, GPUAllocationStatus

SLOTS: Final = 8
"""Memory slots of a GPU that is cut into seven slices; others are drawn to that scale."""


class Place(msgspec.Struct):
    """The name and namespace of an object."""

    name: str = ""
    namespace: str = ""


class Allocation(msgspec.Struct):
    """A GPUAllocation with its namespace."""

    metadata: Place
    spec: GPUAllocationSpec
    status: GPUAllocationStatus = GPUAllocationStatus()


class Holder(msgspec.Struct, frozen=True, rename="camel"):
    """Who holds a device: a pod, or a hold without one."""

    namespace: str
    name: str
    owner: str | None = None
    """None where no allocation says it: only the kubelet knows the pod."""
    is_pod: bool = True
    container: str = ""

    @property
    def text(self) -> str:
        """As people write it."""
        return f"{'' if self.is_pod else 'hold '}{self.namespace}/{self.name}"


class Card(msgspec.Struct, frozen=True, rename="camel"):
    """One device: a whole GPU, or a slice of one."""

    gpu: str
    gpu_instance: int
    compute_instance: int
    index: int
    """Of its GPU on the node."""
    model: str
    profile: str
    """Empty: the whole GPU."""
    uuid: str
    memory: int
    """In MiB."""
    start: int
    size: int
    """The memory slots that it lies on, of `SLOTS`; start -1: not known."""
    health: str
    resource: str
    replicas: int
    holders: tuple[Holder, ...]
    problems: tuple[str, ...]
    is_device: bool = True
    """False: a GPU that is cut into slices, or is to be, and shown for what is wrong with it."""


class Node(msgspec.Struct, frozen=True, rename="camel"):
    """One node's devices, and what cannot be shown as a device of it."""

    name: str
    driver: str
    nvml: str
    scanned: str | None
    problems: tuple[str, ...]
    cards: tuple[Card, ...]
