"""The second webhook: early word to whoever creates, scales or changes a workload. It refuses nothing, ever.

Whatever cannot be read or is not known in time is no reason to keep anybody waiting: then nothing is said.
"""

import asyncio
import logging
from typing import Final
from urllib.parse import quote

import msgspec

from labquota import metrics
from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.api import Api
from labquota.kube.ledgers import Ledgers
from labquota.quota import advice, limitranges, outlook, workloads
from labquota.quota.ledger import EMPTY
from labquota.quota.limitranges import Item
from labquota.quota.outlook import Change
from labquota.quota.workloads import Workload
from labquota.quota.world import World
from labquota.webhook import counting, review
from labquota.webhook.remembering import Memory

log = logging.getLogger(__name__)

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_KEPT_SECONDS: Final = 5.0
"""For how long a namespace's LimitRanges are remembered."""
_MOST_KEPT: Final = 1000
_QUIET: Final = metrics.ADVICE.labels("quiet")
_WARNED: Final = metrics.ADVICE.labels("warned")
_FAILED: Final = metrics.ADVICE.labels("failed")


_NOTHING: Final = msgspec.Raw(b"null")


class _User(msgspec.Struct, gc=False):
    username: str = ""
    groups: tuple[str, ...] = ()


class _Resource(msgspec.Struct, gc=False):
    group: str = ""
    resource: str = ""


class _Request(msgspec.Struct, rename="camel", gc=False):
    uid: str
    operation: str
    resource: _Resource
    object: msgspec.Raw
    old_object: msgspec.Raw = _NOTHING
    sub_resource: str = ""
    namespace: str = ""
    name: str = ""
    user_info: _User = msgspec.field(default_factory=_User)
    dry_run: bool = False


class _Review(msgspec.Struct, gc=False):
    request: _Request


class _Templated(msgspec.Struct, gc=False):
    template: msgspec.Raw = msgspec.Raw()


class _Made(msgspec.Struct, gc=False):
    spec: _Templated = msgspec.field(default_factory=_Templated)


class _Replicas(msgspec.Struct, gc=False):
    replicas: int = 0


class _Scale(msgspec.Struct, gc=False):
    spec: _Replicas = msgspec.field(default_factory=_Replicas)


_REVIEW: Final = msgspec.json.Decoder(_Review)
_SCALE: Final = msgspec.json.Decoder(_Scale)
_MADE: Final = msgspec.json.Decoder(_Made)
_WORKLOAD: Final = msgspec.json.Decoder(Workload)


class Adviser:
    """Answers reviews of workloads with warnings, or without.

    Args:
        api: The API server, for LimitRanges, for what is scaled, and for its pods.
        world: Groups, overrides and namespaces.
        store: The ledgers.
        memory: Keeps the groups of whoever asks.
        clock: For deadlines, and the time that decides which overrides apply.
    """

    def __init__(self, api: Api, world: World, store: Ledgers, memory: Memory, clock: Clock) -> None:
        self._api, self._world, self._store, self._clock = api, world, store, clock
        self._memory = memory
        self._ranges: dict[str, tuple[float, list[Item]]] = {}

    async def answer(self, body: bytes, until: float) -> bytes:
        """The answer to one review; whatever the body holds, it raises nothing and lets the request through.

        Args:
            body: The AdmissionReview.
            until: The clock's monotonic time at which the answer leaves at the latest.
        """
        try:
            request = _REVIEW.decode(body).request
            async with asyncio.timeout(max(0.0, until - self._clock.monotonic())):
                lines = await self._lines(request)
        except (*_UNREADABLE, errors.KubeError, TimeoutError) as error:
            log.info("nothing is said about a workload", extra={"error": str(error) or "no answer in time"})
            return unread(review.uid_of(body))
        except Exception:  # as if there were no webhook
            log.exception("a workload cannot be judged")
            return unread(review.uid_of(body))
        (_WARNED if lines else _QUIET).inc()
        return review.allow(request.uid, lines)

    async def _lines(self, request: _Request) -> list[str]:
        change = await self._change(request)
        if change is None:
            return []
        user = request.user_info
        if not request.dry_run and self._world.trust.role(user.username) == "person":
            await self._memory.note(user.username, user.groups, request.namespace)
        ranges = await self._ranges_of(request.namespace)
        for each in (change.new, change.old):
            if each is not None:
                limitranges.complete(each.template.spec, ranges)
        owner = outlook.owner(change, self._world)
        if change.old is not None:
            running = await counting.count(self._api, change.resource, change.old, change.namespace, owner)
            change = msgspec.structs.replace(change, running=running)
        stored = self._store.copy(owner)
        ledger = EMPTY if stored is None else stored.ledger
        return advice.lines(outlook.of(change, self._world, self._clock.now(), self._store.groups, ledger))

    async def _change(self, request: _Request) -> Change | None:
        """What the request is about; None where it makes no pods."""
        resource = request.resource.resource
        if resource not in workloads.KINDS:
            return None
        old: Workload | None = None
        replaces = False
        if request.sub_resource == "scale":
            old = await self._scaled(request)
            replicas = _SCALE.decode(request.object).spec.replicas
            new = msgspec.structs.replace(old, spec=msgspec.structs.replace(old.spec, replicas=replicas))
        else:
            new = _WORKLOAD.decode(request.object)
            if request.operation == "UPDATE":
                old = _WORKLOAD.decode(request.old_object)
                before, after = _MADE.decode(request.old_object), _MADE.decode(request.object)
                replaces = bytes(before.spec.template) != bytes(after.spec.template)
        if not new.template.spec.containers:
            return None
        name = request.name or new.metadata.name or "unnamed"
        return Change(resource, request.namespace, name, new, old, replaces)

    async def _scaled(self, request: _Request) -> Workload:
        """What is scaled: a Scale tells nothing of its pods."""
        kind, place = request.resource, f"namespaces/{quote(request.namespace, safe='')}"
        root = f"/apis/{kind.group}/v1" if kind.group else "/api/v1"
        return _WORKLOAD.decode(
            await self._api.get(f"{root}/{place}/{kind.resource}/{quote(request.name, safe='')}")
        )

    async def _ranges_of(self, namespace: str) -> list[Item]:
        """What the namespace's LimitRanges will add to the pods."""
        now = self._clock.monotonic()
        until, found = self._ranges.get(namespace, (0.0, []))
        if now >= until:
            path = f"/api/v1/namespaces/{quote(namespace, safe='')}/limitranges"
            found = limitranges.decode(await self._api.get(path, {"resourceVersion": "0"}))
            if len(self._ranges) >= _MOST_KEPT:
                self._ranges.clear()
            self._ranges[namespace] = now + _KEPT_SECONDS, found
        return found


def unread(uid: str) -> bytes:
    """The answer to what nobody can read, or not in time."""
    _FAILED.inc()
    return review.allow(uid)
