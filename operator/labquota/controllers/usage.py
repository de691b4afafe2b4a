"""Publishing OwnerUsage, at most once a second for one owner, and only when something has changed."""

import asyncio
import functools
import hashlib
import logging
import sys
from contextlib import suppress
from typing import Final

import msgspec

from labquota import metrics
from labquota.api import API_VERSION, Condition, OwnerUsage, OwnerUsageStatus
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


class Published(msgspec.Struct, gc=False, frozen=True):
    """What is published of one owner, as far as is needed to tell whether it is still so: a status has kilobytes.

    Attributes:
        digest: Of the whole status.
        over: Whether the owner holds more than a limit.
    """

    owner: Owner
    name: str
    digest: bytes
    over: bool
    conditions: tuple[Condition, ...]


_DECODER: Final = msgspec.json.Decoder(OwnerUsage)


def decode(raw: msgspec.Raw | bytes) -> Published:
    """An OwnerUsage as the API server sends it.

    Raises:
        msgspec.DecodeError: It is none.
    """
    found = _DECODER.decode(raw)
    status = found.status
    conditions = tuple(map(_shared, status.conditions))
    owner = Owner(sys.intern(found.spec.owner))
    return Published(owner, found.metadata.name, _digest(status), bool(status.over_limit), conditions)


def _digest(status: OwnerUsageStatus) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(status, order="deterministic"), digest_size=16).digest()


@functools.lru_cache(maxsize=4096)
def _shared(condition: Condition) -> Condition:
    """One for all owners of whom the same is said since the same second, as it is of most."""
    return condition


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
        self._published: dict[Owner, Published] = {}
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
        return [owner for owner, published in self._published.items() if published.over]

    async def _publish(self, owner: Owner) -> None:
        known = self._published.get(owner)
        stored = self._store.copy(owner)
        if stored is None and owner not in self._view.by_owner:
            if known is not None:
                await self._api.delete(f"{PATH}/{known.name}")
            return
        status = self._budgets.status(owner, stored, known.conditions if known else ())
        if known is not None and known.digest == _digest(status):
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
        self._published[owner] = decode(answer)

    def replaced(self, items: list[Published], resource_version: str) -> None:
        """Take the whole set of what is published."""
        del resource_version
        self._published = {item.owner: item for item in items}

    def changed(self, kind: str, item: Published, resource_version: str) -> None:
        """Take one change; what somebody else wrote or removed is put right."""
        del resource_version
        if kind == "DELETED":
            self._published.pop(item.owner, None)
        elif (known := self._published.get(item.owner)) is not None and known.digest == item.digest:
            return  # our own word comes back
        else:
            self._published[item.owner] = item
        self.touch(item.owner)

    def progressed(self, resource_version: str) -> None:
        """Nothing to do."""
