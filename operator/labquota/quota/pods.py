"""Pods, as far as the decision reads them.

Only the fields below are decoded; the decoder skips everything else of a pod, which is what makes a pod
cost microseconds. The structs are out of the garbage collector's sight (`gc=False`) since they hold no
cycles. A field that is missing has its empty value, so that readers need no case for it.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

ResourceList = dict[str, str | int | float | None]
"""Resource name to quantity, as written."""


class _Part(msgspec.Struct, rename="camel", gc=False, omit_defaults=True):
    """What all parts of a pod have in common."""


class Reference(_Part):
    """One of metadata.ownerReferences."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class Metadata(_Part):
    """A pod's metadata. `generation` counts the changes of its spec, resizes included."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: list[Reference] = []
    deletion_timestamp: datetime | None = None

    @property
    def maker(self) -> Reference | None:
        """The controller reference; the API server allows one."""
        return next((each for each in self.owner_references if each.controller), None)


class Resources(_Part):
    """Requests and limits, of a container or of the whole pod, as written."""

    requests: ResourceList = {}
    limits: ResourceList = {}


class Container(_Part):
    """A container of the spec; `restart_policy` is "Always" for a sidecar among the init containers."""

    name: str = ""
    resources: Resources = msgspec.field(default_factory=Resources)
    restart_policy: str = ""


class NodeRequirement(_Part):
    """A requirement on a label or a field of nodes."""

    key: str = ""
    operator: str = ""
    values: list[str] = []


class NodeTerm(_Part):
    """Requirements that must all hold."""

    match_expressions: list[NodeRequirement] = []
    match_fields: list[NodeRequirement] = []


class NodeSelector(_Part):
    """Terms of which one must hold."""

    node_selector_terms: list[NodeTerm] | None = None


class NodeAffinity(_Part):
    """Which nodes a pod must run on; what it would like is of no account."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class Affinity(_Part):
    """The part about nodes."""

    node_affinity: NodeAffinity | None = None


class Spec(_Part):
    """What the pod is asked to be. `resources` are the pod-level ones."""

    containers: list[Container] = []
    init_containers: list[Container] = []
    overhead: ResourceList = {}
    resources: Resources | None = None
    node_name: str = ""
    node_selector: dict[str, str] = {}
    affinity: Affinity | None = None


class Condition(_Part):
    """One of status.conditions."""

    type: str = ""
    status: str = ""
    reason: str = ""
    observed_generation: int = 0


class ContainerStatus(_Part):
    """What the kubelet has given a container: `resources` are actuated, `allocated_resources` promised."""

    name: str = ""
    resources: Resources | None = None
    allocated_resources: ResourceList = {}


class Status(_Part):
    """What has become of the pod; `resources` and `allocated_resources` are the pod-level ones."""

    phase: str = ""
    conditions: list[Condition] = []
    container_statuses: list[ContainerStatus] = []
    init_container_statuses: list[ContainerStatus] = []
    resources: Resources | None = None
    allocated_resources: ResourceList = {}


class Pod(_Part):
    """One pod."""

    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: Spec = msgspec.field(default_factory=Spec)
    status: Status = msgspec.field(default_factory=Status)


_DECODER: Final = msgspec.json.Decoder(Pod)
_RESOURCE_LISTS: Final = frozenset({"requests", "limits", "overhead", "allocatedResources"})


def decode(raw: bytes | msgspec.Raw) -> Pod:
    """Read a pod from JSON as the API server sends it.

    Args:
        raw: One JSON object.

    Returns:
        The pod.

    Raises:
        msgspec.DecodeError: It is not JSON, or a field that is read has the wrong type (the message holds
            the field's path), or it is nested too deeply.
    """
    try:
        return _DECODER.decode(raw)
    except RecursionError:
        raise msgspec.DecodeError("the pod is nested too deeply to be read") from None


def convert(manifest: object) -> Pod:
    """Read a pod from what a YAML or JSON parser made of a manifest, where people leave fields empty.

    Args:
        manifest: Plain dicts, lists and scalars.

    Returns:
        The pod.

    Raises:
        msgspec.ValidationError: A field that is read has the wrong type.
    """
    try:
        return msgspec.convert(without_nulls(manifest), Pod)
    except RecursionError:
        raise msgspec.ValidationError("the pod is nested too deeply to be read") from None


def without_nulls(value: Any) -> Any:
    """What a parser made of a manifest, without the fields that are left empty.

    The API server takes null for "not there", except in a resource list, where it is a zero.
    """
    if isinstance(value, dict):
        return {
            key: item if key in _RESOURCE_LISTS and isinstance(item, dict) else without_nulls(item)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value
