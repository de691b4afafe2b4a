"""What the audit has found wrong and not yet seen right again, and what was done about it.

Of every owner with such a difference there is one entry, and the metrics hold the sum over all: no series of an owner.
What was repaired is told in the owner's condition for as long as nothing else is.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from typing import Final, Literal

import msgspec

from labquota import metrics
from labquota.api import Condition
from labquota.clock import Clock
from labquota.controllers import conditions
from labquota.quota.amounts import Amounts
from labquota.quota.owners import Owner
from labquota.quota.points import together
from labquota.quota.resources import show

log = logging.getLogger(__name__)

Kind = Literal["missed", "gone", "stale", "uncounted", "sums", "ledger"]
"""A pod that the view has missed; one that it keeps though it is gone; one that it knows otherwise; one that is in no
sum; sums that are not those of the pods; a ledger that is not as the sums."""

_MOST_NAMED: Final = 5
_MOST_REPAIRED: Final = 1000
_GAUGES: Final = {
    "pods": (metrics.AUDIT_PODS, 1),
    "gpu": (metrics.AUDIT_GPUS, 1),
    "requests.cpu": (metrics.AUDIT_CORES, 1000),
    "requests.memory": (metrics.AUDIT_BYTES, 1),
}
"""The gauge of a resource, and how many base units make one of its own."""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """One thing that a recount says otherwise."""

    owner: Owner
    kind: Kind
    amounts: Amounts
    """What the recount says less what was kept, per resource in base units; below zero where too much was kept."""
    what: str
    """In words."""
    namespace: str = ""
    """Of the pod, if it is about one."""


def apart(recounted: Amounts, kept: Amounts) -> Amounts:
    """What a recount says less what was kept, of those resources in which they differ."""
    keys = sorted({*recounted, *kept})
    return {key: more for key in keys if (more := recounted.get(key, 0) - kept.get(key, 0))}


def words(recounted: Amounts, kept: Amounts) -> str:
    """The same for people: `gpu 7 instead of 1`."""
    right, wrong = together(recounted), together(kept)
    keys = together(apart(recounted, kept))
    return ", ".join(
        f"{key} {show(key, wrong.get(key, 0))} instead of {show(key, right.get(key, 0))}" for key in keys
    )


class Drifts:
    """The differences that are known.

    Args:
        clock: When something was seen right again.
        told: Called with an owner of whom there is something else to say.
    """

    def __init__(self, clock: Clock, told: Callable[[Owner], object]) -> None:
        self._clock, self._told = clock, told
        self.open: dict[Owner, list[Difference]] = {}
        self._repaired: OrderedDict[Owner, str] = OrderedDict()

    def begin(self) -> None:
        """An epoch begins: what the one before found, it folds anew."""
        self.open.clear()
        self._measure()

    def found(self, differences: Iterable[Difference], repair: str) -> None:
        """These stay, and this is being done about them; what is known already is not counted again."""
        new: dict[Owner, list[Difference]] = {}
        for each in differences:
            if not any(
                each.kind == old.kind and each.what == old.what for old in self.open.get(each.owner, ())
            ):
                new.setdefault(each.owner, []).append(each)
        for owner, those in new.items():
            self.open.setdefault(owner, []).extend(those)
            for each in those:
                metrics.AUDIT_DIFFERENCES.labels(each.kind).inc()
            metrics.AUDIT_REPAIRS.inc()
            extra = {"owner": owner, "differences": _named(those), "repair": repair}
            log.error("a recount differs", extra=extra)
            self._told(owner)
        self._measure()

    def right(self, owner: Owner) -> None:
        """A recount agrees with what is kept of this owner."""
        if (those := self.open.pop(owner, None)) is None:
            return
        said = f"{_named(those)}; repaired by {self._clock.now():%Y-%m-%dT%H:%M:%SZ}"
        self._repaired[owner] = said
        if len(self._repaired) > _MOST_REPAIRED:
            self._repaired.popitem(last=False)
        log.warning("a difference is repaired", extra={"owner": owner, "differences": _named(those)})
        self._measure()
        self._told(owner)

    def condition(self, owner: Owner, known: Iterable[Condition]) -> Condition | None:
        """`LedgerDrift`: of an owner of whom a difference is known, or was repaired, by this operator or one before."""
        old = next((each for each in known if each.type == "LedgerDrift"), None)
        if old is not None and old.status == "True" and owner not in self._repaired:
            self.open.setdefault(
                owner, [Difference(owner, "ledger", {}, old.message)]
            )  # one before us has found it
        said = self._repaired.get(owner, "" if old is None else old.message)
        if those := self.open.get(owner):
            said = _named(those)
        elif not said:
            return None
        return conditions.settle(
            () if old is None else (old,),
            "LedgerDrift",
            "RecountDiffers" if those else "Repaired",
            said,
            holds=bool(those),
            now=self._clock.now(),
            generation=1,
        )

    def _measure(self) -> None:
        metrics.AUDIT_OWNERS.set(len(self.open))
        everything = [each.amounts for those in self.open.values() for each in those]
        for key, (gauge, base) in _GAUGES.items():
            gauge.set(sum(abs(amounts.get(key, 0)) for amounts in everything) / base)


def _named(those: Collection[Difference]) -> str:
    names = [each.what for each in those]
    more = f"; and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return "; ".join(names[:_MOST_NAMED]) + more
