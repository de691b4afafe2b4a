"""When to ask other replicas for their advances back: only where that may turn a refusal into a yes."""

from collections.abc import Collection, Sequence

from labquota.quota import advances
from labquota.quota.admission import Case, Verdict
from labquota.quota.advances import Advance
from labquota.quota.ledger import Book
from labquota.quota.limits import capped
from labquota.webhook.waiting import Waiting


def needed(
    batch: Sequence[Waiting], verdicts: Sequence[Verdict], book: Book, gone: Collection[str]
) -> set[str]:
    """The advances that keep somebody in a batch from being let through.

    Args:
        batch: The requests, as they were just judged.
        verdicts: What became of them.
        book: The owner's ledger, without an advance of our own.
        gone: Advances whose holders did not answer before, so that they count like reservations.
    """
    held = [each for each in book.advances if each.id not in gone]
    refused = [waiting.case for waiting, judged in zip(batch, verdicts, strict=True) if not judged.allowed]
    if held and any(case is not None and _would_fit(case, book, held) for case in refused):
        return {each.id for each in held}
    return set()


def _would_fit(case: Case, book: Book, held: Sequence[Advance]) -> bool:
    if case.request.dry_run or case.refusals or case.over_per_pod:
        return False
    caps, back, growth = capped(case.limits.aggregate), advances.together(held), book.growth(case.reservation)
    return all(
        book.total.get(key, 0) - back.get(key, 0) + growth.get(key, 0) <= caps[key]
        for key in case.grows
        if key in caps
    )
