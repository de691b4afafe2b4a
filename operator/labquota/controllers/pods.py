"""The operator's view of all pods: who holds what, kept as sums per owner with every change.

The sink of the pod informer.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

import msgspec

from labquota import memory
from labquota.controllers import charges
from labquota.controllers.byuid import ByUid
from labquota.controllers.chains import Account
from labquota.controllers.charges import Charge, Key, pack, unpack
from labquota.controllers.ended import Ended
from labquota.controllers.held import Held
from labquota.quota.amounts import Amounts
from labquota.quota.ledger import Ending
from labquota.quota.owners import Owner
from labquota.quota.resources import MAX
from labquota.quota.world import World

_MANY: Final = 10_000
_MOST_NEWS: Final = 2_000


class Pods:
    """All pods, by uid and by owner, with the sums of what each owner holds.

    Args:
        world: For the owners of pods without a stamp, the keys that ledgers keep, and the prices of GPUs.
        touched: Called with an owner whose sums have changed, and whether something became free.
        came: Called with a pod that the watch shows for the first time.
    """

    def __init__(
        self,
        world: World,
        touched: Callable[[Owner, bool], None],
        came: Callable[[Charge], None] = lambda _: None,
    ) -> None:
        self._world, self._touched, self._came = world, touched, came
        self.version = ""
        """The resourceVersion up to which the view has seen everything."""
        self.holds_version = "0"
        """The same of holds."""
        self._held = Held()
        self._pods: dict[Key, Charge] = {}
        self.by_uid = ByUid(self._pods)
        self.by_owner: dict[Owner, Account] = {}
        """Those who have pods, finished ones included."""
        self._ended = Ended()
        self._news: dict[Owner, set[Key]] = {}
        self._leaving: set[Key] = set()
        self._lost: frozenset[Key] = frozenset()

    def decode(self, raw: msgspec.Raw | bytes) -> Charge:
        """What the view keeps of a pod; the very same object where it keeps that already, as after a relist."""
        new = charges.of(raw, self._world)
        known = self._pods.get(new.key)
        if known is None or known.revision != new.revision or known.amounts is not new.amounts:
            return new
        if known.place != new.place:
            return new
        same = known.state == new.state and known.node == new.node and known.owner == new.owner
        return known if same else new

    def sums(self, owner: Owner, besides: Collection[str] = ()) -> Amounts:
        """What the owner holds, of resources that a ledger keeps and of others, saturated as one pod's amounts are."""
        account = self.by_owner.get(owner)
        if account is None:
            return {}
        keeps = self._world.keeps
        return {key: min(amount, MAX) for key, amount in account.sums.items() if keeps(key) or key in besides}

    def find(self, uid: str) -> Charge | None:
        """A pod of the view, or a hold."""
        key = pack(uid)
        return self._pods.get(key) or self._held.get(key)

    def everything(self) -> Iterable[Charge]:
        """All pods of the view, finished ones included; not to be kept while the view goes on."""
        return self._pods.values()

    def recount(self, owner: Owner) -> Amounts:
        """As `sums`, added up afresh from the pods themselves: the same, unless a change was miscounted."""
        fresh = Account({})
        for charge in self.pods_of(owner):
            if charge.owner == owner and self.holds(charge):
                fresh.add(charge.amounts, 1)
        keeps = self._world.keeps
        return {key: min(amount, MAX) for key, amount in fresh.sums.items() if keeps(key)}

    def uncounted(self) -> list[Charge]:
        """Pods that are not among those of their owner: none, unless a change was miscounted."""
        counted = {
            id(charge) for owner in self.by_owner for charge in self.pods_of(owner) if charge.owner == owner
        }
        return [charge for charge in (*self._pods.values(), *self._held) if id(charge) not in counted]

    def rebuild(self) -> None:
        """Find each owner's pods and sums anew from the pods themselves, and tell of those whose sums were wrong."""
        before, self.by_owner = self.by_owner, {}
        for charge in (*self._pods.values(), *self._held):
            self._join(charge)
        for owner in {*before, *self.by_owner}:
            old, new = before.get(owner), self.by_owner.get(owner)
            if (old.sums if old else {}) != (new.sums if new else {}):
                self._touched(owner, True)

    def holds(self, charge: Charge) -> bool:
        """Whether a pod costs its owner anything: it is not finished, and not given up with a lost node."""
        return charge.charged and charge.key not in self._lost

    def has_ended(self, uid: str) -> bool:
        """Whether the view has seen the pod and then seen it go."""
        return pack(uid) in self._ended

    def news(self, owner: Owner) -> set[str]:
        """The owner's pods that the watch has shown since the last call, whose reservations are to be found."""
        return set(map(unpack, self._news.pop(owner, ())))

    def news_again(self, owner: Owner, uids: set[str]) -> None:
        """Put back what `news` gave: it was not looked at after all."""
        if uids:
            self._news.setdefault(owner, set()).update(map(pack, uids))

    def no_news(self) -> None:
        """Forget all news: another operator has looked at these pods, and settled their reservations."""
        self._news.clear()

    def owners(self) -> Iterable[Owner]:
        """Everybody who holds a pod, finished ones included."""
        return list(self.by_owner)

    def pods_of(self, owner: Owner) -> Iterator[Charge]:
        """The owner's pods, finished ones included."""
        return iter(self.by_owner.get(owner, ()))

    def leaving(self) -> list[Charge]:
        """Pods that are being deleted."""
        return [self._pods[key] for key in self._leaving]

    def replaced(self, items: list[Charge], resource_version: str) -> None:
        """Take the whole set, compared with what is known: deletions missed in a gap show in no other way."""
        self.version = resource_version
        touched: dict[Owner, bool] = {}

        def note(owner: Owner, freed: bool) -> None:  # noqa: FBT001  as the view's callback
            touched[owner] = freed or touched.get(owner, False)

        if self._pods:
            listed = {item.key for item in items}
            for key in [key for key in self._pods if key not in listed]:
                self._remove(key, note)
        for item in items:
            self._put(item, note)
        for owner, freed in touched.items():
            self._touched(owner, freed)
        self.price_again()  # prices may have changed while the set was read
        if len(items) >= _MANY:
            memory.settle()

    def changed(self, kind: str, item: Charge, resource_version: str) -> None:
        """Take one change."""
        self.version = resource_version
        if kind == "DELETED":
            self._remove(item.key, self._touched)
            return
        is_new = item.key not in self._pods
        self._put(item, self._touched)
        if is_new:
            self._came(item)
            self._note_news(item)

    def progressed(self, resource_version: str) -> None:
        """Note that everything up to this version has been shown."""
        self.version = resource_version

    def hold(self, new: Charge, *, news: bool) -> None:
        """Take in a hold that is new, or is another now; `news` if the watch has just shown that it was made."""
        freed = self.release(new.key, ended=False)
        self._held.put(new)
        self._join(new)
        if news:
            self._note_news(new)
        self._touched(new.owner, freed)

    def release(self, key: Key, *, ended: bool = True) -> bool:
        """Let a hold go; whether something became free."""
        charge = self._held.pop(key)
        if charge is None:
            return False
        freed = self._leave(charge)
        if ended:
            self._ended.add(key)
            self._touched(charge.owner, freed)
        return freed

    def holds_of(self, owner: Owner) -> tuple[str, tuple[Ending, ...]]:
        """The version of holds, 0 for an owner who has none that lasts; and those that end by themselves."""
        if not self._held.lasts(owner):
            return "0", ()
        return self.holds_version, self._held.endings(owner, self._world.keeps)

    def own_again(self) -> None:
        """Find the owners of pods without a stamp anew, after a namespace has changed."""
        moved = [
            (charge, owner)
            for charge in self._pods.values()
            if not charge.stamped and (owner := self._world.owner_of({}, charge.namespace)) != charge.owner
        ]
        for charge, owner in moved:
            self._move(charge, owner)

    def price_again(self) -> None:
        """Reckon anew what GPUs cost, after nodes have come, gone or changed; of most pods that changes nothing."""
        touched: set[Owner] = set()
        for charge in self._pods.values():
            if charge.place is None:
                continue
            amounts = charges.priced(charge.amounts, charge.place, self._world)
            if amounts is charge.amounts:
                continue
            account, holds = self.by_owner[charge.owner], self.holds(charge)
            if holds:
                account.add(charge.amounts, -1)
                account.add(amounts, 1)
                touched.add(charge.owner)
            charge.amounts = amounts
        for owner in touched:
            self._touched(owner, True)

    def lose(self, uids: frozenset[str]) -> None:
        """Give up these pods, which are being deleted on lost nodes; those given up before are charged again."""
        lost = frozenset(map(pack, uids))
        changed = [self._pods[key] for key in lost ^ self._lost if key in self._pods]
        for charge in changed:
            self._leave(charge)
        self._lost = lost
        for charge in changed:
            self._join(charge)
            self._touched(charge.owner, charge.key in lost)

    def _put(self, new: Charge, touched: Callable[[Owner, bool], None]) -> None:
        # its namespace may have changed since it was decoded
        owner = new.owner if new.stamped else self._world.owner_of({}, new.namespace)
        old = self._pods.get(new.key)
        if old is new:
            if owner != old.owner:
                self._move(old, owner)
            return
        if new.state >> charges.FLAGS:
            self._leaving.add(new.key)
        elif old is not None and old.state >> charges.FLAGS:
            self._leaving.discard(new.key)
        new.owner = owner
        if old is None:
            freed = False
        elif (
            old.owner == owner
            and (holds := self.holds(new)) == self.holds(old)
            and (not holds or old.amounts is new.amounts or old.amounts == new.amounts)
        ):
            old.revision, old.state, old.node, old.amounts = new.revision, new.state, new.node, new.amounts
            old.place = new.place
            return
        else:
            freed = self._leave(old)
        self._pods[new.key] = new
        self._join(new)
        if old is not None and old.owner != owner:
            touched(old.owner, True)
        touched(owner, freed)

    def _note_news(self, charge: Charge) -> None:
        if len(news := self._news.setdefault(charge.owner, set())) < _MOST_NEWS:
            news.add(charge.key)

    def _move(self, charge: Charge, owner: Owner) -> None:
        """Charge a pod to another owner."""
        before, freed = charge.owner, self._leave(charge)
        charge.owner = owner
        self._join(charge)
        self._touched(before, True)
        self._touched(owner, freed)

    def _remove(self, key: Key, touched: Callable[[Owner, bool], None]) -> None:
        charge = self._pods.pop(key, None)
        if charge is None:
            return
        self._leaving.discard(key)
        self._ended.add(key)
        touched(charge.owner, self._leave(charge))

    def _join(self, charge: Charge) -> None:
        account = self.by_owner.get(charge.owner)
        if account is None:
            account = self.by_owner[charge.owner] = Account({})
        account.link(charge)
        if self.holds(charge):
            account.add(charge.amounts, 1)

    def _leave(self, charge: Charge) -> bool:
        """Take a pod out of its owner's account; whether something became free."""
        account, holds = self.by_owner[charge.owner], self.holds(charge)
        account.unlink(charge)
        if holds:
            account.add(charge.amounts, -1)
        if not account.count:
            del self.by_owner[charge.owner]
        return holds
