"""Reads from reviews, manifests and templates what may lead out of a pod (`access`), less what cannot.

An update counts for what it adds: ephemeral containers with the volumes that they mount, or changed annotations.
"""

from typing import Any, Final

import msgspec

from labquota.quota import pods
from labquota.quota.access import CDI, CRIO, VARIABLES, Access, Claim, Container, Part, Volume


class _Spec(Part, frozen=True):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    ephemeral_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    runtime_class_name: str = ""
    resource_claims: tuple[Claim, ...] = ()


class _Metadata(Part, frozen=True):
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class _Pod(Part, frozen=True):
    metadata: _Metadata = _Metadata()
    spec: _Spec = _Spec()


class _Request(Part, frozen=True):
    object: _Pod
    old_object: _Pod | None = None
    sub_resource: str = ""


class _Review(Part, frozen=True):
    request: _Request


class _Template(Part, frozen=True):
    template: _Pod = _Pod()


class _JobTemplate(Part, frozen=True):
    spec: _Template = _Template()


class _WorkloadSpec(Part, frozen=True):
    template: _Pod = _Pod()
    job_template: _JobTemplate | None = None


class _Workload(Part, frozen=True):
    spec: _WorkloadSpec = _WorkloadSpec()


_DECODER: Final = msgspec.json.Decoder(_Review)
_WORKLOAD: Final = msgspec.json.Decoder(_Workload)


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
    return _created(msgspec.convert(pods.without_nulls(manifest), _Pod, strict=False))


def of_template(workload: bytes | msgspec.Raw) -> Access:
    """Read it from the pod template of a workload: what each of its pods will be.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: It cannot be read.
    """
    spec = _WORKLOAD.decode(workload).spec
    return _created(spec.template if spec.job_template is None else spec.job_template.spec.template)


def _created(pod: _Pod) -> Access:
    spec = pod.spec
    return Access(
        annotations={
            key: text for key, text in pod.metadata.annotations.items() if CDI in key or key == CRIO
        },
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
