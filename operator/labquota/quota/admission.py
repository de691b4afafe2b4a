"""The path of one pod: who it belongs to, what it asks for, what is in force, and whether it fits.

    examine(request, world, now) ──► Case            all that needs no ledger
    decide(case, book)           ──► Verdict         all that does; the caller writes `verdict.reservation`

Read on in owners, limits, demand, ledger, verdict and explain, in this order.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, Literal

import msgspec

from labquota.quota import demand, encoding, gpus, ledger, owners, verdict
from labquota.quota.ledger import Book, Reservation
from labquota.quota.limits import Limits, capped
from labquota.quota.owners import OWNER_ANNOTATION, Owner
from labquota.quota.pods import Pod
from labquota.quota.quantities import QuantityError
from labquota.quota.resources import Amounts
from labquota.quota.verdict import Cause, Exceeded, Refused
from labquota.quota.world import World

MIRROR_ANNOTATION: Final = "kubernetes.io/config.mirror"
_NODE: Final = "system:node:"
_MOST_NAMED: Final = 10
_BOOK_FULL: Final = "wait until they are stored or given up"


class Request(msgspec.Struct, frozen=True):
    """What one AdmissionReview asks, as far as the decision reads it."""

    uid: str
    operation: Literal["CREATE", "UPDATE"]
    username: str
    groups: tuple[str, ...]
    namespace: str
    name: str
    pod: Pod
    old_pod: Pod | None = None
    dry_run: bool = False


class Case(msgspec.Struct, frozen=True):
    """A request with all that follows from it and the world, without the ledger."""

    request: Request
    owner: Owner
    limits: Limits
    grows: Amounts
    reservation: Reservation
    user_groups: tuple[str, ...] | None = None
    """The requester's groups that some limit names; None where the owner is not the requester."""
    refusals: tuple[Refused, ...] = ()
    over_per_pod: tuple[Exceeded, ...] = ()
    stamped: bool = True
    new_groups: bool = False
    """The requester's groups are others than the ledger remembers."""

    @property
    def is_mirror(self) -> bool:
        """Whether it is a static pod, which is charged and never refused."""
        return _is_mirror(self.request)

    @property
    def needs_ledger(self) -> bool:
        """Whether the aggregate layer has anything to say, so that the request is to be judged and reserved."""
        if self.refusals and self.limits.enforcement == "Enforce":
            return False
        return self.is_counted or self.new_groups

    @property
    def is_counted(self) -> bool:
        """Whether what it asks is compared with the aggregate limits and reserved."""
        return self.limits.reserves and bool(self.grows)


class Verdict(msgspec.Struct, frozen=True):
    """The answer: allowed, or every reason why not."""

    allowed: bool
    causes: tuple[Cause, ...] = ()
    nearly: tuple[Exceeded, ...] = ()
    reservation: Reservation | None = None
    """What is to be written before the answer is given."""
    open_reservations: int = 0
    warned: bool = False
    """Allowed only because the group's enforcement is Warn."""


ALLOWED: Final = Verdict(allowed=True)


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
    pod, old = request.pod, request.old_pod
    annotations = pod.metadata.annotations
    stored = old.metadata.annotations if old is not None else annotations
    owner = world.owner_of(stored, request.namespace)
    requester = owners.of_requester(request.username)
    known = remembered(owner)
    user_groups = world.named_groups(request.groups) if owner == requester else None
    limits = world.limits_of(owner, known if user_groups is None else user_groups, now)
    try:
        after = demand.asked(pod)
        before: Amounts = {}
        if old is not None:
            before, held = demand.held(old), demand.held(pod)
            after = {key: max(amount, held.get(key, 0)) for key, amount in after.items()}
    except QuantityError as error:
        refusals = [Refused(verdict.UNREADABLE, str(error))]
        return _case(request, owner, limits, {}, {}, refusals)
    asked = after
    after = {key: amount for key, amount in asked.items() if world.keeps(key)}
    before = {key: amount for key, amount in before.items() if key in after}
    grows = _rise(before, after)
    refusals = []
    if grows and not _is_mirror(request):  # what takes no more of anything is never refused
        refusals = list(_refusals(request, owner, requester, limits, asked))
    case = _case(request, owner, limits, before, after, refusals)
    if not encoding.is_safe(case.reservation):
        text = "the pod's uid, name or a resource name holds characters that Kubernetes does not allow there"
        # Not even under Warn is it reserved: it would make the whole batch unwritable.
        case = msgspec.structs.replace(case, refusals=(Refused(verdict.UNREADABLE, text),), grows={})
    new_groups = user_groups is not None and user_groups != known
    return msgspec.structs.replace(case, user_groups=user_groups, new_groups=new_groups)


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
    if full := _book_is_full(case, book):
        return Verdict(allowed=False, causes=(full,), open_reservations=len(book))
    in_flight = {key: amount - book.ledger.folded.get(key, 0) for key, amount in book.total.items()}
    growth = book.growth(reservation)
    over = verdict.over_aggregate(case.limits.aggregate, case.grows, book.total, growth, in_flight)
    if causes := (*case.refusals, *over, *case.over_per_pod):
        refusal = Verdict(allowed=False, causes=causes, reservation=reservation, open_reservations=len(book))
        return _unless_warned(case, refusal)
    after = {key: book.total.get(key, 0) + growth.get(key, 0) for key in case.grows}
    nearly = tuple(verdict.nearly_over(case.limits.aggregate, case.grows, after))
    return Verdict(allowed=True, nearly=nearly, reservation=reservation)


def _case(
    request: Request,
    owner: Owner,
    limits: Limits,
    before: Amounts,
    after: Amounts,
    refusals: list[Refused],
) -> Case:
    grows = _rise(before, after)
    mirror = _is_mirror(request)
    meta, old = request.pod.metadata, request.old_pod
    return Case(
        request=request,
        owner=owner,
        limits=limits,
        grows=grows,
        reservation=Reservation(
            uid=meta.uid,
            namespace=request.namespace,
            name=meta.name or request.name,
            version=old.metadata.resource_version if old is not None else "",
            review=request.uid if old is not None else "",
            before=before,
            after=after,
        ),
        refusals=tuple(refusals),
        over_per_pod=() if mirror else tuple(verdict.over_per_pod(limits.per_pod, grows, after)),
        stamped=OWNER_ANNOTATION in (old or request.pod).metadata.annotations,
    )


def _refusals(
    request: Request, owner: Owner, requester: Owner, limits: Limits, asked: Amounts
) -> Iterable[Refused]:
    """Reasons that need no ledger, the gravest first."""
    create = request.operation == "CREATE"
    stamp = request.pod.metadata.annotations.get(OWNER_ANNOTATION)
    if create and stamp not in (None, requester) and not owners.is_controller(request.username):
        text = f'the pod is stamped "{stamp}", but {requester} creates it; leave annotation {OWNER_ANNOTATION} out'
        yield Refused(verdict.FORGED, text, f"metadata.annotations[{OWNER_ANNOTATION}]")
    if limits.enforcement == "Off":
        return
    if limits.suspended:
        yield Refused(verdict.SUSPENDED, f"{owner} is suspended by {limits.suspended}; ask who approved it")
    if not create:
        return  # a resize changes cpu and memory alone; what the pod had before is no reason to refuse it
    for name in gpus.unknown(asked):
        text = f'nobody has priced the GPU resource "{name}"; use a resource that the nodes offer'
        yield Refused(verdict.UNKNOWN_GPU, text, f"spec.containers[].resources.limits[{name}]")
    if not limits.allow_whole_gpu and (whole := [name for name in asked if gpus.whole(name)]):
        text = f"{owner} may use MIG slices only ({limits.whole_gpu_source}), and the pod asks for {whole[0]}"
        yield Refused(verdict.WHOLE_GPU, text, f"spec.containers[].resources.limits[{whole[0]}]")
    if limits.when_unset == "Refuse":
        keys = [*capped(limits.aggregate), *capped(limits.per_pod)]
        for key, containers in demand.unset(request.pod, keys).items():
            more = f" and {len(containers) - _MOST_NAMED} more" if len(containers) > _MOST_NAMED else ""
            named = ", ".join(containers[:_MOST_NAMED]) + more
            text = f"{key} is limited for {owner}; set resources.{key} for: {named}"
            yield Refused(verdict.UNSET, text, f"spec.containers[].resources.{key}")


def _rise(before: Amounts, after: Amounts) -> Amounts:
    return {key: amount - before.get(key, 0) for key, amount in after.items() if amount > before.get(key, 0)}


def _unless_warned(case: Case, refusal: Verdict) -> Verdict:
    """Under `enforcement: Warn` a refusal becomes a warning, and what it asks is reserved all the same."""
    forged = any(cause.code == verdict.FORGED for cause in refusal.causes)
    if refusal.allowed or case.limits.enforcement == "Enforce" or forged:
        return refusal if refusal.allowed else msgspec.structs.replace(refusal, reservation=None)
    return msgspec.structs.replace(refusal, allowed=True, warned=case.limits.enforcement == "Warn")


def _book_is_full(case: Case, book: Book) -> Refused | None:
    name = f"{case.reservation.namespace}/{case.reservation.name}"
    if book.count_for(case.reservation.namespace, case.reservation.name) >= ledger.MOST_FOR_ONE_NAME:
        text = f"{ledger.MOST_FOR_ONE_NAME} requests for pod {name} are in flight already; {_BOOK_FULL}"
        return Refused(verdict.TOO_MANY, text)
    if len(book) >= ledger.MOST_RESERVATIONS:
        return Refused(verdict.TOO_MANY, f"{len(book)} requests of {case.owner} are in flight; {_BOOK_FULL}")
    if book.size + len(case.reservation) > ledger.MOST_BYTES:
        kinds = len({*case.reservation.after, *book.total})
        text = (
            f"{len(book)} requests in flight and {kinds} kinds of resources would take {case.owner} above "
            f"{ledger.MOST_BYTES // 1024} KiB of bookkeeping; {_BOOK_FULL}, or ask for fewer kinds"
        )
        return Refused(verdict.TOO_MANY, text)
    return None


def _is_mirror(request: Request) -> bool:
    """A static pod, shown by its node: the annotation alone is a user's claim."""
    return request.username.startswith(_NODE) and MIRROR_ANNOTATION in request.pod.metadata.annotations
