"""The operator's view of all pods: who holds what, kept as sums per owner with every change.

The sink of the pod informer.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from labquota.controllers import charges
from labquota.controllers.charges import Charge
from labquota.quota.amounts import Amounts
from labquota.quota.owners import Owner
from labquota.quota.resources import MAX
from labquota.quota.world import World

_MOST_ENDED: Final = 100_000
_MOST_NEWS: Final = 2_000


class Pods:
    """All pods, by uid and by owner, with the sums of what each owner holds.

    Args:
        world: For the owners of pods without a stamp.
        touched: Called with an owner whose sums have changed, and whether something became free.
    """

    def __init__(self, world: World, touched: Callable[[Owner, bool], None]) -> None:
        self._world, self._touched = world, touched
        self.version = ""
        """The resourceVersion up to which the view has seen everything."""
        self.by_uid: dict[str, Charge] = {}
        self.by_owner: dict[Owner, set[str]] = {}
        self._sums: dict[Owner, Amounts] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._news: dict[Owner, set[str]] = {}
        self._lost: frozenset[str] = frozenset()

    def decode(self, raw: msgspec.Raw | bytes) -> Charge:
        """What the view keeps of a pod."""
        return charges.of(raw, self._world)

    def sums(self, owner: Owner) -> Amounts:
        """What the owner holds, of resources that a ledger keeps, saturated as the amounts of one pod are."""
        keeps = self._world.keeps
        return {key: min(amount, MAX) for key, amount in self._sums.get(owner, {}).items() if keeps(key)}

    def find(self, uid: str) -> Charge | None:
        """A pod of the view."""
        return self.by_uid.get(uid)

    def everything(self) -> Iterable[Charge]:
        """All pods of the view, finished ones included; not to be kept while the view goes on."""
        return self.by_uid.values()

    def recount(self, owner: Owner) -> Amounts:
        """As `sums`, added up afresh from the pods themselves: the same, unless a change was miscounted."""
        charges = [charge for uid in self.by_owner.get(owner, ()) if (charge := self.by_uid.get(uid))]
        held = [each.amounts for each in charges if each.owner == owner and self.holds(each)]
        alike, times = {id(amounts): amounts for amounts in held}, Counter(map(id, held))
        counted: Amounts = {}
        for number, amounts in alike.items():
            _add(counted, amounts, times[number])
        keeps = self._world.keeps
        return {key: min(amount, MAX) for key, amount in counted.items() if keeps(key)}

    def uncounted(self) -> list[Charge]:
        """Pods that are not among those of their owner: none, unless a change was miscounted."""
        return [charge for charge in self.by_uid.values() if charge.uid not in self.by_owner.get(charge.owner, ())]

    def rebuild(self) -> None:
        """Find each owner's pods and sums anew from the pods themselves, and tell of those whose sums were wrong."""
        sums, self._sums, self.by_owner = self._sums, {}, {}
        for charge in self.by_uid.values():
            self._join(charge)
        for owner in {*sums, *self._sums}:
            if sums.get(owner) != self._sums.get(owner):
                self._touched(owner, True)

    def holds(self, charge: Charge) -> bool:
        """Whether a pod costs its owner anything: it is not finished, and not given up with a lost node."""
        return charge.charged and charge.uid not in self._lost

    def has_ended(self, uid: str) -> bool:
        """Whether the view has seen the pod and then seen it go."""
        return uid in self._ended

    def news(self, owner: Owner) -> set[str]:
        """The owner's pods that the watch has shown since the last call, whose reservations are to be found."""
        return self._news.pop(owner, set())

    def news_again(self, owner: Owner, uids: set[str]) -> None:
        """Put back what `news` gave: it was not looked at after all."""
        if uids:
            self._news.setdefault(owner, set()).update(uids)

    def no_news(self) -> None:
        """Forget all news: another operator has looked at these pods, and settled their reservations."""
        self._news.clear()

    def owners(self) -> Iterable[Owner]:
        """Everybody who holds a pod, finished ones included."""
        return list(self.by_owner)

    def replaced(self, items: list[Charge], resource_version: str) -> None:
        """Take the whole set, compared with what is known: deletions missed in a gap show in no other way."""
        self.version = resource_version
        listed = {item.uid for item in items}
        for uid in [uid for uid in self.by_uid if uid not in listed]:
            self._remove(uid)
        for item in items:
            self._put(item)

    def changed(self, kind: str, item: Charge, resource_version: str) -> None:
        """Take one change."""
        self.version = resource_version
        if kind == "DELETED":
            self._remove(item.uid)
            return
        is_new = item.uid not in self.by_uid
        self._put(item)
        if is_new and len(news := self._news.setdefault(item.owner, set())) < _MOST_NEWS:
            news.add(item.uid)

    def progressed(self, resource_version: str) -> None:
        """Note that everything up to this version has been shown."""
        self.version = resource_version

    def own_again(self) -> None:
        """Find the owners of pods without a stamp anew, after a namespace has changed."""
        for charge in list(self.by_uid.values()):
            if not charge.stamped:
                self._put(msgspec.structs.replace(charge))

    def lose(self, uids: frozenset[str]) -> None:
        """Give up these pods, which are being deleted on lost nodes; those given up before are charged again."""
        changed = [self.by_uid[uid] for uid in uids ^ self._lost if uid in self.by_uid]
        for charge in changed:
            self._subtract(charge)
        self._lost = uids
        for charge in changed:
            self._join(charge)
            self._touched(charge.owner, charge.uid in uids)

    def _put(self, charge: Charge) -> None:
        if not charge.stamped:  # its namespace may have changed since it was decoded
            charge.owner = self._world.owner_of({}, charge.namespace)
        old = self.by_uid.get(charge.uid)
        self.by_uid[charge.uid] = charge
        holds = self.holds(charge)
        same = old is not None and old.owner == charge.owner and self.holds(old) == holds
        if old is not None and same and (old.amounts == charge.amounts or not holds):
            return
        freed = old is not None and self._subtract(old)
        self._join(charge)
        if old is not None and old.owner != charge.owner:
            self._touched(old.owner, True)
        self._touched(charge.owner, freed)

    def _join(self, charge: Charge) -> None:
        self.by_owner.setdefault(charge.owner, set()).add(charge.uid)
        if self.holds(charge):
            _add(self._sums.setdefault(charge.owner, {}), charge.amounts, 1)

    def _remove(self, uid: str) -> None:
        charge = self.by_uid.pop(uid, None)
        if charge is None:
            return
        self._ended[uid] = None
        if len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)
        self._touched(charge.owner, self._subtract(charge))

    def _subtract(self, charge: Charge) -> bool:
        """Take a pod out of its owner's sums; whether something became free."""
        pods = self.by_owner.get(charge.owner, set())
        pods.discard(charge.uid)
        if not pods:
            self.by_owner.pop(charge.owner, None)
        if not self.holds(charge):
            return False
        sums = self._sums[charge.owner]
        _add(sums, charge.amounts, -1)
        if not sums:
            del self._sums[charge.owner]
        return True


def _add(sums: Amounts, amounts: Amounts, times: int) -> None:
    """Add in place. Sums may pass the saturation of a single amount: a later subtraction must undo them exactly."""
    for key, amount in amounts.items():
        left = sums.get(key, 0) + times * amount
        if left:
            sums[key] = left
        else:
            sums.pop(key, None)
