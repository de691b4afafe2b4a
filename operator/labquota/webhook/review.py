"""AdmissionReview in and out: what one request asks, and the answer in the API server's words.

An answer is always an AdmissionReview with HTTP status 200; any other HTTP answer would count as a failure of the
webhook and open the gate.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from labquota.quota import glance, gleaning
from labquota.quota.admission import Request
from labquota.quota.pods import Pod


class Unreadable(ValueError):  # noqa: N818  names what is wrong
    """A body that is no AdmissionReview of a pod.

    Attributes:
        uid: The review's uid, empty where not even that can be read.
    """

    def __init__(self, uid: str, message: str) -> None:
        super().__init__(message)
        self.uid = uid


class _User(msgspec.Struct, gc=False):
    username: str = ""
    groups: tuple[str, ...] = ()


class _Request(msgspec.Struct, rename="camel", gc=False):
    uid: str
    operation: Literal["CREATE", "UPDATE"]
    user_info: _User
    object: glance.Pod
    name: str = ""
    namespace: str = ""
    sub_resource: str = ""
    old_object: Pod | None = None
    dry_run: bool = False


class _Review(msgspec.Struct, gc=False):
    request: _Request


class _Uid(msgspec.Struct, gc=False):
    uid: str = ""


class _Head(msgspec.Struct, gc=False):
    request: _Uid


_REVIEW: Final = msgspec.json.Decoder(_Review)
_HEAD: Final = msgspec.json.Decoder(_Head)
_UID: Final = re.compile(rb'"uid"\s*:\s*"([0-9A-Za-z-]{1,64})"')
_ENCODER: Final = msgspec.json.Encoder()


def decode(body: bytes) -> Request:
    """What an AdmissionReview asks.

    Raises:
        Unreadable: The body cannot be read, or a field that counts has the wrong type.
    """
    try:
        request = _REVIEW.decode(body).request
        # a resize changes nothing that could lead out of the pod; any other update is here for what it adds
        seen = (
            glance.at(request.object) if request.operation == "CREATE" else request.sub_resource != "resize"
        )
        found = gleaning.decode(body) if seen else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(uid_of(body), f"the AdmissionReview cannot be read: {error}") from error
    return Request(
        uid=request.uid,
        operation=request.operation,
        username=request.user_info.username,
        groups=request.user_info.groups,
        namespace=request.namespace,
        name=request.name or request.object.metadata.name,
        pod=request.object,
        old_pod=request.old_object if request.operation == "UPDATE" else None,
        dry_run=request.dry_run,
        access=found,
    )


def allow(uid: str, warnings: Sequence[str] = (), unchecked: str = "") -> bytes:
    """The answer that lets a request through.

    Args:
        uid: The review's.
        warnings: Lines for whoever sent the request.
        unchecked: Why it was not judged, if it was not: the API server's audit log then names the request, as it does
            by itself where no replica answers.
    """
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if warnings:
        response["warnings"] = warnings
    if unchecked:
        response["auditAnnotations"] = {"unchecked": unchecked}
    return _answer(response)


def deny(uid: str, message: str, causes: Sequence[dict[str, str]], name: str) -> bytes:
    """The answer that refuses: 403 with machine-readable causes. It never carries retryAfterSeconds.

    Clients would take that as an invitation to try ten times.
    """
    status = {
        "status": "Failure",
        "code": 403,
        "reason": "Forbidden",
        "message": message,
        "details": {"name": name, "kind": "pods", "causes": causes},
    }
    return _answer({"uid": uid, "allowed": False, "status": status})


def _answer(response: dict[str, Any]) -> bytes:
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    return _ENCODER.encode(review)


def uid_of(body: bytes) -> str:
    """The uid of a review whose rest is broken: without it the API server takes no answer, and opens the gate."""
    try:
        return _HEAD.decode(body).request.uid
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return uid_in(body)


def uid_in(head: bytes) -> str:
    """The uid in the first bytes of a review, where the API server writes it; empty if it is not there."""
    found = _UID.search(head[:4096])
    return found.group(1).decode() if found else ""
