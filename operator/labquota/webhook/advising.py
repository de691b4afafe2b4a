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
from labquota.quota import advice, limitranges, outlook
from labquota.quota.ledger import EMPTY
from labquota.quota.limitranges import Item
from labquota.quota.world import World
from labquota.webhook import changing, review
from labquota.webhook.changing import Request
from labquota.webhook.remembering import Memory

log = logging.getLogger(__name__)

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_KEPT_SECONDS: Final = 5.0
"""For how long a namespace's LimitRanges are remembered."""
_MOST_KEPT: Final = 1000
_QUIET: Final = metrics.ADVICE.labels("quiet")
_WARNED: Final = metrics.ADVICE.labels("warned")
_FAILED: Final = metrics.ADVICE.labels("failed")


class Adviser:
    """Answers reviews of workloads with warnings, or without.

    Args:
        api: The API server, for LimitRanges and for what is changed.
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
            request = changing.decode(body)
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

    async def _lines(self, request: Request) -> list[str]:
        user = request.user_info
        if not request.dry_run and self._world.trust.role(user.username) == "person":
            await self._memory.note(user.username, user.groups, request.namespace)
        change = await changing.of(self._api, request)
        if change is None:
            return []
        ranges = await self._ranges_of(request.namespace)
        for each in (change.new, change.old):
            if each is not None:
                limitranges.complete(each.template.spec, ranges)
        stored = self._store.copy(outlook.owner(change, self._world))
        ledger = EMPTY if stored is None else stored.ledger
        return advice.lines(outlook.of(change, self._world, self._clock.now(), self._store.groups, ledger))

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
