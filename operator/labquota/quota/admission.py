"""The path of one pod: who it belongs to, what it asks for, what is in force, and whether it fits.

    examine(request, world, now) ──► Case            all that needs no ledger
    decide(case, book)           ──► Verdict         all that does; the caller writes `verdict.reservation`

Read on in cases, owners, limits, demand, reasons, ledger, verdict and explain, in this order.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from labquota.quota import demand, encoding, holding, ledger, owners, reasons, verdict, ways
from labquota.quota.amounts import Amounts, rise
from labquota.quota.cases import Case, Request, Verdict
from labquota.quota.ledger import Book, Reservation
from labquota.quota.owners import OWNER_ANNOTATION, Owner
from labquota.quota.quantities import QuantityError
from labquota.quota.verdict import Cause, Exceeded, Refused
from labquota.quota.world import World

__all__ = ["ALLOWED", "Case", "Request", "Verdict", "decide", "examine"]

ALLOWED: Final = Verdict(allowed=True)
_UNSAFE: Final = (
    "the pod's uid, name or a resource name holds characters that Kubernetes does not allow there"
)


def examine(
    request: Request, world: World, now: datetime, remembered: Callable[[Owner], tuple[str, ...]]
) -> Case:
    """Find out all that can be known before the owner's ledger is read.

    Args:
        request: What the API server asks.
        world: Groups, overrides and namespaces.
        now: The time that decides which overrides apply.
        remembered: A user's groups as their ledger keeps them, for pods that others make for them.
    """
    if request.hold is not None:
        return holding.examine(request, world, now, remembered)
    pod, old = request.pod, request.old_pod
    owner = request.owner or world.owner_of(request.stored.annotations, request.namespace)
    requester = owners.of_requester(request.username)
    known = remembered(owner)
    user_groups = world.named_groups(request.groups) if owner == requester else None
    limits = world.limits_of(owner, known if user_groups is None else user_groups, now)
    try:
        stored = pod if old is None else old  # says where it runs, and with that what its GPUs cost
        after = world.priced(demand.asked(pod), stored)
        before: Amounts = {}
        if old is not None:
            before = world.priced(demand.held(old), stored)
            held = world.priced(demand.held(pod), stored)
            after = {key: max(amount, held.get(key, 0)) for key, amount in after.items()}
    except QuantityError as error:
        unread = (Refused(verdict.UNREADABLE, str(error)),)
        return Case(
            request=request,
            owner=owner,
            limits=limits,
            grows={},
            reservation=_reservation(request, {}, {}),
            refusals=unread,
            stamped=_stamped(request),
        )
    asked = after
    after = world.kept(asked)
    if before:
        before = {key: amount for key, amount in before.items() if key in after}
    grows = rise(before, after)
    refusals: tuple[Refused, ...] = ()
    over_per_pod: tuple[Exceeded, ...] = ()
    opened = ways.Ways(limits)
    if not request.is_mirror:
        if grows:  # what takes no more of anything is never refused
            refusals = tuple(reasons.of_request(request, owner, requester, limits, asked, world))
        opened = ways.of(request, owner, requester, limits, asked, world, now)
        over_per_pod = tuple(verdict.over_per_pod(limits.per_pod, grows, after))
    reservation = _reservation(request, before, after)
    if not encoding.is_safe(reservation):
        # Not even under Warn is it reserved: it would make the whole batch unwritable.
        refusals, grows = (Refused(verdict.UNREADABLE, _UNSAFE),), {}
    return Case(
        request=request,
        owner=owner,
        limits=opened.limits,
        grows=grows,
        reservation=reservation,
        user_groups=user_groups,
        refusals=(*refusals, *opened.refusals),
        over_per_pod=over_per_pod,
        told=opened.told,
        unread=opened.unread,
        stamped=_stamped(request),
        new_groups=user_groups is not None and user_groups != known,
    )


def decide(case: Case, book: Book) -> Verdict:
    """Judge a case against what its owner holds.

    Args:
        case: What `examine` found.
        book: The owner's ledger with all that was accepted before this case in the same batch.

    Returns:
        A verdict; where it carries a reservation, the pod may be let through only once that is stored.
    """
    if not (case.needs_ledger and case.is_counted):
        causes: tuple[Cause, ...] = (*case.refusals, *case.over_per_pod)
        return _unless_warned(case, Verdict(allowed=not causes, causes=causes))
    reservation = case.reservation
    if book.holds(reservation):
        return ALLOWED  # a replay: it is charged already
    if case.is_mirror:
        return Verdict(allowed=True, reservation=reservation)
    if full := reasons.of_book(case, book):
        return Verdict(allowed=False, causes=(full,), open_reservations=len(book))
    settled = ledger.settled(book)
    in_flight = {key: amount - settled.get(key, 0) for key, amount in book.total.items()}
    growth = book.growth(reservation)
    over = verdict.over_aggregate(case.limits.aggregate, case.grows, book.total, growth, in_flight)
    if causes := (*case.refusals, *over, *case.over_per_pod):
        refusal = Verdict(allowed=False, causes=causes, reservation=reservation, open_reservations=len(book))
        return _unless_warned(case, refusal)
    after = {key: book.total.get(key, 0) + growth.get(key, 0) for key in case.grows}
    nearly = tuple(verdict.nearly_over(case.limits.aggregate, case.grows, after))
    return Verdict(allowed=True, nearly=nearly, reservation=reservation)


def _reservation(request: Request, before: Amounts, after: Amounts) -> Reservation:
    meta, old = request.pod.metadata, request.old_pod
    return Reservation(
        uid=meta.uid,
        namespace=request.namespace,
        name=meta.name or request.name,
        version=old.metadata.resource_version if old is not None else "",
        review=request.uid if old is not None else "",
        before=before,
        after=after,
    )


def _stamped(request: Request) -> bool:
    return OWNER_ANNOTATION in request.stored.annotations


def _unless_warned(case: Case, refusal: Verdict) -> Verdict:
    """Under `enforcement: Warn` a refusal becomes a warning, and what it asks is reserved all the same."""
    forged = any(cause.code == verdict.FORGED for cause in refusal.causes)
    if refusal.allowed or case.limits.enforcement == "Enforce" or forged:
        return refusal if refusal.allowed else msgspec.structs.replace(refusal, reservation=None)
    return msgspec.structs.replace(refusal, allowed=True, warned=case.limits.enforcement == "Warn")
