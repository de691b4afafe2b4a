"""AdmissionReviews of GPUAllocations without a pod: what is to be kept for somebody, as a request like a pod's.

Only creates come here: afterwards nothing of a hold can be changed that would make it cost more.
"""

from typing import Final

import msgspec

from labquota.api import AllocationDevice
from labquota.api.meta import Moment
from labquota.quota.cases import Hold, Request
from labquota.quota.pods import Metadata, Pod
from labquota.webhook.review import Unreadable, uid_of


class _Spec(msgspec.Struct, rename="camel", gc=False):
    owner: str = ""
    devices: tuple[AllocationDevice, ...] = ()
    expires_at: Moment | None = None


class _Object(msgspec.Struct, gc=False):
    spec: _Spec
    metadata: Metadata = msgspec.field(default_factory=Metadata)


class _User(msgspec.Struct, gc=False):
    username: str = ""
    groups: tuple[str, ...] = ()


class _Request(msgspec.Struct, rename="camel", gc=False):
    uid: str
    user_info: _User
    object: _Object
    name: str = ""
    namespace: str = ""
    dry_run: bool = False


class _Review(msgspec.Struct, gc=False):
    request: _Request


_REVIEW: Final = msgspec.json.Decoder(_Review)


def decode(body: bytes) -> Request:
    """What an AdmissionReview of a hold asks.

    Raises:
        Unreadable: The body cannot be read, or a field that counts has the wrong type.
    """
    try:
        request = _REVIEW.decode(body).request
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(uid_of(body), f"the AdmissionReview cannot be read: {error}") from error
    meta, spec = request.object.metadata, request.object.spec
    return Request(
        uid=request.uid,
        operation="CREATE",
        username=request.user_info.username,
        groups=request.user_info.groups,
        namespace=request.namespace,
        name=request.name or meta.name,
        pod=Pod(metadata=Metadata(uid=meta.uid, name=meta.name, namespace=request.namespace)),
        dry_run=request.dry_run,
        hold=Hold(spec.owner, spec.devices, spec.expires_at),
    )
