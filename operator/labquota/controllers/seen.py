"""A stored pod, as far as the view looks at it before it knows whether anything has changed.

Resources stay as they are written. `quota.pods` has the fields that an amount is reckoned from; a field that is new
there has to come here as well, which a test sees to.
"""

from typing import Final

import msgspec

from labquota.quota.owners import OWNER_ANNOTATION

_NOTHING: Final = msgspec.Raw(b"")


class _Part(msgspec.Struct, rename="camel", gc=False):
    """What all parts have in common."""


class SeenAnnotations(msgspec.Struct, gc=False):
    """The one annotation that counts; the others are not even made strings of."""

    owner: str = msgspec.field(name=OWNER_ANNOTATION, default="")


class SeenMetadata(_Part):
    """What names a pod and its owner."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    annotations: SeenAnnotations | None = None
    deletion_timestamp: msgspec.Raw = _NOTHING


class SeenContainer(_Part):
    """A container of the spec."""

    name: str = ""
    restart_policy: str = ""
    resources: msgspec.Raw = _NOTHING


class SeenSpec(_Part):
    """What is asked."""

    containers: list[SeenContainer] = []
    init_containers: list[SeenContainer] = []
    overhead: msgspec.Raw = _NOTHING
    resources: msgspec.Raw = _NOTHING
    node_name: str = ""
    node_selector: msgspec.Raw = _NOTHING
    affinity: msgspec.Raw = _NOTHING


class SeenStatus(_Part):
    """What a kubelet says of a container."""

    name: str = ""
    resources: msgspec.Raw = _NOTHING
    allocated_resources: msgspec.Raw = _NOTHING


class SeenPodStatus(_Part):
    """What has become of the pod."""

    phase: str = ""
    conditions: msgspec.Raw = _NOTHING
    container_statuses: list[SeenStatus] = []
    init_container_statuses: list[SeenStatus] = []
    resources: msgspec.Raw = _NOTHING
    allocated_resources: msgspec.Raw = _NOTHING


class Seen(_Part):
    """One pod."""

    metadata: SeenMetadata = msgspec.field(default_factory=SeenMetadata)
    spec: SeenSpec = msgspec.field(default_factory=SeenSpec)
    status: SeenPodStatus = msgspec.field(default_factory=SeenPodStatus)


decode: Final = msgspec.json.Decoder(Seen).decode
