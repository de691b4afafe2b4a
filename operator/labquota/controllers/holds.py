"""Holds in the view: what they cost, and that they end by the clock.

Stands between the informer on GPUAllocations and the keeper of their statuses: a hold is charged before it is told of.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from labquota.clock import Clock
from labquota.controllers import charges
from labquota.controllers.allocations.stored import Allocations, Stored
from labquota.controllers.charges import Charge
from labquota.controllers.pods import Pods
from labquota.kube.feed import Kind
from labquota.quota import holding, owners
from labquota.quota.owners import Owner, OwnerError
from labquota.quota.world import World

_LONGEST_SECONDS: Final = 3600.0
"""How long the clock is trusted to go on as it does."""


class Holds:
    """The sink of the informer on GPUAllocations: charges holds, and hands everything on.

    Args:
        view: Where they are charged.
        world: The prices of devices, and the owners of namespaces.
        clock: Ends holds.
        allocations: Takes everything after us.
        touched: Called with the uid of a hold that has ended, or costs something else now.
    """

    def __init__(
        self,
        view: Pods,
        world: World,
        clock: Clock,
        allocations: Allocations,
        touched: Callable[[str], None],
    ) -> None:
        self._view, self._world, self._clock = view, world, clock
        self._next, self._told = allocations, touched
        self._known: dict[str, tuple[Stored, Charge]] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """End holds when their time is over, until cancelled."""
        while True:
            now = self._clock.now()
            for item, charge in list(self._known.values()):
                if charge.charged and _is_over(item, now):
                    self._put(item)
                    self._told(item.uid)
            ends = [
                item.hold.expires_at
                for item, charge in self._known.values()
                if charge.charged and item.hold is not None and item.hold.expires_at is not None
            ]
            wait = min([(end - now).total_seconds() for end in ends], default=_LONGEST_SECONDS)
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(wait, 0.001), _LONGEST_SECONDS)):
                    await self._wake.wait()

    def price_again(self) -> None:
        """Reckon anew what holds cost, after nodes have changed."""
        for item, _ in list(self._known.values()):
            if self._put(item):
                self._told(item.uid)

    def replaced(self, items: list[Stored], resource_version: str) -> None:
        """Take the whole set."""
        self._view.holds_version = resource_version
        holds = {item.uid: item for item in items if item.hold is not None}
        for uid in self._known.keys() - holds.keys():
            self._release(uid)
        for item in holds.values():
            self._put(item)
        self._next.replaced(items, resource_version)

    def changed(self, kind: Kind, item: Stored, resource_version: str) -> None:
        """Take one change."""
        self._view.holds_version = resource_version
        if item.hold is not None:
            if kind == "DELETED":
                self._release(item.uid)
            else:
                self._put(item, news=item.uid not in self._known)
        self._next.changed(kind, item, resource_version)

    def progressed(self, resource_version: str) -> None:
        """Note that everything up to this version has been shown."""
        self._view.holds_version = resource_version
        self._next.progressed(resource_version)

    def _put(self, item: Stored, *, news: bool = False) -> bool:
        """Charge a hold as it is now; whether that is another charge than before."""
        spec, (_, before) = item.hold, self._known.get(item.uid, (item, None))
        cost = holding.cost(() if spec is None else spec.devices, self._world.inventory)
        amounts = cost.amounts if before is None or not cost.unknown else before.amounts
        ends = None if spec is None else spec.expires_at
        lasts = not _is_over(item, self._clock.now())
        name, owner = holding.NAMED + item.name, self._owner(item)
        charge = charges.of_hold(item.uid, item.namespace, name, owner, amounts, ends, lasts=lasts)
        self._known[item.uid] = item, charge
        if before is not None and _same(before, charge):
            self._known[item.uid] = item, before
            return False
        self._view.hold(charge, news=news)
        self._wake.set()
        return True

    def _release(self, uid: str) -> None:
        if (found := self._known.pop(uid, None)) is not None:
            self._view.release(found[1].key)

    def _owner(self, item: Stored) -> Owner:
        """Who pays; what no webhook has seen may name nobody, and is its namespace's then."""
        try:
            return Owner(sys.intern(owners.parse(item.owner)))
        except OwnerError:
            return self._world.owner_of({}, item.namespace)


def _is_over(item: Stored, now: datetime) -> bool:
    return item.hold is not None and item.hold.expires_at is not None and item.hold.expires_at <= now


def _same(a: Charge, b: Charge) -> bool:
    return (a.owner, a.amounts, a.state) == (b.owner, b.amounts, b.state)
