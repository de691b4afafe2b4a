"""Leading: the Lease, its epoch, and the marker that tells replicas that the cluster is folded and still is."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from labquota import metrics
from labquota.controllers.expiring import Expiry
from labquota.controllers.folding import Folder
from labquota.controllers.history import History
from labquota.controllers.pods import Pods
from labquota.kube import errors, marker
from labquota.kube.errors import Lost
from labquota.kube.lease import Lease
from labquota.kube.ledgers import Ledgers
from labquota.kube.marker import Crd
from labquota.quota.ledger import EMPTY

log = logging.getLogger(__name__)

_BEAT_SECONDS: Final = 2.0
_EMPTY_SECONDS: Final = 86_400.0
_SWEEP_SECONDS: Final = 60.0


class Leader:
    """What the holder of the Lease does, from taking over to losing it.

    Args:
        lease: The Lease.
        folder: Folds ledgers.
        expiry: Gives reservations up.
        view: The pods.
        store: The ledgers.
        crd: The OwnerLedger CRD as it exists now.
        history: Whether the view is of the API server's present.
        empty_seconds: After how long an empty ledger is removed.
    """

    def __init__(
        self,
        lease: Lease,
        folder: Folder,
        expiry: Expiry,
        view: Pods,
        store: Ledgers,
        crd: Crd,
        history: History,
        empty_seconds: float = _EMPTY_SECONDS,
    ) -> None:
        self._lease, self._folder, self._expiry = lease, folder, expiry
        self._view, self._store, self._crd, self._history = view, store, crd, history
        self._empty_seconds = empty_seconds
        self._beat = 0
        self._whole = ""
        """The OwnerLedger CRD all of whose ledgers this epoch has folded; empty until it has."""
        self._empty_since: dict[str, float] = {}

    async def acquire(self) -> int:
        """Wait for the Lease; its epoch is above that of every ledger."""
        return await self._lease.acquire(self._next_epoch)

    async def lead(self, epoch: int) -> None:
        """Fold the whole cluster, then whatever changes, until cancelled.

        Raises:
            ExceptionGroup: With Lost in it: somebody else leads.
        """
        metrics.LEADER.set(1)
        self._whole, self._folded = "", asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._folder.run(epoch))
                tasks.create_task(self._history.follow())
                tasks.create_task(self._beats())
                tasks.create_task(self._expiry.run(self._folder))
                tasks.create_task(self._sweeps())
                tasks.create_task(self._whole_cluster())
        finally:
            metrics.LEADER.set(0)

    def _next_epoch(self) -> int:
        return max((each.ledger.epoch for each in self._store.copies.values()), default=0) + 1

    async def release(self) -> None:
        """Let a standby take over at once."""
        await self._lease.release()

    async def _whole_cluster(self) -> None:
        """Fold every owner once in this epoch, then again whenever the ledgers' CRD is another one."""
        await self._history.catch_up()
        while True:
            crd_uid = self._crd.uid
            await self._folder.fold_all({*self._view.owners(), *self._store.copies})
            if crd_uid == self._crd.uid:
                self._whole = crd_uid
                self._folded.set()
                log.info("the whole cluster is folded", extra={"owners": len(self._store.copies)})
            while crd_uid == self._crd.uid:  # noqa: ASYNC110  it changes once in years
                await asyncio.sleep(1.0)
            self._whole = ""

    async def _beats(self) -> None:
        """Renew the Lease; while folding goes on, its heartbeat says so, and once all is folded its marker does."""
        while True:
            self._beat += 1
            annotations: Mapping[str, str] = {}
            if not self._folder.is_stuck():
                annotations = marker.heartbeat(self._beat)
                if self._whole:
                    annotations = marker.of(self._view.version, self._whole, self._beat)
            await self._lease.renew(annotations)
            metrics.PODS.set(len(self._view.by_uid))
            metrics.OWNERS.set(len(self._view.by_owner))
            with suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_SECONDS):
                    await self._folded.wait()  # told at once: replicas wait for it
            self._folded.clear()

    async def _sweeps(self) -> None:
        """Remove ledgers that have been empty for a day."""
        while True:
            await asyncio.sleep(min(_SWEEP_SECONDS, self._empty_seconds))
            now = asyncio.get_running_loop().time()
            empty = {
                owner
                for owner, copy in self._store.copies.items()
                if copy.ledger.folded == EMPTY.folded
                and not copy.ledger.reservations
                and not copy.ledger.advances
            }
            self._empty_since = {owner: self._empty_since.get(owner, now) for owner in empty}
            for owner in sorted(empty):
                if now - self._empty_since[owner] < self._empty_seconds:
                    continue
                stored = self._store.copy(owner)
                if stored is not None and owner not in self._view.by_owner:
                    try:
                        await self._store.remove(stored)
                    except Lost:
                        raise
                    except errors.KubeError as error:
                        log.info("an empty ledger stays", extra={"owner": owner, "error": str(error)})
