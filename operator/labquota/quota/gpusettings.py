"""What an administrator can set about GPUs. Every part has a default; most clusters need none of it."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from labquota.api import LabelSelector
from labquota.quota.points import Price

SharedReplicas = Literal["Whole", "Divided"]
"""What a replica of a shared device costs: as much as the device, or its part of it, rounded up."""

NotRequested = Literal["Deny", "Warn", "Off"]
"""What is done about a container that reaches for a GPU which it does not ask for."""


class GPUSettings(msgspec.Struct, frozen=True):
    """The administrator's word on GPUs.

    Attributes:
        prefixes: What names of resources that are GPUs begin with.
        prices: By model (`model` of the name), or for `*` any, what a profile or `whole` costs.
        resources: By resource name what one of it costs, whatever the nodes say.
        shared_replicas: What a time-sliced replica costs.
        not_requested: What is done about GPUs that nobody asked for.
        trusted_namespaces: Where these are nobody's concern.
        trusted_selector: The same, by the namespace's labels.
        runtime_classes: RuntimeClasses, or handlers of such, that hand containers the node's GPUs.
        device_classes: DeviceClasses of GPUs (dynamic resource allocation).
    """

    prefixes: tuple[str, ...] = ("nvidia.com/",)
    prices: Mapping[str, Mapping[str, Price]] = {}
    resources: Mapping[str, Price] = {}
    shared_replicas: SharedReplicas = "Whole"
    not_requested: NotRequested = "Deny"
    trusted_namespaces: frozenset[str] = frozenset({"gpu-operator", "kube-system", "labquota-system"})
    trusted_selector: LabelSelector | None = None
    runtime_classes: frozenset[str] = frozenset({"nvidia"})
    device_classes: frozenset[str] = frozenset({"gpu.nvidia.com", "mig.nvidia.com"})

    def is_gpu_like(self, resource: str) -> bool:
        """Whether a resource name has to have a price."""
        return resource.startswith(self.prefixes) or resource in self.resources

    def price(self, model: str, profile: str) -> Price | None:
        """What the administrator says that a profile of a model costs; the model's own word before that on all."""
        for name in (normal(model), "*"):
            if (found := self.prices.get(name, {}).get(profile)) is not None:
                return found
        return None


DEFAULT = GPUSettings()


def normal(model: str) -> str:
    """A model's name as it is compared: NVML writes spaces where labels have dashes, and may say `NVIDIA` before."""
    return model.lower().replace(" ", "-").removeprefix("nvidia-")
