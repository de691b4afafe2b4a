"""Events: what a controller is refused shows on the workload that people know, in one Event that is counted up.

Its name follows from the workload alone, so that all replicas count up the same one. Nobody waits for it: it is written
after the answer, the first time at once and then every few seconds, with all refusals that have come meanwhile.
"""

import asyncio
import hashlib
import logging
from datetime import datetime
from typing import Any, Final

import msgspec

from labquota import metrics
from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.api import Api
from labquota.kube.lineage import Lineage, Top, Unresolved
from labquota.quota.cases import Request
from labquota.quota.pods import Metadata

log = logging.getLogger(__name__)

REASON: Final = "BudgetExceeded"
AGAIN_SECONDS: Final = 5.0
"""Between two writes for what one controller is refused."""
_PAUSE_SECONDS: Final = 0.05
"""Between any two writes, whomever they are for."""
_MOST: Final = 1000
"""Makers whose refusals are not written yet; those of more are left out."""
_LONGEST: Final = 1000
"""Bytes of a message; the API server takes 1,024 of some."""
_TRIES: Final = 3
_FAILED: Final = "an Event cannot be written"


class _Note(msgspec.Struct):
    """What one maker has been refused since the last write."""

    namespace: str
    made: Metadata
    """Of the last pod: its controller reference leads on."""
    line: str
    count: int
    first: datetime
    last: datetime


class _Meta(msgspec.Struct, rename="camel", gc=False):
    resource_version: str = ""


class _Event(msgspec.Struct, gc=False):
    metadata: _Meta
    count: int = 0


_EVENT: Final = msgspec.json.Decoder(_Event)


class Teller:
    """Writes Events.

    Args:
        api: The API server.
        lineage: Where controller references lead.
        clock: When something was refused, and when it is written next.
    """

    def __init__(self, api: Api, lineage: Lineage, clock: Clock) -> None:
        self._api, self._lineage, self._clock = api, lineage, clock
        self._notes: dict[str, _Note] = {}
        self._next: dict[str, float] = {}
        self._woken = asyncio.Event()

    def refused(self, request: Request, line: str) -> None:
        """Take down that a controller's pod is refused.

        Args:
            request: For the pod, which has a controller reference.
            line: Why, as people read it.
        """
        meta, now = request.pod.metadata, self._clock.now()
        if (maker := meta.maker) is None:
            return
        note = self._notes.get(maker.uid)
        if note is None and len(self._notes) >= _MOST:
            return
        made = Metadata(uid=meta.uid, owner_references=[maker])
        if note is None:
            note = self._notes[maker.uid] = _Note(request.namespace, made, line, 0, now, now)
        note.line, note.last, note.count = line, now, note.count + 1
        self._woken.set()

    async def run(self) -> None:
        """Write what is taken down, until cancelled."""
        while True:
            self._woken.clear()
            soon = self._clock.monotonic() + _PAUSE_SECONDS
            for uid in [uid for uid in self._notes if self._next.get(uid, 0.0) <= soon]:
                self._pace(uid)
                await self._tell(uid, self._notes.pop(uid))
                await asyncio.sleep(_PAUSE_SECONDS)
            await self._until_due()

    async def _until_due(self) -> None:
        due = min((self._next.get(uid, 0.0) for uid in self._notes), default=None)
        try:
            async with asyncio.timeout(None if due is None else max(0.0, due - self._clock.monotonic())):
                await self._woken.wait()
        except TimeoutError:
            return

    def _pace(self, uid: str) -> None:
        now = self._clock.monotonic()
        if len(self._next) >= _MOST:
            self._next = {known: at for known, at in self._next.items() if at > now}
        self._next[uid] = now + AGAIN_SECONDS

    async def _tell(self, uid: str, note: _Note) -> None:
        try:
            top = await self._lineage.top(note.namespace, note.made)
            if top is not None:
                await self._write(top, note)
                metrics.EVENTS.inc()
        except (errors.KubeError, msgspec.DecodeError, Unresolved) as error:
            log.warning(_FAILED, extra={"namespace": note.namespace, "error": str(error)})
            passing = isinstance(error, errors.KubeError) and errors.passing(error)
            if (passing or isinstance(error, Unresolved)) and uid not in self._notes:
                self._notes[uid] = note
        except Exception:  # the others are told all the same
            log.exception(_FAILED, extra={"namespace": note.namespace})

    async def _write(self, top: Top, note: _Note) -> None:
        namespace = note.namespace if top.namespaced else "default"
        path, name = f"/api/v1/namespaces/{namespace}/events", _name(top.reference.uid)
        for _ in range(_TRIES):
            try:
                found = _EVENT.decode(await self._api.get(f"{path}/{name}"))
            except errors.NotFound:
                try:
                    await self._api.create(path, msgspec.json.encode(_new(name, namespace, top, note)))
                except errors.AlreadyExists:
                    continue
                return
            body = {
                "metadata": {"resourceVersion": found.metadata.resource_version},
                "count": found.count + note.count,
                "lastTimestamp": _time(note.last),
                "message": _cut(note.line),
            }
            try:
                await self._api.patch(f"{path}/{name}", msgspec.json.encode(body))
            except (errors.Conflict, errors.NotFound):
                continue
            return


def _name(uid: str) -> str:
    """One for each workload, whichever replica writes."""
    return f"labquota-{hashlib.sha256(f'{uid} {REASON}'.encode()).hexdigest()[:24]}"


def _new(name: str, namespace: str, top: Top, note: _Note) -> dict[str, Any]:
    about = {
        "apiVersion": top.reference.api_version,
        "kind": top.reference.kind,
        "name": top.reference.name,
        "uid": top.reference.uid,
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {**about, "namespace": namespace} if top.namespaced else about,
        "type": "Warning",
        "reason": REASON,
        "message": _cut(note.line),
        "source": {"component": "labquota"},
        "firstTimestamp": _time(note.first),
        "lastTimestamp": _time(note.last),
        "count": note.count,
    }


def _cut(line: str) -> str:
    return line.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
