"""The facts that a decision needs besides the pod and the ledger: groups, overrides and namespaces.

Whoever watches the cluster puts objects in and takes them out; the decision only reads.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from labquota.quota import costs, limits, owners, selectors
from labquota.quota import trust as trusts
from labquota.quota.amounts import Amounts
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.inventory import Inventory
from labquota.quota.limits import Group, Limits, Override
from labquota.quota.owners import Owner
from labquota.quota.pods import Pod
from labquota.quota.points import EQUIVALENTS, MEMORY
from labquota.quota.resources import BUILT_IN
from labquota.quota.trust import Trust

_MOST_REMEMBERED = 20_000
_KEPT = BUILT_IN - {EQUIVALENTS, MEMORY}
"""What every ledger keeps: prices of GPUs stand in it only where something limits them."""


class World:
    """Groups, overrides and namespaces as they are known now, with the answers that follow from them.

    Args:
        trust: Whom to believe what about owners.
    """

    def __init__(self, trust: Trust = trusts.DEFAULT) -> None:
        self.trust = trust
        self.inventory = Inventory()
        """The GPUs that exist."""
        self.groups: dict[str, Group] = {}
        self.overrides: dict[str, Override] = {}
        self.namespaces: dict[str, tuple[Mapping[str, str], Mapping[str, str]]] = {}
        """Labels and annotations by name."""
        self.owners_revision = 0
        """Counts changes of namespaces, after which pods without a stamp may have other owners."""
        self._revision = 0
        self._ranked: list[Group] = []
        self._by_owner: dict[Owner, list[Override]] = {}
        self._user_groups: frozenset[str] = frozenset()
        self._kept: frozenset[str] = _KEPT
        self._answers: dict[tuple[Owner, tuple[str, ...]], Limits] = {}
        self._answers_until: datetime | None = None

    @property
    def gpu_settings(self) -> GPUSettings:
        """The administrator's word on GPUs."""
        return self.inventory.settings

    @gpu_settings.setter
    def gpu_settings(self, settings: GPUSettings) -> None:
        self.inventory = Inventory(settings)

    def put_group(self, group: Group) -> None:
        """Take in a new or changed group."""
        self.groups[group.name] = group
        self._changed()

    def drop_group(self, name: str) -> None:
        """Forget a group."""
        self.groups.pop(name, None)
        self._changed()

    def put_override(self, override: Override) -> None:
        """Take in a new or changed override."""
        self.overrides[override.name] = override
        self._changed()

    def drop_override(self, name: str) -> None:
        """Forget an override."""
        self.overrides.pop(name, None)
        self._changed()

    def put_namespace(self, name: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
        """Take in a new or changed namespace."""
        if self.namespaces.get(name) != (labels, annotations):
            self.namespaces[name] = labels, annotations
            self.owners_revision += 1
            self._forget()

    def labels_of(self, namespace: str) -> Mapping[str, str]:
        """A namespace's labels."""
        return self.namespaces.get(namespace, ({}, {}))[0]

    def annotations_of(self, namespace: str) -> Mapping[str, str]:
        """A namespace's annotations."""
        return self.namespaces.get(namespace, ({}, {}))[1]

    def drop_namespace(self, name: str) -> None:
        """Forget a namespace."""
        if self.namespaces.pop(name, None) is not None:
            self.owners_revision += 1
            self._forget()

    def owner_of(self, annotations: Mapping[str, str], namespace: str) -> Owner:
        """The owner of a stored pod, from its annotations and its namespace's."""
        return owners.of_pod(annotations, namespace, self.annotations_of(namespace))

    def named_groups(self, user_groups: Iterable[str]) -> tuple[str, ...]:
        """A user's groups cut to those that some ResourceLimitGroup names, in one order."""
        if not self._user_groups:
            return ()
        return tuple(sorted(self._user_groups.intersection(user_groups)))

    def keeps(self, key: str) -> bool:
        """Whether a ledger keeps this resource: it is built in, or some object limits it.

        Names are anybody's to invent: pods with thousands of them would make their owner's ledger too large to store.
        """
        return key in self._kept

    def kept(self, amounts: Amounts) -> Amounts:
        """What a ledger keeps of these."""
        if amounts.keys() <= self._kept:
            return amounts
        return {key: amount for key, amount in amounts.items() if key in self._kept}

    def priced(self, amounts: Amounts, pod: Pod) -> Amounts:
        """A pod's amounts with what its GPUs cost; of a pod without GPUs the very same."""
        return costs.of(amounts, pod, self.inventory)

    def has_gpus(self, amounts: Amounts) -> bool:
        """Whether GPUs are among these, or may be."""
        return "gpu" in amounts or not self.inventory.is_plain

    def revision(self, now: datetime) -> int:
        """Counts what makes earlier answers old: changes, and the moments at which overrides begin or end."""
        if self._answers_until is not None and now >= self._answers_until:
            self._forget()
        return self._revision + self.inventory.revision

    def limits_of(self, owner: Owner, user_groups: tuple[str, ...], now: datetime) -> Limits:
        """What is in force for an owner at a moment; remembered until an override begins or ends."""
        self.revision(now)
        answer = self._answers.get((owner, user_groups))
        if answer is None:
            answer = self._limits_of(owner, user_groups, now)
            if len(self._answers) >= _MOST_REMEMBERED:
                self._answers.clear()
            self._answers[owner, user_groups] = answer
            self._note_boundaries(owner, now)
        return answer

    def group_of(self, owner: Owner, user_groups: tuple[str, ...]) -> tuple[Group, str] | None:
        """The group that decides for an owner, and why it does.

        A group that names the owner goes before a default; among several the highest priority wins, then name order.
        """
        for group in self._ranked:
            if why := self._matches(group, owner, user_groups):
                return group, why
        if owners.is_reserved(owner):
            return None  # Kubernetes' own components are nobody's students
        kind = owners.kind(owner)
        for group in self._ranked:
            if kind in group.default_for:
                return group, f"default for {kind}"
        return None

    def next_change(self, now: datetime) -> datetime | None:
        """When the next override begins or ends."""
        return min(_boundaries(self.overrides.values(), now), default=None)

    def _limits_of(self, owner: Owner, user_groups: tuple[str, ...], now: datetime) -> Limits:
        match = self.group_of(owner, user_groups)
        base = match[0].limits if match else limits.UNLIMITED
        active = [each for each in self._by_owner.get(owner, ()) if each.phase(now) == "Active"]
        if active and match is None:
            base = Limits(enforcement="Enforce")  # an override alone limits an owner whom no group matches
        return limits.merge(base, active)

    def _matches(self, group: Group, owner: Owner, user_groups: tuple[str, ...]) -> str:
        if owner in group.owners:
            return f"subject {owner}"
        if owner.startswith("user:"):
            for name in user_groups:
                if name in group.user_groups:
                    return f"subject group {name}"
        if group.selector is not None and owner.startswith("namespace:"):
            labels = self.namespaces.get(owners.name(owner), ({}, {}))[0]
            if selectors.matches(group.selector, labels):
                return "namespaceSelector"
        return ""

    def _changed(self) -> None:
        self._ranked = sorted(self.groups.values(), key=lambda group: (-group.priority, group.name))
        self._by_owner = {}
        for override in sorted(self.overrides.values(), key=lambda override: override.name):
            if override.owner is not None:
                self._by_owner.setdefault(override.owner, []).append(override)
        self._user_groups = frozenset().union(*(group.user_groups for group in self.groups.values()))
        rules = [(group.limits.aggregate, group.limits.per_pod) for group in self.groups.values()]
        rules += [(override.aggregate, override.per_pod) for override in self.overrides.values()]
        self._kept = _KEPT.union(key for layers in rules for layer in layers for key in layer)
        self._forget()

    def _forget(self) -> None:
        self._revision += 1
        self._answers.clear()
        self._answers_until = None

    def _note_boundaries(self, owner: Owner, now: datetime) -> None:
        for boundary in _boundaries(self._by_owner.get(owner, ()), now):
            if self._answers_until is None or boundary < self._answers_until:
                self._answers_until = boundary


def _boundaries(overrides: Iterable[Override], now: datetime) -> list[datetime]:
    return [
        moment
        for override in overrides
        for moment in (override.not_before, override.expires_at)
        if moment is not None and moment > now
    ]
