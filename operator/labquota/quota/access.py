"""What of a pod may lead its containers to GPUs, besides what they ask for: environment, volumes, rights, claims."""

from typing import Any, Final, Literal

import msgspec

VISIBLE: Final = "NVIDIA_VISIBLE_DEVICES"
"""The variable by which NVIDIA's container runtime is told which GPUs a container gets."""
CUDA: Final = "CUDA_VERSION"
"""Where it is set and nothing else, NVIDIA's runtime takes an image for an old one, which gets all GPUs."""
REQUIRED: Final = "NVIDIA_REQUIRE_CUDA"
"""Where it is set, too, the image is no old one."""
VARIABLES: Final = (VISIBLE, CUDA, REQUIRED)
CDI: Final = "cdi.k8s.io/"
"""What the names of annotations hold that ask container runtimes for devices."""
CRIO: Final = "io.kubernetes.cri-o.Devices"
"""The annotation that asks CRI-O for device files, where a runtime handler allows it."""

Field = Literal["containers", "initContainers", "ephemeralContainers"]


class Part(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What all parts have in common."""


class Variable(Part, frozen=True):
    """One variable of an environment; `value_from`: it is written somewhere else."""

    name: str = ""
    value: str = ""
    value_from: dict[str, Any] | None = None


class Ref(Part, frozen=True):
    """A ConfigMap or a Secret."""

    name: str = ""


class Source(Part, frozen=True):
    """A ConfigMap or Secret all of whose entries become variables."""

    prefix: str = ""
    config_map_ref: Ref | None = None
    secret_ref: Ref | None = None


class Security(Part, frozen=True):
    """What a container may do on its node."""

    privileged: bool = False


class Mount(Part, frozen=True):
    """Where a volume is mounted."""

    name: str = ""
    mount_path: str = ""


class Resources(Part, frozen=True):
    """What a container asks for."""

    requests: dict[str, Any] = {}
    limits: dict[str, Any] = {}


class Container(Part, frozen=True):
    """A container of any kind, and in which field of the spec it stands."""

    name: str = ""
    env: tuple[Variable, ...] = ()
    env_from: tuple[Source, ...] = ()
    security_context: Security = Security()
    volume_mounts: tuple[Mount, ...] = ()
    resources: Resources = Resources()
    field: Field = "containers"


class HostPath(Part, frozen=True):
    """A file or folder of the node."""

    path: str = ""


class Volume(Part, frozen=True):
    """A volume."""

    name: str = ""
    host_path: HostPath | None = None


class Claim(Part, frozen=True):
    """Devices that the pod claims (dynamic resource allocation)."""

    name: str = ""
    resource_claim_name: str = ""
    resource_claim_template_name: str = ""


class Written(msgspec.Struct, frozen=True):
    """What somebody writes into an object that pods take variables or devices from."""

    kind: str
    """`ConfigMap`, `Secret`, `ResourceClaim` or `ResourceClaimTemplate`."""
    name: str
    value: str | None = None
    """Of the variable that names GPUs; None where it is not set, or not changed."""
    classes: tuple[str, ...] = ()
    """The DeviceClasses that a claim asks for."""


class Access(msgspec.Struct, frozen=True):
    """What may lead out of a pod, less what cannot."""

    annotations: dict[str, str]
    """Those that ask a container runtime for devices."""
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...]
    """Those of the node's file system."""
    runtime_class: str
    claims: tuple[Claim, ...]
    written: Written | None = None
    """No pod, but what pods take from."""
