"""From case to verdict: out of the advance, or requests of one owner queue up and are served a batch at a time.

judge() ──► purse: the advance, nothing to write
   │
   └──────► queue of the owner ──► Worker: start from the newest copy ──► decide each, in order
                                      ▲                                        │ refused on a copy?
                                      │ conflict, with jitter                  ▼
                                      └────────── one compare-and-swap ◄── one quorum read
"""

import asyncio

from labquota.clock import Clock
from labquota.quota import verdict
from labquota.quota.admission import Case, Verdict
from labquota.quota.owners import Owner
from labquota.quota.verdict import Refused
from labquota.webhook.means import Means, Outage
from labquota.webhook.waiting import Current, Moved
from labquota.webhook.worker import Worker


class Admissions:
    """The queues of all owners in one replica.

    Args:
        means: What their workers work with.
        clock: For deadlines.
    """

    def __init__(self, means: Means, clock: Clock) -> None:
        self._means, self._clock = means, clock
        self._workers: dict[Owner, Worker] = {}

    def give(self, case: Case) -> Verdict | None:
        """Let a pod through from an advance, at once; None where the ledger must be asked."""
        worker = self._workers.get(case.owner)
        return None if worker is None else worker.give(case)

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
            except Moved:
                continue

    async def _judge(self, current: Current, seconds: float) -> Verdict:
        case = current()
        if given := self.give(case):
            return given
        owner = case.owner
        worker = self._workers.get(owner)
        if worker is None:
            worker = self._workers[owner] = Worker(self._means, owner, self._forget)
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

    def told(self, owner: Owner) -> None:
        """A newer copy of an owner's ledger is known."""
        if worker := self._workers.get(owner):
            worker.told()

    async def close(self, seconds: float) -> None:
        """Write down what was given out of advances and give them back, as far as there is time."""
        closing = [asyncio.ensure_future(worker.close()) for worker in self._workers.values()]
        if closing:
            await asyncio.wait(closing, timeout=seconds)

    def _forget(self, owner: Owner) -> None:
        self._workers.pop(owner, None)
