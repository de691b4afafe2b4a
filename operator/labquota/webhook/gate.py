"""One AdmissionReview: what it asks, what that means, and what is said, counted and logged about it.

What a user can provoke ends in a refusal. Only an outage (the API server or the operator away) is answered as the
owner's group says in `onError`, and every such answer is one error line in the log.
"""

import asyncio
import logging
from typing import Final

from labquota import metrics
from labquota.clock import Clock
from labquota.kube.ledgers import Ledgers
from labquota.quota import admission, explain, verdict
from labquota.quota.admission import Case, Request, Verdict
from labquota.quota.ledger import EMPTY, Book
from labquota.quota.verdict import Refused
from labquota.quota.world import World
from labquota.webhook import review
from labquota.webhook.admissions import Admissions, Outage
from labquota.webhook.holders import Holders
from labquota.webhook.review import Unreadable

log = logging.getLogger(__name__)

MARGIN: Final = 1.0
"""Seconds before the API server's deadline at which the answer is sent at the latest."""
_BROKEN: Final = "this request cannot be judged; the administrator finds the reason in labquota's log"


class Gate:
    """Answers AdmissionReviews.

    Args:
        world: Groups, overrides and namespaces.
        store: The ledgers, for the groups that they remember.
        admissions: The owners' queues.
        holders: Which pods hold what, for refusals.
        clock: The time that decides which overrides apply.
        create_seconds: After how long a reservation without a pod ends, to be told to people.
    """

    def __init__(
        self,
        world: World,
        store: Ledgers,
        admissions: Admissions,
        holders: Holders,
        clock: Clock,
        create_seconds: float,
    ) -> None:
        self._world, self._store, self._admissions = world, store, admissions
        self._holders, self._clock, self._create_seconds = holders, clock, create_seconds

    async def answer(self, body: bytes, seconds: float) -> bytes:
        """The answer to one review.

        Args:
            body: The AdmissionReview as it came.
            seconds: How long the API server waits, from now.

        Returns:
            An AdmissionReview; whatever the body holds, this raises nothing.
        """
        until = self._clock.monotonic() + max(seconds - MARGIN, seconds / 2)
        try:
            request = review.decode(body)
        except Unreadable as error:
            return self._unreadable(error.uid, str(error))
        try:
            return await self._decide(request, until)
        except Exception:  # without an answer the API server would let the pod through
            log.exception("a request cannot be judged", extra=_place(request))
            return self._unreadable(request.uid, _BROKEN)

    async def _decide(self, request: Request, until: float) -> bytes:
        case = admission.examine(request, self._world, self._clock.now(), self._store.groups)
        try:
            judged = await self._judge(case, until)
        except Outage as outage:
            return self._failed(case, outage)
        if judged.allowed:
            return self._allowed(case, judged)
        return await self._refused(case, judged, until)

    async def _judge(self, case: Case, until: float) -> Verdict:
        if not case.needs_ledger:
            return admission.decide(case, Book(EMPTY))
        return await self._admissions.judge(case, until - self._clock.monotonic())

    def _allowed(self, case: Case, judged: Verdict) -> bytes:
        metrics.ADMISSIONS.labels("warned" if judged.warned else "allowed").inc()
        if case.limits.group is None:
            metrics.NO_GROUP.inc()
        if not case.stamped:
            metrics.NO_STAMP.inc()
        if judged.warned:
            codes = [cause.code for cause in judged.causes]
            log.info("would refuse", extra={**_place(case.request), "owner": case.owner, "codes": codes})
        return review.allow(case.request.uid, explain.warnings(case, judged))

    async def _refused(self, case: Case, judged: Verdict, until: float) -> bytes:
        holders: list[explain.Holder] = []
        if any(cause.code.startswith("AGGREGATE_") for cause in judged.causes):
            holders = await self._held_by(case, until)
        line = explain.refusal(case, judged, holders, self._create_seconds)
        codes = [cause.code for cause in judged.causes]
        metrics.ADMISSIONS.labels("refused").inc()
        for code in codes:
            metrics.REFUSALS.labels(code).inc()
        log.info("refused", extra={**_place(case.request), "owner": case.owner, "codes": codes, "line": line})
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
        open_ = case.limits.on_error == "Allow"
        answer = "failed_open" if open_ else "failed_closed"
        metrics.ADMISSIONS.labels(answer).inc()
        log.error(answer, extra={**_place(case.request), "owner": case.owner, "error": str(outage)})
        if open_:
            return review.allow(case.request.uid, [f"labquota did not check this pod: {outage}"])
        text = f"{case.owner}'s budget cannot be checked now ({outage}); try again"
        cause = Refused(verdict.UNAVAILABLE, text)
        line = f"{cause.code}: {cause.text}"
        return review.deny(case.request.uid, line, explain.fields([cause]), case.request.name)

    def _unreadable(self, uid: str, text: str) -> bytes:
        metrics.ADMISSIONS.labels("refused").inc()
        metrics.REFUSALS.labels(verdict.UNREADABLE).inc()
        log.warning("refused", extra={"codes": [verdict.UNREADABLE], "line": text})
        cause = Refused(verdict.UNREADABLE, text)
        return review.deny(uid, f"{cause.code}: {cause.text}", explain.fields([cause]), "")


def _place(request: Request) -> dict[str, object]:
    return {
        "namespace": request.namespace,
        "pod": request.name,
        "user": request.username,
        "operation": request.operation,
        "dry_run": request.dry_run,
    }
