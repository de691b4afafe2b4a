"""From case to verdict: requests of one owner queue up, and one worker serves them a batch at a time.

    judge() ──► queue of the owner ──► _Worker: start from the newest copy ──► decide each, in order
                                          ▲                                        │ refused on a copy?
                                          │ conflict, with jitter                  ▼
                                          └────────── one compare-and-swap ◄── one quorum read

An allowed pod's reservation is stored before its answer is given. A refusal writes nothing, so no compare guards
it: it is given only on a ledger that was read afresh after the request arrived.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Final

from labquota import metrics
from labquota.clock import Clock
from labquota.kube import errors, ledgers
from labquota.kube.ledgers import Ledgers, Stored
from labquota.kube.marker import Pulse
from labquota.quota import admission, verdict
from labquota.quota.admission import Case, Verdict
from labquota.quota.encoding import LedgerError
from labquota.quota.ledger import Book
from labquota.quota.owners import Owner
from labquota.quota.verdict import Refused

CROWDED: Final = 200
"""Open reservations above which a replica lets the operator write first."""
_PATIENCE: Final = 4.0
"""Seconds after which a call to the API server without an answer is an outage and not a queue."""
_AWAY: Final = "no operator frees what finished pods held, so a refusal may be wrong"
_STARTING: Final = 3.0
"""Seconds for which an API server that has just started refuses whom it does not know yet (401, 403)."""


class Outage(Exception):  # noqa: N818  the field's word for it
    """No verdict: what it takes to judge cannot be reached. Nothing that a user does may end in this."""


class _Moved(Exception):  # noqa: N818  what happened to the request
    """The request's pod belongs to another owner than when it began to queue."""


Current = Callable[[], Case]
"""A request's case by the rules as they are known at the moment of the call."""


class _Waiting:
    """One request in an owner's queue."""

    __slots__ = ("abandoned", "answer", "current")

    def __init__(self, current: Current, answer: asyncio.Future[Verdict]) -> None:
        self.current = current
        self.answer = answer
        self.abandoned = False

    def tell(self, verdict: Verdict) -> None:
        if not self.answer.done():
            self.answer.set_result(verdict)

    def fail(self, reason: Outage | _Moved) -> None:
        if not self.answer.done():
            self.answer.set_exception(reason)


class Admissions:
    """The queues of all owners in one replica.

    Args:
        store: The ledgers.
        pulse: Whether an operator has folded the cluster, and still does.
        clock: For deadlines.
        rng: Jitter after conflicts, so that replicas do not meet again.
    """

    def __init__(self, store: Ledgers, pulse: Pulse, clock: Clock, rng: random.Random) -> None:
        self._store, self._pulse, self._clock, self._rng = store, pulse, clock, rng
        self._workers: dict[Owner, _Worker] = {}
        self.conflicts = 0
        self.swaps = 0

    async def judge(self, current: Current, seconds: float) -> Verdict:
        """The verdict on a request; its reservation is stored when this returns.

        Args:
            current: What is known without the ledger; asked again whenever the request is judged, since limits may
                change while it queues.
            seconds: How long there is until an answer is due.

        Raises:
            Outage: The API server or the operator is away.
        """
        until = self._clock.monotonic() + seconds
        while True:
            try:
                return await self._judge(current, until - self._clock.monotonic())
            except _Moved:
                continue

    async def _judge(self, current: Current, seconds: float) -> Verdict:
        owner = current().owner
        worker = self._workers.get(owner)
        if worker is None:
            worker = self._workers[owner] = _Worker(self, owner)
        waiting = worker.take(current)
        try:
            return await asyncio.wait_for(asyncio.shield(waiting.answer), seconds)
        except TimeoutError:
            waiting.abandoned = True
            waiting.answer.cancel()
            if worker.outage:
                raise Outage(worker.outage) from None
            text = f"requests of {owner} queue for longer than the API server waits; send fewer at once"
            return Verdict(allowed=False, causes=(Refused(verdict.TOO_SLOW, text),))

    async def read(self, owner: Owner) -> Stored:
        """A ledger as of now; a blank one where there is none and a marker says that this means no pods."""
        stored = await self._store.read(owner)
        if stored is None:
            if not await self._pulse.is_complete():
                raise Outage(f"no operator has folded the cluster yet, so what {owner} holds is not known")
            stored = ledgers.blank(owner)
        return stored

    def forget(self, owner: Owner) -> None:
        """A worker has run out of work."""
        self._workers.pop(owner, None)

    @property
    def store(self) -> Ledgers:
        """The ledgers."""
        return self._store

    async def operator_is_away(self) -> bool:
        """Whether nothing is being freed at present."""
        return not await self._pulse.beats()

    async def pause(self, longest: float) -> None:
        """Wait a random while, so that whoever conflicts does not meet again."""
        await asyncio.sleep(self._rng.random() * longest)

    def count_swap(self) -> None:
        """A swap is sent."""
        self.swaps += 1
        metrics.SWAPS.inc()

    def count_conflict(self) -> None:
        """A swap has lost against another writer."""
        self.conflicts += 1
        metrics.CONFLICTS.inc()

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock.monotonic()


class _Worker:
    """Serves one owner's queue, one batch after the other, until it is empty."""

    def __init__(self, admissions: Admissions, owner: Owner) -> None:
        self._of, self._owner = admissions, owner
        self._queue: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self._calling_since: float | None = None
        self._failure = ""
        self._unknown_since: float | None = None

    def take(self, current: Current) -> _Waiting:
        waiting = _Waiting(current, asyncio.get_running_loop().create_future())
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
        batch: list[_Waiting] = []
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
            self._of.forget(self._owner)

    async def _serve(self, batch: list[_Waiting]) -> None:
        """Judge a batch until its reservations are stored and its refusals rest on a fresh read."""
        stored, fresh = self._of.store.copy(self._owner), False
        conflicts = 0
        while batch := self._mine(batch):
            try:
                if stored is None:
                    stored, fresh = await self._call_read(), True
                    batch = self._mine(batch)
                book = Book(stored.ledger)
                verdicts = [_decide(waiting.current(), book) for waiting in batch]
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

    def _mine(self, batch: list[_Waiting]) -> list[_Waiting]:
        """Those who still wait, and for this owner's ledger: for the others nothing is to be reserved here."""
        mine = []
        for waiting in _live(batch):
            if waiting.current().owner == self._owner:
                mine.append(waiting)
            else:
                waiting.fail(_Moved())
        return mine

    async def _call_read(self) -> Stored:
        self._calling_since = self._of.now()
        stored = await self._of.read(self._owner)
        self._calling_since, self._failure = None, ""
        return stored

    async def _call_swap(self, stored: Stored, book: Book) -> None:
        self._calling_since = self._of.now()
        self._of.count_swap()
        await self._of.store.swap(stored, book.close())
        self._calling_since, self._failure = None, ""

    async def _may_try_again(self, error: Exception, batch: list[_Waiting]) -> bool:
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

    async def _answer(self, batch: list[_Waiting], verdicts: list[Verdict]) -> None:
        doubtful = []
        for waiting, judged in zip(batch, verdicts, strict=True):
            if not judged.allowed and any(_is_aggregate(cause.code) for cause in judged.causes):
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


def _live(batch: list[_Waiting]) -> list[_Waiting]:
    """Those who still wait."""
    return [waiting for waiting in batch if not waiting.abandoned]


def _decide(case: Case, book: Book) -> Verdict:
    """Judge one case, and let what is allowed join the book unless it is a dry run."""
    judged = admission.decide(case, book)
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
