"""Whether the view of pods is of the API server's present: behind it, or of a history that a restore of etcd has ended.

The API server's own watch does not tell: it waits for a version of the future, and says nothing meanwhile.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from labquota.controllers.pods import Pods
from labquota.kube import errors, versions
from labquota.kube.errors import Lost

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1


class History:
    """Compares the view with a quorum read.

    Args:
        view: The pods.
        current: The pods' resourceVersion by a quorum read.
        hurry: Asks the pod informer for a bookmark soon.
        relist: Makes the informers of pods, holds and ledgers take the whole set anew.
        holds: Takes the whole set of holds anew, where they are watched: there it is so quiet that a bookmark would
            have to be waited for longer.
    """

    def __init__(
        self,
        view: Pods,
        current: Callable[[], Awaitable[str]],
        hurry: Callable[[], None],
        relist: Callable[[], None],
        holds: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._view, self._current, self._hurry, self._relist = view, current, hurry, relist
        self._holds = holds

    async def catch_up(self) -> None:
        """Wait until the view is of the present: no older than now, and of no history that has ended."""
        while True:
            try:
                if not await self._has_ended():
                    await self._reach(await self._current())
                    if self._holds is not None:
                        await self._holds()
                    return
                self._relist()
            except errors.KubeError as error:
                log.warning("the present cannot be read", extra={"error": str(error)})
            await asyncio.sleep(1.0)

    async def follow(self) -> None:
        """Look now and then, until cancelled.

        Raises:
            Lost: The history that the view is of has ended: a new epoch has to begin.
        """
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                ended = await self._has_ended()
            except errors.KubeError as error:
                log.warning("the present cannot be read", extra={"error": str(error)})
                continue
            if ended:
                self._relist()
                raise Lost("the view is of a history that a restore of etcd has ended")

    async def _has_ended(self) -> bool:
        seen = self._view.version  # before the read: in one history the read is not older
        return versions.newer(seen, await self._current())

    async def _reach(self, target: str) -> None:
        while versions.newer(target, self._view.version):
            self._hurry()
            await asyncio.sleep(_POLL_SECONDS)
