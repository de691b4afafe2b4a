"""One AdmissionReview: what it asks, what that means, and what is said, counted and logged about it.

What a user can provoke ends in a refusal. Only an outage (the API server or the operator away) is answered as the
owner's group says in `onError`, and every such answer is one error line in the log.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final

import msgspec

from labquota import metrics
from labquota.clock import Clock
from labquota.kube.ledgers import Ledgers
from labquota.kube.lineage import Unresolved
from labquota.kube.lookups import Lookups, Unread
from labquota.quota import admission, explain, verdict
from labquota.quota.admission import Case, Request, Verdict
from labquota.quota.ledger import EMPTY, Book
from labquota.quota.verdict import Refused
from labquota.quota.world import World
from labquota.webhook import review
from labquota.webhook.admissions import Admissions
from labquota.webhook.holders import Holders
from labquota.webhook.means import Outage
from labquota.webhook.review import Unreadable
from labquota.webhook.waiting import UNJUDGED
from labquota.webhook.whose import Whose

log = logging.getLogger(__name__)

MARGIN: Final = 1.0
"""Seconds before the API server's deadline at which the answer is sent at the latest."""
_ALLOWED: Final = metrics.ADMISSIONS.labels("allowed")
_WARNED: Final = metrics.ADMISSIONS.labels("warned")
_CANNOT: Final = "a request cannot be judged"
_NO_BOOK: Final = Book(EMPTY)
"""For what no ledger is read for: nothing joins it."""
_REMEMBERING: Final = 2.0
"""The longest that a request which no limit can refuse waits until its user's groups are remembered, in seconds."""


class Gate:
    """Answers AdmissionReviews.

    Args:
        world: Groups, overrides and namespaces.
        store: The ledgers, for the groups that they remember.
        admissions: The owners' queues.
        holders: Which pods hold what, for refusals.
        whose: Whose a pod is, where it does not say so itself.
        lookups: What other objects say of the GPUs that a pod can reach.
        clock: The time that decides which overrides apply.
        create_seconds: After how long a reservation without a pod ends, to be told to people.
        told: Called with each refusal: the case, its codes and its line.
    """

    def __init__(
        self,
        world: World,
        store: Ledgers,
        admissions: Admissions,
        holders: Holders,
        whose: Whose,
        lookups: Lookups,
        clock: Clock,
        create_seconds: float,
        told: Callable[[Case, list[str], str], object] = lambda _case, _codes, _line: None,
    ) -> None:
        self._world, self._store, self._admissions = world, store, admissions
        self._holders, self._whose, self._told = holders, whose, told
        self._lookups = lookups
        self._clock, self._create_seconds = clock, create_seconds

    async def answer(self, body: bytes, seconds: float, began: float | None = None) -> bytes:
        """The answer to one review, as of `begin`."""
        answer = self.begin(body, seconds, self._clock.monotonic() if began is None else began)
        return answer if isinstance(answer, bytes) else await answer

    def begin(
        self,
        body: bytes,
        seconds: float,
        began: float,
        decode: Callable[[bytes], Request] = review.decode,
    ) -> bytes | Coroutine[Any, Any, bytes]:
        """The answer to one review, at once where no ledger is to be asked: a task costs as much as the decision then.

        Args:
            body: The AdmissionReview as it came.
            seconds: How long the API server waits.
            began: Since when, by the clock's monotonic time.
            decode: Reads what it asks.

        Returns:
            An AdmissionReview, or what will come to one; whatever the body holds, neither raises anything.
        """
        try:
            request = decode(body)
        except Unreadable as error:
            return self.unreadable(error.uid, str(error))
        try:
            now = self._clock.now()
            if (
                not self._whose.is_clear(request)
                or (case := admission.examine(request, self._world, now, self._store.groups)).unread
            ):
                return self._resolve(request, began + before(seconds))
            if not case.needs_ledger:
                judged = admission.decide(case, _NO_BOOK)
                if judged.allowed:
                    return self._allowed(case, judged)
            elif given := self._admissions.give(case):
                return self._allowed(case, given)
        except Exception:  # without an answer the API server would let the pod through
            log.exception(_CANNOT, extra=_place(request))
            return self.unreadable(request.uid, UNJUDGED)
        matter = _Matter(case, now, self._world, self._store, self._clock)
        return self._finish(matter, request, began + before(seconds))

    async def _finish(self, matter: "_Matter", request: Request, until: float) -> bytes:
        try:
            return await self._decide(matter, until)
        except Exception:  # as above
            log.exception(_CANNOT, extra=_place(request))
            return self.unreadable(request.uid, UNJUDGED)

    async def _resolve(self, request: Request, until: float) -> bytes:
        outage, what = None, "whose the pod is"
        now = self._clock.now()
        try:
            try:
                async with asyncio.timeout(until - self._clock.monotonic()):
                    if not self._whose.is_clear(request):
                        request = await self._whose.resolve(request)
                    what = "which GPUs the pod can reach"
                    request = await self._look(request, now)
            except (Unresolved, Unread, TimeoutError) as error:
                outage = Outage(f"it cannot be told {what}: {str(error) or 'the API server does not answer'}")
            now = self._clock.now()
            case = admission.examine(request, self._world, now, self._store.groups)
            if outage is not None:
                return self._failed(case, outage)
        except Exception:  # as above
            log.exception(_CANNOT, extra=_place(request))
            return self.unreadable(request.uid, UNJUDGED)
        return await self._finish(_Matter(case, now, self._world, self._store, self._clock), request, until)

    async def _look(self, request: Request, now: datetime) -> Request:
        """The request with all that has to be read for it: a claim names classes, which are read after it."""
        while unread := admission.examine(request, self._world, now, self._store.groups).unread:
            facts = {**request.facts, **await self._lookups.of(unread)}
            request = msgspec.structs.replace(request, facts=facts)
        return request

    async def _decide(self, matter: "_Matter", until: float) -> bytes:
        try:
            judged = await self._judge(matter, until)
        except Outage as outage:
            return self._failed(matter.current(), outage)
        case = matter.current()
        if judged.allowed:
            return self._allowed(case, judged)
        if case.is_mirror:  # its pod runs on the node already; without it nobody would see or charge that
            return self._failed(
                case, Outage(f"a static pod is never refused, not for {', '.join(_codes(judged))}")
            )
        return await self._refused(case, judged, until)

    async def _judge(self, matter: "_Matter", until: float) -> Verdict:
        if _is_only_remembered(matter.current()):
            seconds = min(until - self._clock.monotonic(), _REMEMBERING)
            with contextlib.suppress(Outage):
                await self._admissions.judge(matter.current, seconds)
        case = matter.current()
        if not case.needs_ledger or _is_only_remembered(case):
            return admission.decide(case, _NO_BOOK)
        return await self._admissions.judge(matter.current, until - self._clock.monotonic())

    def _allowed(self, case: Case, judged: Verdict) -> bytes:
        (_WARNED if judged.warned else _ALLOWED).inc()
        if case.limits.group is None:
            metrics.NO_GROUP.inc()
        if not case.stamped:
            metrics.NO_STAMP.inc()
        if judged.warned:
            codes = _codes(judged)
            log.info("would refuse", extra={**_place(case.request), "owner": case.owner, "codes": codes})
        return review.allow(case.request.uid, explain.warnings(case, judged))

    async def _refused(self, case: Case, judged: Verdict, until: float) -> bytes:
        holders: list[explain.Holder] = []
        if any(cause.code.startswith("AGGREGATE_") for cause in judged.causes):
            holders = await self._held_by(case, until)
        line = explain.refusal(case, judged, holders, self._create_seconds)
        codes = _codes(judged)
        metrics.ADMISSIONS.labels("refused").inc()
        for code in codes:
            metrics.REFUSALS.labels(code).inc()
        log.info("refused", extra={**_place(case.request), "owner": case.owner, "codes": codes, "line": line})
        self._told(case, codes, line)
        return review.deny(case.request.uid, line, explain.fields(judged.causes), case.request.name)

    async def _held_by(self, case: Case, until: float) -> list[explain.Holder]:
        try:
            async with asyncio.timeout(max(0.0, until - self._clock.monotonic())):
                holders = await self._holders.of(case.owner)
        except TimeoutError:
            holders = []
        stored = self._store.copy(case.owner)
        flying = stored.ledger.reservations if stored else ()
        return [*holders, *(explain.Holder(each.namespace, each.name, each.after) for each in flying)]

    def _failed(self, case: Case, outage: Outage) -> bytes:
        """Answer as the owner's group says for an outage."""
        open_ = case.limits.on_error == "Allow" or case.is_mirror
        answer = "failed_open" if open_ else "failed_closed"
        metrics.ADMISSIONS.labels(answer).inc()
        log.error(answer, extra={**_place(case.request), "owner": case.owner, "error": str(outage)})
        if open_:
            warning = f"labquota did not check this pod: {outage}"
            return review.allow(case.request.uid, [warning], unchecked=str(outage))
        text = f"{case.owner}'s budget cannot be checked now ({outage}); try again"
        cause = Refused(verdict.UNAVAILABLE, text)
        line = f"{cause.code}: {cause.text}"
        self._told(case, [cause.code], line)
        return review.deny(case.request.uid, line, explain.fields([cause]), case.request.name)

    def unreadable(self, uid: str, text: str) -> bytes:
        """The answer to what nobody can judge: a refusal.

        Args:
            uid: The review's; without it the API server takes no answer.
            text: Why.
        """
        metrics.ADMISSIONS.labels("refused").inc()
        metrics.REFUSALS.labels(verdict.UNREADABLE).inc()
        log.warning("refused", extra={"codes": [verdict.UNREADABLE], "line": text})
        cause = Refused(verdict.UNREADABLE, text)
        return review.deny(uid, f"{cause.code}: {cause.text}", explain.fields([cause]), "")


def before(seconds: float) -> float:
    """After how many seconds the answer leaves at the latest, of those that the API server waits."""
    return max(seconds - MARGIN, seconds / 2)


class _Matter:
    """A case, as the rules are now: they may change while it queues.

    Args:
        case: As it was examined at `now`.
    """

    def __init__(self, case: Case, now: datetime, world: World, store: Ledgers, clock: Clock) -> None:
        self._case, self._world, self._store, self._clock = case, world, store, clock
        self._known = self._rules(now)

    def current(self) -> Case:
        """The case, examined again where the rules have changed since the last call."""
        now = self._clock.now()
        if self._known != self._rules(now):
            self._case = admission.examine(self._case.request, self._world, now, self._store.groups)
            self._known = self._rules(now)
        return self._case

    def _rules(self, now: datetime) -> tuple[int, tuple[str, ...]]:
        return self._world.revision(now), self._store.groups(self._case.owner)


def _is_only_remembered(case: Case) -> bool:
    """Whether a ledger is needed for the groups of its user alone: then nothing of it can refuse the request."""
    return case.needs_ledger and not case.is_counted


def _codes(judged: Verdict) -> list[str]:
    """Each code once: a pod may have a thousand reasons."""
    return sorted({cause.code for cause in judged.causes})


def _place(request: Request) -> dict[str, object]:
    return {
        "namespace": request.namespace,
        "pod": request.name,
        "user": request.username,
        "operation": request.operation,
        "dry_run": request.dry_run,
    }
