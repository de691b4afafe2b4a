"""Publishing OwnerUsage, at most once a second for one owner, and only when something has changed."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

import msgspec

from labquota import metrics
from labquota.api import API_VERSION, OwnerUsage
from labquota.controllers.budgets import Budgets
from labquota.controllers.pacing import Pace, Rank
from labquota.controllers.pods import Pods
from labquota.kube import errors
from labquota.kube.api import JSON_PATCH, Api
from labquota.kube.ledgers import Ledgers, Stored
from labquota.quota import owners
from labquota.quota.owners import Owner

log = logging.getLogger(__name__)

PATH: Final = f"/apis/{API_VERSION}/ownerusages"
_SECONDS: Final = 1.0


class Usage:
    """Publishes OwnerUsage objects; also the sink of the informer on them.

    Args:
        api: The API server.
        view: The pods.
        store: The ledgers.
        budgets: What there is to say about an owner.
        pace: The operator's budget of writes.
    """

    def __init__(self, api: Api, view: Pods, store: Ledgers, budgets: Budgets, pace: Pace) -> None:
        self._api, self._view, self._store, self._budgets = api, view, store, budgets
        self._pace = pace
        self._published: dict[Owner, OwnerUsage] = {}
        self._dirty: set[Owner] = set()
        self._wake = asyncio.Event()

    def touch(self, owner: Owner) -> None:
        """Something that this owner's budget shows has changed."""
        self._dirty.add(owner)
        self._wake.set()

    def folded(self, stored: Stored, bypassed: set[str]) -> None:
        """A ledger was folded; `bypassed` are pods that the view shows and that never had a reservation."""
        if bypassed and (names := self._budgets.note_bypassed(stored, bypassed)):
            metrics.BYPASSED.inc(len(bypassed))
            log.error("pods passed the webhook", extra={"owner": stored.owner, "pods": names})
        self.touch(stored.owner)

    async def run(self) -> None:
        """Publish what has changed, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            dirty, self._dirty = self._dirty, set()
            for owner in sorted(dirty):
                try:
                    await self._publish(owner)
                except errors.KubeError as error:
                    log.warning("OwnerUsage cannot be written", extra={"owner": owner, "error": str(error)})
                    self.touch(owner)
            metrics.OVER_LIMIT.set(len(self.over_limit()))
            await asyncio.sleep(_SECONDS)

    def over_limit(self) -> list[Owner]:
        """Owners that hold more than a limit."""
        return [owner for owner, usage in self._published.items() if usage.status.over_limit]

    async def _publish(self, owner: Owner) -> None:
        known = self._published.get(owner)
        stored = self._store.copy(owner)
        if stored is None and owner not in self._view.by_owner:
            if known is not None:
                await self._api.delete(f"{PATH}/{known.metadata.name}")
            return
        status = self._budgets.status(owner, stored, known.status.conditions if known else ())
        if known is not None and known.status == status:
            return
        await self._pace.turn(Rank.REPORT)
        name = owners.object_name(owner)
        if known is None:
            body = {"apiVersion": API_VERSION, "kind": "OwnerUsage", "metadata": {"name": name}}
            with suppress(errors.AlreadyExists):
                await self._api.create(PATH, msgspec.json.encode({**body, "spec": {"owner": owner}}))
        # a JSON patch, since a merge patch would keep keys that are gone
        patch = [{"op": "add", "path": "/status", "value": status}]
        answer = await self._api.patch(f"{PATH}/{name}/status", msgspec.json.encode(patch), JSON_PATCH)
        self._published[owner] = msgspec.json.decode(answer, type=OwnerUsage)

    def replaced(self, items: list[OwnerUsage], resource_version: str) -> None:
        """Take the whole set of what is published."""
        del resource_version
        self._published = {Owner(item.spec.owner): item for item in items}

    def changed(self, kind: str, item: OwnerUsage, resource_version: str) -> None:
        """Take one change; what somebody else wrote or removed is put right."""
        del resource_version
        owner = Owner(item.spec.owner)
        if kind == "DELETED":
            self._published.pop(owner, None)
        else:
            self._published[owner] = item
        self.touch(owner)

    def progressed(self, resource_version: str) -> None:
        """Nothing to do."""
