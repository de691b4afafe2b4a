"""When to ask other replicas for their advances back: only where that may turn a refusal into a yes."""

from collections.abc import Collection, Iterable, Sequence

from labquota.quota import advances
from labquota.quota.admission import Case, Verdict
from labquota.quota.amounts import Amounts, add
from labquota.quota.ledger import Book, Reservation
from labquota.quota.limits import capped
from labquota.webhook.waiting import Waiting


def needed(
    batch: Sequence[Waiting],
    verdicts: Sequence[Verdict],
    book: Book,
    given: Iterable[Reservation],
    gone: Collection[str],
) -> tuple[bool, set[str]]:
    """Whether somebody in a batch might be let through after a moment, and the advances to recall for that.

    What we gave out of an advance may have been folded before we put it down: then it counts twice until the operator
    sees that.

    Args:
        batch: The requests, as they were just judged.
        verdicts: What became of them.
        book: The owner's ledger, without an advance of our own and with what was given out of it.
        given: That.
        gone: Advances whose holders did not answer before, so that they count like reservations.
    """
    held = [each for each in book.advances if each.id not in gone]
    back = advances.together(held)
    for reservation in given:
        back = add(back, reservation.after)
    refused = [
        waiting.case
        for waiting, judged in zip(batch, verdicts, strict=True)
        if not judged.allowed and all(cause.code.startswith("AGGREGATE_") for cause in judged.causes)
    ]
    if back and any(case is not None and _would_fit(case, book, back) for case in refused):
        return True, {each.id for each in held}
    return False, set()


def _would_fit(case: Case, book: Book, back: Amounts) -> bool:
    if case.request.dry_run or case.refusals or case.over_per_pod:
        return False
    caps, growth = capped(case.limits.aggregate), book.growth(case.reservation)
    return all(
        book.total.get(key, 0) - back.get(key, 0) + growth.get(key, 0) <= caps[key]
        for key in case.grows
        if key in caps
    )
