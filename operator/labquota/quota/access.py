"""What of a pod may lead its containers to GPUs, besides what they ask for: environment, volumes, rights, claims.

An update counts for what it adds: ephemeral containers with the volumes that they mount, or changed annotations.
"""

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

Field = Literal["containers", "initContainers", "ephemeralContainers"]


class _Part(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What all parts have in common."""


class Variable(_Part, frozen=True):
    """One variable of an environment; `value_from`: it is written somewhere else."""

    name: str = ""
    value: str = ""
    value_from: dict[str, Any] | None = None


class Ref(_Part, frozen=True):
    """A ConfigMap or a Secret."""

    name: str = ""


class Source(_Part, frozen=True):
    """A ConfigMap or Secret all of whose entries become variables."""

    prefix: str = ""
    config_map_ref: Ref | None = None
    secret_ref: Ref | None = None


class Security(_Part, frozen=True):
    """What a container may do on its node."""

    privileged: bool = False


class Mount(_Part, frozen=True):
    """Where a volume is mounted."""

    name: str = ""
    mount_path: str = ""


class Resources(_Part, frozen=True):
    """What a container asks for."""

    requests: dict[str, Any] = {}
    limits: dict[str, Any] = {}


class Container(_Part, frozen=True):
    """A container of any kind, and in which field of the spec it stands."""

    name: str = ""
    env: tuple[Variable, ...] = ()
    env_from: tuple[Source, ...] = ()
    security_context: Security = Security()
    volume_mounts: tuple[Mount, ...] = ()
    resources: Resources = Resources()
    field: Field = "containers"


class HostPath(_Part, frozen=True):
    """A file or folder of the node."""

    path: str = ""


class Volume(_Part, frozen=True):
    """A volume."""

    name: str = ""
    host_path: HostPath | None = None


class Claim(_Part, frozen=True):
    """Devices that the pod claims (dynamic resource allocation)."""

    name: str = ""
    resource_claim_name: str = ""
    resource_claim_template_name: str = ""


class _Spec(_Part, frozen=True):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    ephemeral_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    runtime_class_name: str = ""
    resource_claims: tuple[Claim, ...] = ()


class _Metadata(_Part, frozen=True):
    annotations: dict[str, str] = {}


class _Pod(_Part, frozen=True):
    metadata: _Metadata = _Metadata()
    spec: _Spec = _Spec()


class _Request(_Part, frozen=True):
    object: _Pod
    old_object: _Pod | None = None
    sub_resource: str = ""


class _Review(_Part, frozen=True):
    request: _Request


class Access(msgspec.Struct, frozen=True):
    """What may lead out of a pod, less what cannot."""

    annotations: dict[str, str]
    """Those that ask a container runtime for devices."""
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...]
    """Those of the node's file system."""
    runtime_class: str
    claims: tuple[Claim, ...]


_DECODER: Final = msgspec.json.Decoder(_Review)


def decode(body: bytes) -> Access:
    """Read it from an AdmissionReview.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: It cannot be read.
    """
    request = _DECODER.decode(body).request
    if request.old_object is None:
        return _created(request.object)
    return _changed(request.object, request.old_object, ephemeral=bool(request.sub_resource))


def convert(manifest: Any) -> Access:
    """Read it from a pod as a parser made it of a manifest.

    Raises:
        msgspec.ValidationError: A field that is read has the wrong type.
    """
    return _created(msgspec.convert(manifest, _Pod, strict=False))


def _created(pod: _Pod) -> Access:
    spec = pod.spec
    return Access(
        annotations={key: text for key, text in pod.metadata.annotations.items() if CDI in key},
        containers=tuple(map(_slim, _all(spec))),
        volumes=tuple(each for each in spec.volumes if each.host_path is not None),
        runtime_class=spec.runtime_class_name,
        claims=spec.resource_claims,
    )


def _changed(pod: _Pod, old: _Pod, *, ephemeral: bool) -> Access:
    """What an update adds: the spec of a pod does not change otherwise."""
    new, before = _created(pod), _created(old)
    known = {each.name for each in before.containers}
    added = tuple(each for each in new.containers if each.name not in known) if ephemeral else ()
    mounted = {mount.name for each in added for mount in each.volume_mounts}
    return Access(
        annotations=dict(new.annotations.items() - before.annotations.items()),
        containers=added,
        volumes=tuple(each for each in new.volumes if each.name in mounted),
        runtime_class="",
        claims=(),
    )


def _all(spec: _Spec) -> tuple[Container, ...]:
    init = (msgspec.structs.replace(each, field="initContainers") for each in spec.init_containers)
    late = (msgspec.structs.replace(each, field="ephemeralContainers") for each in spec.ephemeral_containers)
    return (*init, *spec.containers, *late)


def _slim(container: Container) -> Container:
    """Without the variables that mean nothing here: a refused pod is remembered for a while."""
    kept = tuple(each for each in container.env if each.name in VARIABLES)
    return msgspec.structs.replace(container, env=kept)
