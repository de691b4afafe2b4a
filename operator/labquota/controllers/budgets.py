"""What there is to say about one owner's budget: limits with their source, what is held, and by which pods."""

import heapq
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from labquota.api import Condition, OwnerUsageStatus, UsageLimit, UsagePod, UsagePoints, UsageSummary
from labquota.clock import Clock
from labquota.controllers import conditions
from labquota.controllers.drifts import Drifts
from labquota.controllers.pods import Pods
from labquota.kube.ledgers import Stored
from labquota.quota import ledger
from labquota.quota.amounts import Amounts
from labquota.quota.ledger import EMPTY, Ledger
from labquota.quota.limits import Limits, capped, shown
from labquota.quota.owners import Owner
from labquota.quota.points import COMPUTE, EQUIVALENTS, LEDGERS, MEMORY, PRICED, SLOTS, together
from labquota.quota.resources import show
from labquota.quota.world import World

_MOST_PODS: Final = 10
_MOST_NAMED: Final = 5
_SUMMARY: Final = {
    "gpu": "gpu",
    "equivalents": EQUIVALENTS,
    "gpu_memory": MEMORY,
    "cpu": "requests.cpu",
    "memory": "requests.memory",
    "pods": "pods",
}


class Budgets:
    """Reckons the status of an OwnerUsage.

    Args:
        view: The pods.
        world: The limits.
        clock: The time of transitions, and of overrides.
        drifts: What the audit has found, where there is one.
    """

    def __init__(self, view: Pods, world: World, clock: Clock, drifts: Drifts | None = None) -> None:
        self._view, self._world, self._clock, self._drifts = view, world, clock, drifts
        self._bypassed: dict[Owner, set[str]] = {}

    def note_bypassed(self, stored: Stored, uids: set[str]) -> list[str]:
        """Pods without a reservation: remembered for a limited owner; their names, of those that still exist."""
        if not self._limits(stored.owner, stored).reserves:
            return []
        present = {uid for uid in uids if self._view.find(uid) is not None}
        self._bypassed.setdefault(stored.owner, set()).update(present)
        return sorted(map(self._name, present))

    def _unseen(self, found: Ledger) -> Ledger:
        """A ledger without the reservations of pods that are in the view: those are used already."""
        left = [each for each in found.reservations if not each.creates or self._view.find(each.uid) is None]
        return msgspec.structs.replace(found, reservations=tuple(left))

    def status(self, owner: Owner, stored: Stored | None, known: tuple[Condition, ...]) -> OwnerUsageStatus:
        """The owner's budget as of now; `known` are the conditions as they are published."""
        limits = self._limits(owner, stored)
        held = self._view.sums(owner, PRICED)
        reserved = ledger.in_flight(self._unseen(stored.ledger) if stored else EMPTY)
        over = _over(held, capped(limits.aggregate))
        aggregate = shown(limits.aggregate)
        caps, used = capped(aggregate), together(held)
        return OwnerUsageStatus(
            group=limits.group or "",
            enforcement=limits.enforcement if limits.group else "Off",
            limits={
                key: UsageLimit(
                    limit="unlimited" if limit.amount is None else show(key, limit.amount),
                    source=limit.source,
                )
                for key, limit in sorted(aggregate.items())
            },
            used=_shown(used),
            reserved=_shown(together(reserved)),
            points=UsagePoints(
                compute=held.get(COMPUTE, 0),
                memory=held.get(SLOTS, 0),
                reserved_compute=reserved.get(COMPUTE, 0),
                reserved_memory=reserved.get(SLOTS, 0),
            ),
            summary=UsageSummary(
                over=",".join(sorted(over)),
                **{name: _of(key, used, caps) for name, key in _SUMMARY.items()},
            ),
            over_limit=tuple(sorted(over)),
            pods=self._largest(owner),
            conditions=tuple(self._conditions(owner, over, known)),
            observed_generation=1,
        )

    def _conditions(self, owner: Owner, over: list[str], known: tuple[Condition, ...]) -> Iterator[Condition]:
        now = self._clock.now()
        bypassed = {
            uid
            for uid in self._bypassed.get(owner, ())
            if (charge := self._view.find(uid)) is not None and self._view.holds(charge)
        }
        self._bypassed[owner] = bypassed
        if not bypassed:
            del self._bypassed[owner]
        names = sorted(map(self._name, bypassed))
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        text = f"charged, though the webhook did not see them: {', '.join(names[:_MOST_NAMED])}{more}"
        yield conditions.settle(
            known,
            "Bypassed",
            "PodsPassedWebhook" if names else "AllPodsChecked",
            text if names else "",
            holds=bool(names),
            now=now,
            generation=1,
        )
        yield conditions.settle(
            known,
            "OverLimit",
            "AboveLimit" if over else "WithinLimits",
            f"holds more than allowed of: {', '.join(sorted(over))}" if over else "",
            holds=bool(over),
            now=now,
            generation=1,
        )
        if (drift := self._drifts.condition(owner, known) if self._drifts else None) is not None:
            yield drift

    def _largest(self, owner: Owner) -> tuple[UsagePod, ...]:
        """The pods that hold most: GPUs first, then cores, then memory."""
        order = ("gpu", *LEDGERS, "requests.cpu", "requests.memory")
        largest = heapq.nsmallest(
            _MOST_PODS,
            filter(self._view.holds, self._view.pods_of(owner)),
            key=lambda each: (*(-each.amounts.get(key, 0) for key in order), each.namespace, each.name),
        )
        return tuple(
            UsagePod(
                namespace=each.namespace, name=each.name, uses=_shown(together(self._kept(each.amounts)))
            )
            for each in largest
        )

    def _kept(self, amounts: Amounts) -> Amounts:
        return {key: each for key, each in amounts.items() if self._world.keeps(key) or key in PRICED}

    def _limits(self, owner: Owner, stored: Stored | None) -> Limits:
        groups = stored.ledger.groups if stored else ()
        return self._world.limits_of(owner, groups, self._clock.now())

    def _name(self, uid: str) -> str:
        charge = self._view.find(uid)
        return "" if charge is None else f"{charge.namespace}/{charge.name}"


def _over(held: Mapping[str, int], caps: Mapping[str, int]) -> list[str]:
    """The resources of which more is held than allowed, as people call them."""
    return list(
        dict.fromkeys(
            EQUIVALENTS if key in LEDGERS else key for key, most in caps.items() if held.get(key, 0) > most
        )
    )


def _shown(amounts: Mapping[str, int]) -> dict[str, str]:
    return {key: show(key, amount) for key, amount in sorted(amounts.items())}


def _of(key: str, used: Mapping[str, int], caps: dict[str, int]) -> str:
    """`2/3`, or `2` where nothing limits it."""
    text = show(key, used.get(key, 0))
    return f"{text}/{show(key, caps[key])}" if key in caps else text
