"""One request in an owner's queue: how it is judged against a book, and what is said to it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from labquota.quota import admission, verdict
from labquota.quota.admission import Case, Verdict
from labquota.quota.ledger import Book
from labquota.quota.owners import Owner
from labquota.quota.verdict import Refused
from labquota.webhook.means import Outage

log = logging.getLogger(__name__)

UNJUDGED: Final = "this request cannot be judged; the administrator finds the reason in labquota's log"

Current = Callable[[], Case]
"""A request's case by the rules as they are known at the moment of the call."""


class Moved(Exception):  # noqa: N818  what happened to the request
    """The request's pod belongs to another owner than when it began to queue."""


class Waiting:
    """One request in an owner's queue."""

    __slots__ = ("_current", "abandoned", "answer", "case")

    def __init__(self, current: Current, answer: asyncio.Future[Verdict]) -> None:
        self._current = current
        self.answer = answer
        self.abandoned = False
        self.case: Case | None = None
        """As it was judged last; None where it cannot be judged."""

    def tell(self, verdict: Verdict) -> None:
        """Give the verdict, if it is still waited for."""
        if not self.answer.done():
            self.answer.set_result(verdict)

    def fail(self, reason: Outage | Moved) -> None:
        """Say why there is no verdict, if one is still waited for."""
        if not self.answer.done():
            self.answer.set_exception(reason)

    def owner(self) -> Owner | None:
        """Whose pod it is by now; None where a bug keeps that from being found out, which `judge` answers."""
        try:
            return self._current().owner
        except Exception:  # noqa: BLE001  as in judge, which logs it
            return None

    def judge(self, book: Book) -> Verdict:
        """Judge the request, and let what is allowed join the book unless it is a dry run."""
        self.case = None
        try:
            case = self._current()
            judged = admission.decide(case, book)
        except Exception:  # a bug that a pod can set off is no outage, and no reason to let that pod through
            log.exception("a request cannot be judged")
            return Verdict(allowed=False, causes=(Refused(verdict.UNREADABLE, UNJUDGED),))
        self.case = case
        if judged.allowed and not case.request.dry_run:
            if judged.reservation is not None:
                book.join(judged.reservation)
            if case.user_groups is not None:
                book.groups = case.user_groups
        return judged
