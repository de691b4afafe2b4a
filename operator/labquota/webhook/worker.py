"""One owner's worker: it serves the owner's queue, a batch at a time, until the queue is empty.

An allowed pod's reservation is stored before its answer is given. A refusal writes nothing, so no compare guards
it: it is given only on a ledger that was read afresh after the request arrived.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from labquota.kube import errors, ledgers
from labquota.kube.ledgers import Stored
from labquota.quota import admission, verdict
from labquota.quota.admission import Case, Verdict
from labquota.quota.encoding import LedgerError
from labquota.quota.ledger import Book
from labquota.quota.owners import Owner
from labquota.quota.verdict import Refused
from labquota.webhook.means import Means, Outage

log = logging.getLogger(__name__)

UNJUDGED: Final = "this request cannot be judged; the administrator finds the reason in labquota's log"
CROWDED: Final = 200
"""Open reservations above which a replica lets the operator write first."""
_PATIENCE: Final = 4.0
"""Seconds after which a call to the API server without an answer is an outage and not a queue."""
_AWAY: Final = "no operator frees what finished pods held, so a refusal may be wrong"
_STARTING: Final = 3.0
"""Seconds for which an API server that has just started refuses whom it does not know yet (401, 403)."""


class Moved(Exception):  # noqa: N818  what happened to the request
    """The request's pod belongs to another owner than when it began to queue."""


Current = Callable[[], Case]
"""A request's case by the rules as they are known at the moment of the call."""


class Waiting:
    """One request in an owner's queue."""

    __slots__ = ("abandoned", "answer", "current")

    def __init__(self, current: Current, answer: asyncio.Future[Verdict]) -> None:
        self.current = current
        self.answer = answer
        self.abandoned = False

    def tell(self, verdict: Verdict) -> None:
        """Give the verdict, if it is still waited for."""
        if not self.answer.done():
            self.answer.set_result(verdict)

    def fail(self, reason: Outage | Moved) -> None:
        """Say why there is no verdict, if one is still waited for."""
        if not self.answer.done():
            self.answer.set_exception(reason)


class Worker:
    """Serves one owner's queue, one batch after the other, until it is empty.

    Args:
        means: What it works with.
        owner: Whose ledger it writes.
        forget: Called when the queue is empty.
    """

    def __init__(self, means: Means, owner: Owner, forget: Callable[[Owner], None]) -> None:
        self._of, self._owner, self._forget = means, owner, forget
        self._queue: deque[Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self._calling_since: float | None = None
        self._failure = ""
        self._unknown_since: float | None = None

    def take(self, current: Current) -> Waiting:
        """Put a request into the queue."""
        waiting = Waiting(current, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return waiting

    @property
    def outage(self) -> str:
        """Why the API server counts as away; empty while the queue alone is to blame for waiting."""
        if self._failure:
            return self._failure
        if self._calling_since is not None and self._of.now() - self._calling_since > _PATIENCE:
            return "the API server does not answer"
        return ""

    async def _run(self) -> None:
        batch: list[Waiting] = []
        try:
            while self._queue:
                batch = [waiting for waiting in self._queue if not waiting.abandoned]
                self._queue.clear()
                await self._serve(batch)
        except Exception as error:  # noqa: BLE001  a bug must not leave requests without an answer
            for waiting in (*batch, *self._queue):
                waiting.fail(Outage(f"{type(error).__name__}: {error}"))
            self._queue.clear()
        finally:
            self._forget(self._owner)

    async def _serve(self, batch: list[Waiting]) -> None:
        """Judge a batch until its reservations are stored and its refusals rest on a fresh read."""
        stored, fresh = self._of.store.copy(self._owner), False
        conflicts = 0
        while batch := self._mine(batch):
            try:
                if stored is None:
                    stored, fresh = await self._call_read(), True
                    batch = self._mine(batch)
                book = self._of.open(stored)
                verdicts = [_decide(waiting, book) for waiting in batch]
                if not fresh and not all(verdict.allowed for verdict in verdicts):
                    stored = None
                    continue
                if _differs(book, stored):
                    if len(book) > CROWDED and conflicts == 0:
                        await self._of.pause(0.2)
                    await self._call_swap(stored, book)
            except errors.Conflict:
                conflicts += 1
                self._of.count_conflict()
                stored, fresh = None, False
                await self._of.pause(min(0.004 * conflicts, 0.05))
            except (errors.KubeError, LedgerError, Outage) as error:
                stored, fresh = None, False
                if not await self._may_try_again(error, batch):
                    return
            else:
                await self._answer(batch, verdicts)
                return

    def _mine(self, batch: list[Waiting]) -> list[Waiting]:
        """Those who still wait, and for this owner's ledger: for the others nothing is to be reserved here."""
        mine = []
        for waiting in _live(batch):
            if _owner(waiting) in (self._owner, None):
                mine.append(waiting)
            else:
                waiting.fail(Moved())
        return mine

    async def _call_read(self) -> Stored:
        self._calling_since = self._of.now()
        stored = await self._of.read(self._owner)
        self._calling_since, self._failure = None, ""
        return stored

    async def _call_swap(self, stored: Stored, book: Book) -> None:
        self._calling_since = self._of.now()
        await self._of.write(stored, book)
        self._calling_since, self._failure, self._unknown_since = None, "", None

    async def _may_try_again(self, error: Exception, batch: list[Waiting]) -> bool:
        """After a failure: whether another try may help. If not, the batch has been told."""
        self._calling_since, self._failure = None, str(error)
        if isinstance(error, errors.Unreachable) or (
            isinstance(error, errors.ApiError) and error.status >= 500
        ):
            await asyncio.sleep(0.1)
            await self._of.pause(0.4)
            return True
        if isinstance(error, errors.ApiError) and error.status == 429:
            await asyncio.sleep(min(error.retry_after or 1.0, 1.0))
            return True
        if isinstance(error, errors.ApiError) and error.status in (401, 403):
            if self._unknown_since is None:
                self._unknown_since = self._of.now()
            if self._of.now() - self._unknown_since < _STARTING:
                await self._of.pause(0.5)
                return True
        for waiting in batch:
            if isinstance(error, ledgers.NameTaken):
                waiting.tell(Verdict(allowed=False, causes=(Refused(verdict.UNREADABLE, str(error)),)))
            else:
                waiting.fail(Outage(str(error)))
        return False

    async def _answer(self, batch: list[Waiting], verdicts: list[Verdict]) -> None:
        doubtful = []
        for waiting, judged in zip(batch, verdicts, strict=True):
            if not judged.allowed and all(_is_aggregate(cause.code) for cause in judged.causes):
                doubtful.append((waiting, judged))
            else:
                waiting.tell(judged)
        if not doubtful:
            return
        self._failure = _AWAY  # for those whose deadline comes before the operator's sign of life
        away = await self._of.operator_is_away()
        self._failure = ""
        for waiting, judged in doubtful:
            if away:
                waiting.fail(Outage(_AWAY))
            else:
                waiting.tell(judged)


def _live(batch: list[Waiting]) -> list[Waiting]:
    """Those who still wait."""
    return [waiting for waiting in batch if not waiting.abandoned]


def _owner(waiting: Waiting) -> Owner | None:
    """Whose pod it is by now; None where a bug keeps that from being found out, which `_decide` answers."""
    try:
        return waiting.current().owner
    except Exception:  # noqa: BLE001  as in _decide, which logs it
        return None


def _decide(waiting: Waiting, book: Book) -> Verdict:
    """Judge one request, and let what is allowed join the book unless it is a dry run."""
    try:
        case = waiting.current()
        judged = admission.decide(case, book)
    except Exception:  # a bug that a pod can set off is no outage, and no reason to let that pod through
        log.exception("a request cannot be judged")
        return Verdict(allowed=False, causes=(Refused(verdict.UNREADABLE, UNJUDGED),))
    if judged.allowed and not case.request.dry_run:
        if judged.reservation is not None:
            book.join(judged.reservation)
        if case.user_groups is not None:
            book.groups = case.user_groups
    return judged


def _differs(book: Book, stored: Stored) -> bool:
    return len(book) != len(stored.ledger.reservations) or book.groups != stored.ledger.groups


def _is_aggregate(code: str) -> bool:
    return code.startswith("AGGREGATE_") or code == verdict.TOO_MANY
