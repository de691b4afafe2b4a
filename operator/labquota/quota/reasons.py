"""The reasons to refuse a pod that are no question of amounts: who asks, how, and whether the ledger has room.

What exceeds a limit is for `verdict` to say.
"""

from collections.abc import Iterable
from typing import Final

from labquota.quota import costs, demand, ledger, placing, verdict
from labquota.quota.amounts import Amounts
from labquota.quota.cases import Case, Request
from labquota.quota.ledger import Book
from labquota.quota.limits import Limits, capped
from labquota.quota.owners import OWNER_ANNOTATION, Owner
from labquota.quota.verdict import Refused
from labquota.quota.world import World

_MOST_NAMED: Final = 10
_BOOK_FULL: Final = "wait until they are stored or given up"


def of_request(
    request: Request, owner: Owner, requester: Owner, limits: Limits, asked: Amounts, world: World
) -> Iterable[Refused]:
    """Reasons that need no ledger, the gravest first.

    Args:
        request: What the API server asks.
        owner: Whose pod it is.
        requester: Who asks.
        limits: What is in force for the owner.
        asked: All that the pod asks for, also what no ledger keeps.
        world: Who may make pods that carry another's stamp, and what GPUs cost.
    """
    create = request.operation == "CREATE"
    stamp = request.pod.metadata.annotations.get(OWNER_ANNOTATION)
    if (
        create
        and stamp not in (None, requester, request.owner)
        and not world.trust.hands_on(request.username)
    ):
        text = f'the pod is stamped "{stamp}", but {requester} creates it; leave annotation {OWNER_ANNOTATION} out'
        yield Refused(verdict.FORGED, text, f"metadata.annotations[{OWNER_ANNOTATION}]")
    if limits.enforcement == "Off":
        return
    if limits.suspended:
        yield Refused(verdict.SUSPENDED, f"{owner} is suspended by {limits.suspended}; ask who approved it")
    if not create:
        return  # a resize changes cpu and memory alone; what the pod had before is no reason to refuse it
    yield from _of_gpus(request, owner, limits, asked, world)
    if limits.when_unset == "Refuse":
        keys = [*capped(limits.aggregate), *capped(limits.per_pod)]
        for key, containers in demand.unset(request.pod, keys).items():
            more = f" and {len(containers) - _MOST_NAMED} more" if len(containers) > _MOST_NAMED else ""
            named = ", ".join(containers[:_MOST_NAMED]) + more
            text = f"{key} is limited for {owner}; set resources.{key} for: {named}"
            yield Refused(verdict.UNSET, text, f"spec.containers[].resources.{key}")


def _of_gpus(
    request: Request, owner: Owner, limits: Limits, asked: Amounts, world: World
) -> Iterable[Refused]:
    """What is wrong with the names of its GPUs: nobody has priced one, or it is a whole one and must not be."""
    if not world.has_gpus(asked):
        return
    whole: list[str] = []
    offered = _offered(world)  # said once, however many names somebody invents
    found = costs.items(asked, placing.of(request.pod.spec), world.inventory)
    for each in sorted(found, key=lambda item: item.resource):
        if each.price is None:
            text = (
                f'nobody has priced the GPU resource "{each.resource}"; use a resource that the nodes offer'
            )
            text, offered = text + offered, ""
            yield Refused(verdict.UNKNOWN_GPU, text, f"spec.containers[].resources.limits[{each.resource}]")
        elif each.price.whole:
            whole.append(each.resource)
    if whole and not limits.allow_whole_gpu:
        text = f"{owner} may use MIG slices only ({limits.whole_gpu_source}), and the pod asks for {whole[0]}"
        yield Refused(verdict.WHOLE_GPU, text, f"spec.containers[].resources.limits[{whole[0]}]")


def _offered(world: World) -> str:
    names = world.inventory.offered()
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f": {', '.join(names[:_MOST_NAMED])}{more}" if names else ""


def of_book(case: Case, book: Book) -> Refused | None:
    """Why the owner's ledger takes no further reservation, however little it asks for; None where it does."""
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
