"""What becomes of a workload that somebody creates, scales or changes: how many of its pods will run.

    template ──► the first of its pods, as a controller will ask for it ──► how many fit now, and into an empty budget
                                                                              └► none: never    fewer: so many, now

Nobody is refused here: the pods are judged when they come. What is said holds for the moment at which it is said.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from labquota.quota import admission, fitting, owners, rollouts, workloads
from labquota.quota.access import Access
from labquota.quota.cases import Case, Request
from labquota.quota.fitting import Fit
from labquota.quota.ledger import EMPTY, Book, Ledger
from labquota.quota.limits import capped
from labquota.quota.owners import OWNER_ANNOTATION, Owner
from labquota.quota.pods import Metadata, Pod
from labquota.quota.rollouts import Rollout
from labquota.quota.workloads import Template, Workload
from labquota.quota.world import World

_CONTROLLER: Final = "system:serviceaccount:kube-system:replicaset-controller"
"""Any of those that make pods from templates: they are judged alike."""


class Change(msgspec.Struct, frozen=True):
    """A workload that is created or changed."""

    resource: str
    """Its kind, one of `workloads.KINDS`."""
    namespace: str
    name: str
    new: Workload
    old: Workload | None = None
    """As it was; None for one that is created."""
    replaces: bool = False
    """Its template changes in any way, so that a Deployment replaces its pods."""
    access: Access | None = None
    """What may lead out of its new pods."""


class Outlook(msgspec.Struct, frozen=True):
    """What will become of its pods."""

    change: Change
    owner: Owner
    count: int
    """How many it wants at once; 0 where it makes none for now."""
    now: Fit
    """What fits beside what the owner holds besides this workload."""
    ever: Fit
    """What fits where they hold nothing else."""
    warned: bool
    """Nothing is refused, only counted: the group's enforcement is Warn."""
    can_roll: bool = True
    """A change of its template could replace all of its pods."""


def owner(change: Change, world: World) -> Owner:
    """Who pays for its pods: they carry the stamp of the template, or are followed to that of the workload."""
    stored = change.new if change.old is None else change.old
    stamp = owners.named(stored.template.metadata.annotations)
    return stamp or world.owner_of(stored.metadata.annotations, change.namespace)


def of(
    change: Change,
    world: World,
    now: datetime,
    remembered: Callable[[Owner], tuple[str, ...]],
    ledger: Ledger,
) -> Outlook:
    """Judge a workload's pods before they come.

    Args:
        change: The workload.
        world: Groups, overrides and namespaces.
        now: The time that decides which overrides apply.
        remembered: A user's groups as their ledger keeps them.
        ledger: What its owner holds.
    """
    who = owner(change, world)

    def case_of(template: Template, access: Access | None = None) -> Case:
        return admission.examine(_first(change, who, template, access), world, now, remembered)

    case = case_of(change.new.template, change.access)
    warned = case.limits.enforcement == "Warn"
    if warned:  # what would be refused is what is to be told
        limits = msgspec.structs.replace(case.limits, enforcement="Enforce")
        case = msgspec.structs.replace(case, limits=limits)
    count = workloads.wanted(change.resource, change.new)
    ever = fitting.fit(case, EMPTY, max(count, 1))
    if change.new.is_waiting:
        count = 0
    if change.resource == "cronjobs":  # what its owner will hold then, nobody knows
        return Outlook(change, who, count, ever, ever, warned)
    before = case if change.old is None else case_of(change.old.template)
    running = 0 if change.old is None else workloads.made(change.resource, change.old)
    others = _others(ledger, before, running)
    found = fitting.fit(case, others, count)
    can_roll = (
        warned or change.resource != "deployments" or _can_roll(change, case, before, running, others, found)
    )
    return Outlook(change, who, count, found, ever, warned, can_roll)


def _first(change: Change, who: Owner, template: Template, access: Access | None) -> Request:
    """The request for one of its pods, as its controller will send it."""
    stamp: dict[str, str] = {OWNER_ANNOTATION: who}
    meta = Metadata(name=change.name, namespace=change.namespace, uid="advised", annotations=stamp)
    return Request(
        uid="advised",
        operation="CREATE",
        username=_CONTROLLER,
        groups=(),
        namespace=change.namespace,
        name=change.name,
        pod=Pod(metadata=meta, spec=template.spec),
        owner=who,
        access=access,
    )


def _others(ledger: Ledger, before: Case, running: int) -> Ledger:
    """What the owner holds besides this workload. What replicas hold in advance is for whoever asks."""
    total = Book(msgspec.structs.replace(ledger, advances=())).total
    each = before.reservation.after
    return Ledger(folded={key: max(0, amount - running * each.get(key, 0)) for key, amount in total.items()})


def _can_roll(change: Change, case: Case, before: Case, running: int, others: Ledger, found: Fit) -> bool:
    """Whether this change can be rolled out; or where all pods will run and none is replaced now, the next one."""
    strategy, replicas = change.new.spec.strategy, change.new.spec.replicas
    if strategy.type != "RollingUpdate" or not found.admitted or not case.is_counted:
        return True
    if found.admitted < replicas and not change.replaces:
        return True  # that some wait is said already
    old, new = before.reservation.after, case.reservation.after
    caps = capped(case.limits.aggregate)
    left = {key: amount - others.folded.get(key, 0) for key, amount in caps.items()}
    if old == new:
        running = found.admitted
    return rollouts.can_end(Rollout(replicas, running, old, new, left), strategy.rolling_update)
