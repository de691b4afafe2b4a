"""What pods hold in the end, and whether the ledgers say the same."""

from collections.abc import Iterable, Iterator

from storm import charges
from storm.charges import Amounts
from storm.history import LedgerSeen, PodSeen
from storm.violations import Violation

__all__ = ["held", "truth"]


def held(pods: Iterable[PodSeen]) -> dict[str, Amounts]:
    """What each owner holds after all these versions, let through or not."""
    last = {pod.uid: pod for pod in pods}
    recount: dict[str, list[Amounts]] = {}
    for pod in last.values():
        if not pod.gone:
            recount.setdefault(pod.owner, []).append(pod.holds)
    return {owner: charges.add(each) for owner, each in recount.items()}


def truth(pods: Iterable[PodSeen], ledgers: Iterable[LedgerSeen]) -> Iterator[Violation]:
    """Where ledgers, as they are in the end, differ from a recount."""
    recount = held(pods)
    stored = {ledger.owner: ledger for ledger in ledgers}
    for owner in sorted({*recount, *stored}):
        pods_hold = recount.get(owner, {})
        ledger = stored.get(owner)
        if ledger is None:
            if any(pods_hold.values()):
                yield Violation("truth", 0, f"{owner} has no ledger and holds {pods_hold}")
            continue
        for resource in sorted({*pods_hold, *ledger.total}):
            said, is_ = ledger.total.get(resource), pods_hold.get(resource, 0)
            kept = said is not None or "/" not in resource  # others are kept only where some limit names them
            if kept and (said or 0) != is_:
                text = f"the ledger of {owner} says {resource} {said or 0}, and the pods hold {is_}"
                yield Violation("truth", ledger.version, text)
        if ledger.reserved:
            text = f"the ledger of {owner} has {len(ledger.reserved)} open reservations: {ledger.text[:300]}"
            yield Violation("truth", ledger.version, text)
