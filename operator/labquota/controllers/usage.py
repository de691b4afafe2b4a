"""OwnerUsage: what a person reads about their budget, at most once a second for one owner."""

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final

import msgspec

from labquota import metrics
from labquota.api import (
    API_VERSION,
    OwnerUsage,
    OwnerUsageStatus,
    UsageLimit,
    UsagePod,
    UsageSummary,
)
from labquota.clock import Clock
from labquota.controllers import conditions
from labquota.controllers.pacing import Pace, Rank
from labquota.controllers.pods import Pods
from labquota.kube import errors
from labquota.kube.client import Api
from labquota.kube.ledgers import Ledgers, Stored
from labquota.quota import ledger, owners
from labquota.quota.ledger import EMPTY
from labquota.quota.limits import Limits, capped
from labquota.quota.owners import Owner
from labquota.quota.resources import Amounts, show
from labquota.quota.world import World

log = logging.getLogger(__name__)

PATH: Final = f"/apis/{API_VERSION}/ownerusages"
JSON_PATCH: Final = "application/json-patch+json"
_SECONDS: Final = 1.0
_MOST_PODS: Final = 10
_MOST_NAMED: Final = 5
_SUMMARY: Final = {"gpu": "gpu", "cpu": "requests.cpu", "memory": "requests.memory", "pods": "pods"}
_WITHOUT_PODS: Final = frozenset({"limits.ephemeral-storage"})


class Usage:
    """Publishes OwnerUsage objects; also the sink of the informer on them.

    Args:
        api: The API server.
        view: The pods.
        store: The ledgers.
        world: The limits.
        clock: The time of transitions, and of overrides.
        pace: The operator's budget of writes.
    """

    def __init__(self, api: Api, view: Pods, store: Ledgers, world: World, clock: Clock, pace: Pace) -> None:
        self._api, self._view, self._store, self._world = api, view, store, world
        self._clock, self._pace = clock, pace
        self._published: dict[Owner, OwnerUsage] = {}
        self._bypassed: dict[Owner, set[str]] = {}
        self._dirty: set[Owner] = set()
        self._wake = asyncio.Event()

    def touch(self, owner: Owner) -> None:
        """Something that this owner's budget shows has changed."""
        self._dirty.add(owner)
        self._wake.set()

    def folded(self, stored: Stored, bypassed: set[str]) -> None:
        """A ledger was folded; `bypassed` are pods that the view shows and that never had a reservation."""
        owner = stored.owner
        if bypassed and self._limits(owner, stored).reserves:
            present = {uid for uid in bypassed if uid in self._view.by_uid}
            metrics.BYPASSED.inc(len(bypassed))
            names = [self._name(uid) for uid in sorted(present)]
            log.error("pods passed the webhook", extra={"owner": owner, "pods": names})
            self._bypassed.setdefault(owner, set()).update(present)
        self.touch(owner)

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
        status = self._status(owner, stored, known)
        if known is not None and known.status == status:
            return
        await self._pace.turn(Rank.REPORT)
        name = owners.object_name(owner)
        if known is None:
            body = {"apiVersion": API_VERSION, "kind": "OwnerUsage", "metadata": {"name": name}}
            with suppress(errors.AlreadyExists):
                await self._api.create(PATH, msgspec.json.encode({**body, "spec": {"owner": owner}}))
        patch = [{"op": "add", "path": "/status", "value": status}]
        answer = await self._api.patch(f"{PATH}/{name}/status", msgspec.json.encode(patch), JSON_PATCH)
        self._published[owner] = msgspec.json.decode(answer, type=OwnerUsage)

    def _status(self, owner: Owner, stored: Stored | None, known: OwnerUsage | None) -> OwnerUsageStatus:
        limits = self._limits(owner, stored)
        used = self._view.sums(owner)
        reserved = ledger.in_flight(stored.ledger if stored else EMPTY)
        caps = capped(limits.aggregate)
        over = [key for key, most in caps.items() if used.get(key, 0) > most]
        return OwnerUsageStatus(
            group=limits.group or "",
            enforcement=limits.enforcement if limits.group else "Off",
            limits={
                key: UsageLimit(
                    limit="unlimited" if limit.amount is None else show(key, limit.amount),
                    source=limit.source,
                )
                for key, limit in sorted(limits.aggregate.items())
            },
            used=_shown(used),
            reserved=_shown(reserved),
            summary=UsageSummary(**{name: _of(key, used, caps) for name, key in _SUMMARY.items()}),
            over_limit=tuple(sorted(over)),
            pods=self._largest(owner),
            conditions=tuple(self._conditions(owner, over, known)),
            observed_generation=1,
        )

    def _conditions(self, owner: Owner, over: list[str], known: OwnerUsage | None) -> Any:
        before = known.status.conditions if known else ()
        now = self._clock.now()
        bypassed = {
            uid
            for uid in self._bypassed.get(owner, ())
            if (charge := self._view.by_uid.get(uid)) is not None and self._view.holds(charge)
        }
        self._bypassed[owner] = bypassed
        if not bypassed:
            del self._bypassed[owner]
        names = sorted(map(self._name, bypassed))
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        text = f"charged, though the webhook did not see them: {', '.join(names[:_MOST_NAMED])}{more}"
        yield conditions.settle(
            before,
            "Bypassed",
            "PodsPassedWebhook" if names else "AllPodsChecked",
            text if names else "",
            holds=bool(names),
            now=now,
            generation=1,
        )
        yield conditions.settle(
            before,
            "OverLimit",
            "AboveLimit" if over else "WithinLimits",
            f"holds more than allowed of: {', '.join(sorted(over))}" if over else "",
            holds=bool(over),
            now=now,
            generation=1,
        )

    def _largest(self, owner: Owner) -> tuple[UsagePod, ...]:
        """The pods that hold most: GPUs first, then cores, then memory."""
        charges = [
            charge
            for uid in self._view.by_owner.get(owner, ())
            if self._view.holds(charge := self._view.by_uid[uid])
        ]
        order = ("gpu", "requests.cpu", "requests.memory")
        charges.sort(
            key=lambda each: (*(-each.amounts.get(key, 0) for key in order), each.namespace, each.name)
        )
        return tuple(
            UsagePod(namespace=each.namespace, name=each.name, uses=_shown(each.amounts))
            for each in charges[:_MOST_PODS]
        )

    def _limits(self, owner: Owner, stored: Stored | None) -> Limits:
        groups = stored.ledger.groups if stored else ()
        return self._world.limits_of(owner, groups, self._clock.now())

    def _name(self, uid: str) -> str:
        charge = self._view.by_uid[uid]
        return f"{charge.namespace}/{charge.name}"

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


def _shown(amounts: Amounts) -> dict[str, str]:
    return {key: show(key, amount) for key, amount in sorted(amounts.items())}


def _of(key: str, used: Amounts, caps: dict[str, int]) -> str:
    """`2/3`, or `2` where nothing limits it."""
    text = show(key, used.get(key, 0))
    return f"{text}/{show(key, caps[key])}" if key in caps else text
