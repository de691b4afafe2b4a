"""One owner's worker: it serves the owner's queue, a batch at a time, and keeps the owner's purse.

An allowed pod's reservation is stored before its answer is given, or the pod is let through from an advance that
is stored already. A refusal writes nothing, so no compare guards it: it is given only on a ledger that was read afresh
after the request arrived, and not on account of an advance that another replica can give back.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from labquota.kube import errors, ledgers
from labquota.kube.ledgers import Stored
from labquota.quota import advances, verdict
from labquota.quota.admission import Case, Verdict
from labquota.quota.encoding import LedgerError
from labquota.quota.ledger import Book
from labquota.quota.owners import Owner
from labquota.quota.verdict import Refused
from labquota.webhook import recalling
from labquota.webhook.means import Means, Outage
from labquota.webhook.purse import BURST_SECONDS
from labquota.webhook.waiting import Current, Moved, Waiting

log = logging.getLogger(__name__)

WRITE_SECONDS: Final = 2.0
"""After which what was given out of an advance is written down."""
IDLE_SECONDS: Final = 3.0
"""After which an advance that nothing was given out of is given back."""
CROWDED: Final = 200
"""Open reservations above which a replica lets the operator write first."""
_CLOSING_SECONDS: Final = 0.1
"""Between two tries to give everything back."""
_PATIENCE: Final = 4.0
"""Seconds after which a call to the API server without an answer is an outage and not a queue."""
_AWAY: Final = "no operator frees what finished pods held, so a refusal may be wrong"
_STARTING: Final = 3.0
"""Seconds for which an API server that has just started refuses whom it does not know yet (401, 403)."""


class Worker:
    """Serves one owner's queue, one batch after the other, until it is empty and the purse too.

    Args:
        means: What it works with.
        owner: Whose ledger it writes.
        forget: Called when nothing is left to do.
    """

    def __init__(self, means: Means, owner: Owner, forget: Callable[[Owner], None]) -> None:
        self._of, self._owner, self._forget = means, owner, forget
        self._purse = means.purse()
        self._queue: deque[Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self._due = False
        self._timer: asyncio.TimerHandle | None = None
        self._calling_since: float | None = None
        self._failure = ""
        self._unknown_since: float | None = None

    def give(self, case: Case) -> Verdict | None:
        """Let a pod through from the advance, if there is one that it can be given for."""
        given = self._purse.give(case)
        if given is not None:
            if self._purse.is_low:
                self._write_now()
            else:
                self._write_in(WRITE_SECONDS)
        return given

    def take(self, current: Current) -> Waiting:
        """Put a request into the queue."""
        waiting = Waiting(current, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._start()
        return waiting

    def told(self) -> None:
        """A newer copy of the ledger is known: an advance that is recalled is given back, one that is gone is over."""
        if not self._purse.has_line or self._calling_since is not None:
            return  # a call that is under way finds out itself
        copy = self._of.store.copy(self._owner)
        ours = [each for each in copy.ledger.advances if each.is_of(self._of.holder)] if copy else []
        if any(each.recalled for each in ours) or (self._purse.has_grant and not ours):
            self._purse.rest()
            self._write_now()

    async def close(self) -> None:
        """Give the advance back, and write down what was given: this replica ends."""
        self._purse.rest(float("inf"))
        while not self._purse.is_empty:
            self._write_now()
            if self._task is not None:
                await asyncio.wait([self._task])
            await asyncio.sleep(_CLOSING_SECONDS)

    @property
    def outage(self) -> str:
        """Why the API server counts as away; empty while the queue alone is to blame for waiting."""
        if self._failure:
            return self._failure
        if self._calling_since is not None and self._of.now() - self._calling_since > _PATIENCE:
            return "the API server does not answer"
        return ""

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def _write_in(self, seconds: float) -> None:
        """Let the purse be written down within so many seconds."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._write_now()

    def _write_now(self) -> None:
        self._due = True
        self._start()

    def _plan_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _run(self) -> None:
        batch: list[Waiting] = []
        try:
            while self._queue or self._due:
                batch = [waiting for waiting in self._queue if not waiting.abandoned]
                self._queue.clear()
                due, self._due = self._due and not self._purse.is_empty, False
                if due:
                    self._plan_nothing()
                await self._serve(batch, due=due)
        except Exception as error:  # noqa: BLE001  a bug must not leave requests without an answer
            for waiting in (*batch, *self._queue):
                waiting.fail(Outage(f"{type(error).__name__}: {error}"))
            self._queue.clear()
        finally:
            self._task = None
            if not self._purse.is_empty:
                self._write_in(WRITE_SECONDS if self._purse.given else IDLE_SECONDS)
            elif self._purse.may_burst:
                self._write_in(BURST_SECONDS)
            else:
                self._plan_nothing()
                self._forget(self._owner)

    async def _serve(self, batch: list[Waiting], *, due: bool) -> None:
        """Judge a batch until its reservations are stored and its refusals rest on a fresh read.

        Args:
            batch: The requests.
            due: Whether the purse is to be written down even if none of them needs a write.
        """
        await self._let_the_operator_go_first()
        stored, fresh = self._of.store.copy(self._owner), False
        conflicts = 0
        while (batch := self._mine(batch)) or due:
            try:
                if stored is None:
                    stored, fresh = await self._call_read(), True
                    batch = self._mine(batch)
                # From here to the swap nothing may be waited for: what is given meanwhile would be in neither.
                book = self._of.open(stored)
                due = self._purse.settle(book) or due
                before = len(book), book.groups
                verdicts = [waiting.judge(book) for waiting in batch]
                if not fresh and not all(verdict.allowed for verdict in verdicts):
                    stored = None
                    continue
                put_off, recalled = self._recall(book, batch, verdicts)
                if due or put_off or before != (len(book), book.groups):
                    await self._call_swap(stored, book, batch, verdicts)
            except errors.Conflict:
                conflicts += 1
                self._of.count_conflict()
                stored, fresh = None, False
                await self._of.pause(min(0.004 * conflicts, 0.05))
            except (errors.KubeError, LedgerError, Outage) as error:
                stored, fresh = None, False
                if not batch or not await self._may_try_again(error, batch):
                    return  # the purse is written down a little later
            else:
                due = False
                batch = await self._answer(batch, verdicts, put_off=put_off)
                if batch:
                    await self._of.until_given_back(self._owner, recalled)
                    stored, fresh = None, False

    async def _let_the_operator_go_first(self) -> None:
        copy = self._of.store.copy(self._owner)
        if copy is not None and len(copy.ledger.reservations) > CROWDED:
            await self._of.pause(0.2)

    def _recall(self, book: Book, batch: list[Waiting], verdicts: list[Verdict]) -> tuple[bool, set[str]]:
        """Whether to put refusals off, and the advances of others that were marked for it; ours is given up then."""
        given = self._purse.given.values()
        put_off, ids = recalling.needed(batch, verdicts, book, given, self._of.gone)
        if put_off:
            self._purse.rest()
            book.advances = tuple(advances.recall(each) if each.id in ids else each for each in book.advances)
        return put_off, ids

    def _mine(self, batch: list[Waiting]) -> list[Waiting]:
        """Those who still wait, and for this owner's ledger: for the others nothing is to be reserved here."""
        mine = []
        for waiting in batch:
            if waiting.abandoned:
                continue
            if waiting.owner() in (self._owner, None):
                mine.append(waiting)
            else:
                waiting.fail(Moved())
        return mine

    async def _call_read(self) -> Stored:
        self._calling_since = self._of.now()
        try:
            stored = await self._of.read(self._owner)
        finally:
            self._calling_since = None
        self._failure = ""
        return stored

    async def _call_swap(
        self, stored: Stored, book: Book, batch: list[Waiting], verdicts: list[Verdict]
    ) -> None:
        self._calling_since = self._of.now()
        pairs = zip(batch, verdicts, strict=True)
        self._purse.fill(book, [one.case for one, judged in pairs if judged.allowed and one.case is not None])
        try:
            await self._of.write(stored, book)
        finally:
            self._calling_since = None
        self._purse.stored(book)
        self._failure, self._unknown_since = "", None
        self._plan_nothing()  # what is left to do is planned at the end
        self.told()  # what the watch has shown meanwhile

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

    async def _answer(self, batch: list[Waiting], verdicts: list[Verdict], *, put_off: bool) -> list[Waiting]:
        """Give the verdicts; those who are refused are put off if an advance may come back for them."""
        doubtful = []
        for waiting, judged in zip(batch, verdicts, strict=True):
            if not judged.allowed and all(_is_aggregate(cause.code) for cause in judged.causes):
                doubtful.append((waiting, judged))
            else:
                waiting.tell(judged)
        if put_off:
            return [waiting for waiting, _ in doubtful]
        if not doubtful:
            return []
        self._failure = _AWAY  # for those whose deadline comes before the operator's sign of life
        away = await self._of.operator_is_away()
        self._failure = ""
        for waiting, judged in doubtful:
            if away:
                waiting.fail(Outage(_AWAY))
            else:
                waiting.tell(judged)
        return []


def _is_aggregate(code: str) -> bool:
    return code.startswith("AGGREGATE_") or code == verdict.TOO_MANY
