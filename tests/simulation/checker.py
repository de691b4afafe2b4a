"""The invariants, checked at every write of the store and every answer of a replica.

It knows what is stored and what was asked and answered, and nothing of labquota but how to read a ledger's total.

    I1  Σ stored, charged pods that a replica let through ≤ a limit that was in force when the newest of them was
    I4  a dry run leads to no write             I7  nor do one owner's requests to another's ledger
    I6  a ledger's total is never below the pods that were let through and are stored
    I8  a refusal names only what the request asks more of
    I5  and it is true: with nothing wrong, what may still be charged does leave no room (I3 and I4 with it)
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from labquota.kube import ledgers
from labquota.quota import encoding
from labquota.quota.ledger import Book
from simulation import demands
from simulation.cluster import Cluster
from simulation.connection import GROUPS
from simulation.deeds import Deed
from simulation.demands import Amounts
from simulation.kubernetes import PODS
from simulation.store import Change

NAMES: Final = {"gpu": 1, "requests.cpu": 1000, "pods": 1}
"""Limited keys, with base units."""
ADOPTED: Final = "somebody"
"""Who made pods before labquota came."""
FREED_SECONDS: Final = 1.0
"""How long an ended pod may still be charged, with everything well."""
SETTLED_SECONDS: Final = 16.0
"""How much longer than its create a reservation without a pod may stand, with everything well."""


@dataclass(slots=True)
class Admission:
    """When a stored pod was let through, or a rise of what it holds."""

    began: float
    ended: float
    bound: dict[str, float]
    grows: Amounts


@dataclass(slots=True)
class Pod:
    """A stored pod: what it holds, and whether all of that was let through by a replica."""

    owner: str
    amounts: Amounts
    checked: bool
    adopted: bool = False
    """It is older than labquota: charged from the first fold on."""
    admissions: list[Admission] = field(default_factory=list)


@dataclass(slots=True)
class Claim:
    """What one request may have reserved, or its pod may hold, as far as anybody can know from outside."""

    key: str
    amounts: Amounts
    over: float = math.inf
    stored: bool = False
    seconds: float = 0.0
    """For how long after `over` it may still be charged, with everything well."""


class Checker:
    """See the module.

    Attributes:
        calm_since: since when nothing is wrong; infinite while something is.
        found: the first invariant that did not hold, and how; "" while all do.
        storing: the request whose pod is being stored.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.calm_since = math.inf
        self.found = ""
        self.has_lost_history = False
        """A restore of etcd: replicas may know limits that never were, until they list them anew."""
        self.storing: Deed | None = None
        self.pods: dict[str, Pod] = {}
        self.totals: dict[str, Amounts] = {}
        self._limits: list[tuple[int, Amounts]] = []
        self._claims: dict[str, dict[str, Claim]] = {}
        self._sent: set[tuple[str, str]] = set()
        cluster.checker = self
        cluster.store.told.append(self.changed)

    def fail(self, text: str) -> None:
        """An invariant does not hold; the text begins with which."""
        self.found = self.found or text

    def changed(self, change: Change) -> None:
        """A write was stored."""
        if change.key.resource == PODS:
            self._pod(change)
        elif change.key.resource == ledgers.PATH:
            self._ledger(change)
        elif change.key.resource == GROUPS:
            limits = {
                key: int(text) * NAMES[key] for key, text in change.item.body["spec"]["aggregate"].items()
            }
            self._limits.append((change.version, limits))

    def sent(self, deed: Deed, replica: str) -> None:
        """A request is on its way to a replica."""
        if not deed.dry_run:
            self._sent.add((replica, deed.owner))

    def asked(self, deed: Deed) -> None:
        """A replica is to be asked."""
        if not deed.dry_run:
            claims = self._claims.setdefault(deed.owner, {})
            if deed.kind == "create":
                claims[deed.uid] = Claim(deed.key.path, deed.after)
            elif (claim := claims.get(deed.uid)) is not None:
                claim.amounts = _most(claim.amounts, deed.after)
            else:
                claims[deed.uid] = Claim(deed.key.path, _most(deed.before, deed.after))

    def answered(self, deed: Deed) -> None:
        """A replica has answered, or nobody has."""
        if not deed.answer.checked or deed.answer.allowed:
            return
        for key in deed.answer.keys & NAMES.keys():
            grows = deed.after.get(key, 0) - deed.before.get(key, 0)
            if grows <= 0:
                self.fail(f"I8: {deed.owner} is refused for {key}, of which {deed.key.name} asks no more")
            held = self._possible(deed, key)
            least = min(limits.get(key, math.inf) for limits in self._visible(deed))
            if held + grows <= least:
                self.fail(
                    f"I5: {deed.owner} is refused {grows} {key} for {deed.key.name}, though at most {held} of {least} "
                    "can be in use"
                )
        if not deed.dry_run and deed.kind == "create":
            self._over(deed, 0.0)

    def over(self, deed: Deed) -> None:
        """Nothing was stored, nor will it be."""
        if deed.kind == "create" and not deed.dry_run and deed.outcome != "refused":
            self._over(deed, self._cluster.settings.create_seconds + SETTLED_SECONDS)

    def _over(self, deed: Deed, seconds: float) -> None:
        claim = self._claims[deed.owner].get(deed.uid)
        if claim is not None:
            claim.over, claim.seconds = self._cluster.timeline.now, seconds

    @property
    def limits(self) -> Amounts:
        """What everybody may hold now, as far as every replica knows it."""
        if self.has_lost_history and len(self._limits) > 1:
            return {}
        return self._limits[-1][1]

    def settled(self) -> None:
        """Ledgers equal the truth: nothing else can be charged to anybody, and from now on nothing is wrong."""
        self.calm_since = self._cluster.timeline.now
        for owner in self._claims:
            self._claims[owner] = {
                uid: Claim("", pod.amounts, stored=True)
                for uid, pod in self.pods.items()
                if pod.owner == owner
            }

    def restored(self) -> None:
        """The store was set back: what is in it now is all there is."""
        store, known = self._cluster.store, self.pods
        self.has_lost_history = True
        self.pods, self.totals = {}, {}
        for item in store.all(PODS).values():
            amounts = demands.held(item.body)
            if amounts:
                owner = item.body["metadata"]["annotations"]["labquota.dev/owner"]
                pod = known.get(item.uid)
                checked = pod is not None and pod.checked and pod.amounts == amounts
                self.pods[item.uid] = Pod(owner, amounts, checked, admissions=pod.admissions if pod else [])
        for item in store.all(ledgers.PATH).values():
            self.totals[item.body["owner"]] = Book(encoding.decode(item.body["ledger"])).total

    def truth(self, owner: str, *, checked: bool = False) -> Amounts:
        """What an owner's stored pods hold; with `checked`, those that a replica let through."""
        total: Amounts = {}
        for pod in self.pods.values():
            if pod.owner == owner and (pod.checked or not checked):
                for key, amount in pod.amounts.items():
                    total[key] = total.get(key, 0) + amount
        return total

    def owners(self) -> set[str]:
        """Everybody of whom there is anything."""
        return {*self.totals, *(pod.owner for pod in self.pods.values())}

    def _pod(self, change: Change) -> None:
        uid = change.item.uid
        owner = change.item.body["metadata"]["annotations"]["labquota.dev/owner"]
        known = self.pods.get(uid)
        amounts = {} if change.kind == "DELETED" else demands.held(change.item.body)
        if not amounts:
            self.pods.pop(uid, None)
            claim = self._claims.setdefault(owner, {}).get(uid)
            if claim is not None and claim.over == math.inf:
                claim.over, claim.seconds = self._cluster.timeline.now, FREED_SECONDS
            return
        pod = known or Pod(owner, amounts, checked=True, adopted=change.by == ADOPTED)
        rises = {
            key: amount
            for key, amount in amounts.items()
            if known is None or amount > known.amounts.get(key, 0)
        }
        pod.amounts = amounts
        self.pods[uid] = pod
        claim = self._claims.setdefault(owner, {}).setdefault(uid, Claim(change.key.path, amounts))
        claim.stored, claim.amounts = True, _most(claim.amounts, amounts)
        if rises and change.by.startswith("apiserver"):
            deed, self.storing = self.storing, None
            if deed is None or not (deed.answer.allowed and deed.answer.checked):
                pod.checked = False
            else:
                pod.admissions.append(self._admission(deed))
                self._within_limits(owner)
        elif rises and not pod.adopted:
            pod.checked = False
        self._covered(owner, change)

    def _admission(self, deed: Deed) -> Admission:
        bound = {key: max(limits.get(key, math.inf) for limits in self._visible(deed)) for key in NAMES}
        return Admission(deed.asked_at, deed.answered_at, bound, deed.grows)

    def _within_limits(self, owner: str) -> None:
        pods = [pod for pod in self.pods.values() if pod.owner == owner and pod.checked]
        for key in NAMES:
            events = [event for pod in pods for event in pod.admissions if key in event.grows]
            if not events:
                continue
            newest = max(event.began for event in events)
            bound = max(event.bound[key] for event in events if event.ended >= newest)
            held = sum(pod.amounts.get(key, 0) for pod in pods)
            if held > bound:
                self.fail(
                    f"I1: {owner} holds {held} {key} of pods that were let through; the limit was {bound}"
                )

    def _ledger(self, change: Change) -> None:
        owner = change.item.body["owner"]
        if change.by.startswith("webhook") and (change.by, owner) not in self._sent:
            self.fail(
                f"I7: {change.by} wrote the ledger of {owner}, who has asked it for nothing but dry runs"
            )
        if change.kind == "DELETED":
            self.totals.pop(owner, None)
        else:
            self.totals[owner] = Book(encoding.decode(change.item.body["ledger"])).total
        self._covered(owner, change)

    def _covered(self, owner: str, change: Change) -> None:
        total = self.totals.get(owner, {})
        if owner not in self.totals and self._only_adopts(owner):
            return  # nothing has been charged yet, and nobody may have been let through
        for key, amount in sorted(self.truth(owner, checked=True).items()):
            if total.get(key, 0) < amount:
                who = change.by or "somebody"
                self.fail(
                    f"I6: the ledger of {owner} holds {total.get(key, 0)} {key} after a write of {change.key.label} by "
                    f"{who}, its pods {amount}"
                )

    def _only_adopts(self, owner: str) -> bool:
        return all(pod.adopted or not pod.checked for pod in self.pods.values() if pod.owner == owner)

    def _visible(self, deed: Deed) -> Iterator[Amounts]:
        """The limits by which a replica may have judged: those from the one that it knew on."""
        if self.has_lost_history:
            return (limits for _, limits in self._limits)
        began = max((version for version, _ in self._limits if version <= deed.seen_limits), default=0)
        return (limits for version, limits in self._limits if version >= began)

    def _possible(self, deed: Deed, key: str) -> int:
        """The most that may be charged to an owner besides this request; of new pods of one name the largest."""
        now = self._cluster.timeline.now
        held = 0
        by_name: dict[str, int] = {}
        for uid, claim in self._claims.get(deed.owner, {}).items():
            if uid != deed.uid and now <= max(claim.over, self.calm_since) + claim.seconds:
                amount = claim.amounts.get(key, 0)
                if claim.stored:
                    held += amount
                else:
                    by_name[claim.key] = max(amount, by_name.get(claim.key, 0))
        return held + sum(by_name.values()) + (deed.before.get(key, 0) if deed.kind == "resize" else 0)


def _most(a: Amounts, b: Amounts) -> Amounts:
    return {key: max(a.get(key, 0), b.get(key, 0)) for key in {**a, **b}}
