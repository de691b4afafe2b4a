"""AdmissionReviews of what pods take variables and devices from: ConfigMaps, Secrets and claims, when they are written.

A pod is judged by what stands in them when it comes. Whoever has limits cannot write it in afterwards either: what they
write is judged as an update that adds a way to GPUs, for whoever asks.
"""

from typing import Any, Final

import msgspec

from labquota.kube import lookups
from labquota.quota import owners
from labquota.quota.access import VISIBLE, Access, Written
from labquota.quota.cases import Request
from labquota.quota.lookups import Lookup, Resource
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.pods import Metadata, Pod
from labquota.webhook.review import Unreadable, uid_of

_KINDS: Final[dict[str, str]] = {
    "configmaps": "ConfigMap",
    "secrets": "Secret",
    "resourceclaims": "ResourceClaim",
    "resourceclaimtemplates": "ResourceClaimTemplate",
}

_UNNAMED: Final = "unnamed"
"""What is called as the API server likes has no name yet."""


class _User(msgspec.Struct, gc=False):
    username: str = ""
    groups: tuple[str, ...] = ()


class _Resource(msgspec.Struct, gc=False):
    resource: str = ""


class _Request(msgspec.Struct, rename="camel", gc=False):
    uid: str
    user_info: _User
    resource: _Resource
    object: msgspec.Raw
    old_object: msgspec.Raw = msgspec.Raw(b"null")
    name: str = ""
    namespace: str = ""
    dry_run: bool = False


class _Review(msgspec.Struct, gc=False):
    request: _Request


_REVIEW: Final = msgspec.json.Decoder(_Review)


def decode(body: bytes) -> Request:
    """What an AdmissionReview of such an object asks.

    Raises:
        Unreadable: The body cannot be read, or a field that counts has the wrong type.
    """
    try:
        request = _REVIEW.decode(body).request
        request.name = request.name or _UNNAMED
        written = _written(request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError) as error:
        raise Unreadable(uid_of(body), f"the AdmissionReview cannot be read: {error}") from error
    # whoever writes it pays for what comes of it; of a service account, whoever that belongs to
    stamp: dict[str, str] = {OWNER_ANNOTATION: owners.of_requester(request.user_info.username)}
    meta = Metadata(name=request.name, namespace=request.namespace, uid=request.uid, annotations=stamp)
    place = Pod(metadata=meta)
    return Request(
        uid=request.uid,
        operation="UPDATE",
        username=request.user_info.username,
        groups=request.user_info.groups,
        namespace=request.namespace,
        name=request.name,
        pod=place,
        old_pod=place,
        dry_run=request.dry_run,
        access=Access(
            annotations={}, containers=(), volumes=(), runtime_class="", claims=(), written=written
        ),
    )


def _written(request: _Request) -> Written:
    kind, old = request.resource.resource, bytes(request.old_object)
    called = _KINDS[kind]
    found = _found(kind, request.object)
    value = found.variables.get(VISIBLE)
    if old != b"null" and _found(kind, request.old_object).variables.get(VISIBLE) == value:
        value = None
    return Written(called, request.name, value, found.classes)


def _found(kind: Any, manifest: msgspec.Raw) -> Any:
    resource: Resource = kind
    return lookups.decode(Lookup(resource, "", ""), bytes(manifest))
