"""The mutating webhook: stamps what the policies leave open, and everything where the API server has no such policies.

Same rules, same stamps. An outage stamps nothing and lets the object through: whose its pods are is asked again when
they come, and there a group's `onError` decides. What cannot be read is refused.
"""

import asyncio
import base64
import logging
from typing import Any, Final

import msgspec

from labquota import metrics
from labquota.clock import Clock
from labquota.kube.lineage import Lineage, Unresolved
from labquota.quota import explain, owners, stamping, verdict
from labquota.quota.pods import Metadata
from labquota.quota.trust import Trust
from labquota.quota.verdict import Refused
from labquota.webhook import patching, review
from labquota.webhook.patching import Stamp

log = logging.getLogger(__name__)


class _User(msgspec.Struct, gc=False):
    username: str = ""
    groups: tuple[str, ...] = ()


class _Resource(msgspec.Struct, gc=False):
    group: str = ""
    resource: str = ""


class _Request(msgspec.Struct, rename="camel", gc=False):
    uid: str
    operation: str
    user_info: _User
    resource: _Resource
    object: dict[str, Any]
    namespace: str = ""
    old_object: dict[str, Any] | None = None

    @property
    def kind(self) -> str:
        """`resource.group`."""
        return f"{self.resource.resource}.{self.resource.group}".rstrip(".")


class _Review(msgspec.Struct, gc=False):
    request: _Request


_REVIEW: Final = msgspec.json.Decoder(_Review)


class Stamper:
    """Answers reviews with the patch that stamps an object.

    Args:
        trust: Whom to believe.
        lineage: Where references lead.
        clock: For deadlines.
    """

    def __init__(self, trust: Trust, lineage: Lineage, clock: Clock) -> None:
        self._trust, self._lineage, self._clock = trust, lineage, clock

    async def answer(self, body: bytes, until: float) -> bytes:
        """The answer to one review; whatever the body holds, it raises nothing.

        Args:
            body: The AdmissionReview.
            until: The clock's monotonic time at which the answer leaves at the latest.
        """
        uid = ""
        try:
            request = _REVIEW.decode(body).request
            uid = request.uid
            if self._renames(request):
                return _answer(uid, [])
            async with asyncio.timeout(max(0.0, until - self._clock.monotonic())):
                stamp = await self._stamp(request)
            old = request.old_object if request.operation == "UPDATE" else None
            restore = self._trust.role(request.user_info.username) == "controller"
            patches = list(patching.patches(request.kind, request.object, old, stamp, restore=restore))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return unread(review.uid_of(body), f"the AdmissionReview cannot be read: {error}")
        except (Unresolved, TimeoutError) as error:
            metrics.UNSTAMPED.inc()
            text = str(error) or "the API server does not answer"
            place = {"kind": request.kind, "namespace": request.namespace}
            log.warning("not stamped", extra={**place, "error": text})
            return _answer(uid, [], f"labquota cannot tell yet whose this is: {text}")
        return _answer(uid, patches)

    def _renames(self, request: _Request) -> bool:
        """Whether somebody says anew whose a namespace or a service account is, who may."""
        if request.operation != "UPDATE" or request.kind not in stamping.PLACES:
            return False
        user = request.user_info
        return self._trust.role(user.username) == "source" or self._trust.administers(
            user.username, user.groups
        )

    async def _stamp(self, request: _Request) -> Stamp:
        if request.operation == "UPDATE":
            return Stamp()
        user, meta = request.user_info, patching.metadata(request.object)
        written = patching.strings(meta, "annotations")
        role = self._trust.role(user.username)
        wanted = stamping.wanted(self._trust, user.username, user.groups, request.kind, written)
        if wanted == "keep":
            wanted = owners.named(written) or "follow"
        if wanted != "follow":
            return Stamp(wanted or "", wanted or "")
        account = owners.service_account(user.username)
        made = msgspec.convert(meta, Metadata, strict=False)
        if account and role == "person":
            owner = (await self._lineage.of_account(*account)).owner
            return Stamp(owner, owner)
        if request.kind != "pods" and made.maker is None:
            return Stamp()  # its pods will say where they come from
        return Stamp((await self._lineage.of_made(request.namespace, made)).owner)


def unread(uid: str, why: str) -> bytes:
    """The answer to a review that nobody can read: a refusal, or its author would have a way to come unstamped."""
    log.warning("refused", extra={"codes": [verdict.UNREADABLE], "line": why})
    cause = Refused(verdict.UNREADABLE, why)
    return review.deny(uid, f"{cause.code}: {cause.text}", explain.fields([cause]), "")


def _answer(uid: str, patches: list[dict[str, Any]], warning: str = "") -> bytes:
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if patches:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(msgspec.json.encode(patches)).decode()
    if warning:
        response["warnings"] = [warning]
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    return msgspec.json.encode(review)
