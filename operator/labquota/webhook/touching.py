"""How a controller is asked to try again: by touching an annotation of the object whose pods it makes.

Its controller sees the change and tries at once, instead of waiting for its back-off to end. Nothing else of the object
is written, and the API server's policy holds us to that.
"""

from datetime import datetime
from typing import Final, Literal

import msgspec

from labquota import metrics
from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.api import Api
from labquota.kube.lineage import Lineage
from labquota.quota import workloads
from labquota.quota.pods import Metadata
from labquota.quota.stamping import NUDGED_ANNOTATION
from labquota.quota.trust import BUILT_IN_KINDS, Trust
from labquota.quota.workloads import Workload
from labquota.webhook.makers import Maker

_SAME_SECONDS: Final = 1.0
"""Two replicas that see the same budget free again ask within this time."""
_SETTLED_SECONDS: Final = 1.0
"""For so long after a refusal its status may be behind."""
_TRIES: Final = 3


class Touch(msgspec.Struct, frozen=True):
    """What came of it."""

    outcome: Literal["nudged", "later", "over"]
    """`later`: another replica has just asked. `over`: it is gone, wants no more pods, or is of another kind."""
    progress: int = 0
    """Its pods that there are and that have ended: where that stands still, asking did not help."""


class _Object(msgspec.Struct, gc=False):
    metadata: Metadata = msgspec.field(default_factory=Metadata)


_WORKLOAD: Final = msgspec.json.Decoder(Workload)
_OBJECT: Final = msgspec.json.Decoder(_Object)
_OVER: Final = Touch("over")


class Toucher:
    """Asks them.

    Args:
        api: The API server.
        lineage: Where they are.
        trust: Which kinds are touched: those that are stamped.
        clock: The time that is written down.
    """

    def __init__(self, api: Api, lineage: Lineage, trust: Trust, clock: Clock) -> None:
        self._api, self._lineage, self._trust, self._clock = api, lineage, trust, clock

    async def touch(self, maker: Maker) -> Touch:
        """Ask one to try again, unless somebody else just has, or there is nothing to try.

        Raises:
            KubeError: The API server does not answer, or does not let us.
            labquota.kube.lineage.Unresolved: Its kind cannot be looked up.
            msgspec.DecodeError: It cannot be read.
        """
        kind = await self._lineage.kind(maker.reference)
        if kind is None or not self._trust.stamps(kind.name):
            return _OVER
        path = kind.path(maker.request.namespace, maker.reference.name)
        for _ in range(_TRIES):
            try:
                return await self._try(maker, path, kind.resource if kind.name in BUILT_IN_KINDS else "")
            except errors.NotFound:
                return _OVER
            except errors.Conflict:  # its controller has written, or the other replica
                continue
        return Touch("later")

    async def _try(self, maker: Maker, path: str, resource: str) -> Touch:
        body, now = await self._api.get(path), self._clock.now()
        meta, progress = _OBJECT.decode(body).metadata, 0
        if meta.uid != maker.uid or meta.deletion_timestamp is not None:
            return _OVER
        if resource in workloads.KINDS:
            found = _WORKLOAD.decode(body)
            progress = workloads.made(resource, found) + found.status.succeeded + found.status.failed
            settled = self._clock.monotonic() - maker.at >= _SETTLED_SECONDS
            wants = workloads.wanted(resource, found) - workloads.made(resource, found)
            if settled and (wants <= 0 or found.is_waiting):
                return _OVER
        if abs((now - _time(meta.annotations.get(NUDGED_ANNOTATION), now)).total_seconds()) < _SAME_SECONDS:
            return Touch("later")
        written = {
            "uid": meta.uid,
            "resourceVersion": meta.resource_version,
            "annotations": {NUDGED_ANNOTATION: now.isoformat(timespec="milliseconds")},
        }
        await self._api.patch(path, msgspec.json.encode({"metadata": written}))
        metrics.NUDGES.inc()
        return Touch("nudged", progress)


def _time(text: str | None, now: datetime) -> datetime:
    """When it was asked last; long ago where it was not, or nobody can read when."""
    try:
        return datetime.fromisoformat(text or "").astimezone(now.tzinfo)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=now.tzinfo)
