"""What follows a refusal once its answer is given: the Event that people find, and the nudge when there is room.

Neither is ever waited for, and no fault in them ends a replica.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final

from labquota.quota import verdict
from labquota.quota.cases import Case
from labquota.quota.trust import Trust
from labquota.webhook.nudging import Nudger
from labquota.webhook.telling import Teller

log = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 1.0
_NOT_FOR_LACK: Final = frozenset({verdict.TOO_SLOW, verdict.UNAVAILABLE, verdict.NOT_REQUESTED, verdict.DRA})
"""Refused for what nobody's budget can help."""


class Aftercare:
    """Hands on the refusals of pods that controllers make.

    Args:
        trust: Who makes pods for others; a controller reference that anybody else writes could lead anywhere.
        teller: Writes Events.
        nudger: Asks to try again.
    """

    def __init__(self, trust: Trust, teller: Teller, nudger: Nudger) -> None:
        self._trust, self._teller, self._nudger = trust, teller, nudger

    async def run(self) -> None:
        """Do both, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_kept(self._teller.run))
            tasks.create_task(_kept(self._nudger.run))

    def refused(self, case: Case, codes: Collection[str], line: str) -> None:
        """Take note of a refusal, whosever it is; nothing is waited for.

        Args:
            case: The request.
            codes: Of its reasons.
            line: What its requester reads.
        """
        request = case.request
        if request.operation != "CREATE" or request.dry_run or request.pod.metadata.maker is None:
            return
        if not self._trust.hands_on(request.username):
            return
        self._teller.refused(request, line)
        if _NOT_FOR_LACK.isdisjoint(codes):
            self._nudger.refused(case)


async def _kept(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Begin again after a fault."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("a fault after a refusal")
            await asyncio.sleep(_AGAIN_SECONDS)
