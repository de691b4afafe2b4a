"""Reservations whose pod was never stored, refused after us or lost on the way; and advances of replicas that are gone.

Once a reservation is older than the longest a create can take, by our own monotonic clock since we first saw it, one
current resourceVersion is taken by a quorum read. When the view has passed that and still does not show the pod, it
can never be stored. An advance lapses in the same way, later by the time for which its holder may give out of it: by
then whatever was let through from it is in the view. Standbys watch ledgers too, so that a takeover keeps these clocks.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from labquota.clock import Clock
from labquota.controllers.folding import Folder
from labquota.controllers.pods import Pods
from labquota.controllers.settling import Key, is_settled, key, key_of
from labquota.kube import versions
from labquota.kube.errors import KubeError
from labquota.kube.ledgers import Ledgers
from labquota.quota.advances import LAPSED_SECONDS
from labquota.quota.owners import Owner

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
_VIEW_SECONDS: Final = 10.0


class Expiry:
    """Finds the reservations that can never be stored and gives them up.

    Args:
        store: The ledgers.
        view: The pods.
        clock: Measures the age of reservations.
        seconds: The longest a create or resize can take.
        current: The pods' resourceVersion by a quorum read.
        hurry: Asks the informers of pods and holds for a bookmark soon.
        holds: The holds' resourceVersion by a quorum read, where holds are watched.
    """

    def __init__(
        self,
        store: Ledgers,
        view: Pods,
        clock: Clock,
        seconds: float,
        current: Callable[[], Awaitable[str]],
        hurry: Callable[[], None],
        holds: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._store, self._view, self._clock, self._seconds = store, view, clock, seconds
        self._current, self._hurry, self._holds = current, hurry, holds
        self._first_seen: dict[Owner, dict[Key, float]] = {}

    def note(self, owner: Owner) -> None:
        """A newer copy of an owner's ledger is known: start the clocks of new reservations, forget those that left."""
        copy = self._store.copy(owner)
        known = self._first_seen.pop(owner, {})
        if copy is not None and (copy.ledger.reservations or copy.ledger.advances):
            now = self._clock.monotonic()
            keys = (*map(key, copy.ledger.reservations), *map(key_of, copy.ledger.advances))
            self._first_seen[owner] = {each: known.get(each, now) for each in keys}

    async def run(self, folder: Folder) -> None:
        """Give up what is overdue and unseen, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            overdue = self._overdue()
            for owner in [owner for owner, keys in overdue.items() if not keys]:
                folder.touch(owner, freed=True)  # settled by something that changed no sum
                del overdue[owner]
            try:
                if overdue and await self._view_is_current(overdue):
                    for owner, keys in overdue.items():
                        folder.given_up |= keys
                        folder.touch(owner, freed=True)
            except KubeError as error:
                log.warning("reservations cannot be given up now", extra={"error": str(error)})

    def _overdue(self) -> dict[Owner, set[Key]]:
        """Owners with overdue reservations or advances, and those of them that the view does not answer."""
        latest = self._clock.monotonic() - self._seconds
        found: dict[Owner, set[Key]] = {}
        for owner, seen in self._first_seen.items():
            old = {each: since for each, since in seen.items() if since <= latest}
            copy = self._store.copy(owner) if old else None
            if copy is None:
                continue
            late = [each for each in copy.ledger.reservations if key(each) in old]
            lapsed = {
                each
                for each in map(key_of, copy.ledger.advances)
                if old.get(each, latest) <= latest - LAPSED_SECONDS
            }
            if late or lapsed:
                unseen = {key(each) for each in late if not is_settled(each, owner, self._view, ())}
                found[owner] = unseen | lapsed
        return found

    def _of_holds(self, owners: Iterable[Owner]) -> bool:
        """Whether somebody's ledger has a reservation for a hold."""
        copies = filter(None, map(self._store.copy, owners))
        return any(each.is_hold for copy in copies for each in copy.ledger.reservations)

    async def _view_is_current(self, owners: Iterable[Owner]) -> bool:
        """Wait until the view has passed what the API server has now, of holds too if that is to tell of any."""
        target = await self._current()
        holds = "" if self._holds is None or not self._of_holds(owners) else await self._holds()
        until = self._clock.monotonic() + _VIEW_SECONDS
        while versions.newer(target, self._view.version) or versions.newer(holds, self._view.holds_version):
            if self._clock.monotonic() > until:
                return False
            self._hurry()
            await asyncio.sleep(0.1)
        return True
