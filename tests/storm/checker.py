"""Whether what must hold has held, by a history alone.

| claim | of what |
|---|---|
| limit | at no resourceVersion do the pods of an owner that the webhook let through exceed a limit (I1) |
| cover | at no resourceVersion is a ledger below those pods (I6, and why I1 holds) |
| truth | after quiet every ledger equals a recount of the pods, and no reservation is open (I2) |
| dry run | no dry run is stored, or reserved anywhere (I4) |
| own | no ledger reserves a pod that carries another owner's stamp (I7) |
| never | no deletion, and no resize to less, is refused for quota (I8) |
| stamp | every pod carries the stamp of an owner who has a limit: else the others would prove nothing |
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from storm import moments, recount
from storm.history import History
from storm.violations import Violation

__all__ = ["LEAST", "QUOTA", "check", "coverage"]

QUOTA = "QUOTA_EXCEEDED"
LEAST = "resize to less"
MOST_OF_A_KIND = 5


def check(history: History, *, strict: bool) -> list[Violation]:
    """All that is wrong with a history, the first few of each kind.

    Args:
        history: what was seen.
        strict: whether nothing at all may pass without a judgement.
    """
    found = [
        *(Violation("unseen", 0, text) for text in history.lost),
        *_stamps(history),
        *moments.look(history, strict=strict),
        *recount.truth(history.pods, history.stored),
        *_dry_runs(history),
        *_strangers(history),
        *_refused(history),
    ]
    return list(_few(found))


def _few(found: Iterable[Violation]) -> Iterator[Violation]:
    """The first of each kind, and how many more there are."""
    kinds: Counter[str] = Counter()
    for violation in found:
        kinds[violation.claim] += 1
        if kinds[violation.claim] <= MOST_OF_A_KIND:
            yield violation
    for claim, count in kinds.items():
        if count > MOST_OF_A_KIND:
            yield Violation(claim, 0, f"{count - MOST_OF_A_KIND} more")


def _stamps(history: History) -> Iterator[Violation]:
    for pod in history.pods:
        if pod.owner not in history.limits:
            yield Violation("stamp", pod.version, f"{pod.place} carries the stamp {pod.owner!r}")


def _dry_runs(history: History) -> Iterator[Violation]:
    tried = {
        each.uid: each for each in history.requests if each.dry_run and each.verb == "create" and each.uid
    }
    for pod in history.pods:
        if pod.uid in tried:
            yield Violation("dry run", pod.version, f"{pod.place} was stored by a dry run")
    for ledger in history.ledgers:
        for uid in ledger.reserved:
            if uid in tried:
                text = f"the ledger of {ledger.owner} has a reservation for the dry run {tried[uid].place}"
                yield Violation("dry run", ledger.version, text)


def _strangers(history: History) -> Iterator[Violation]:
    owners = {pod.uid: pod.owner for pod in history.pods}
    for ledger in history.ledgers:
        for uid in ledger.reserved:
            if owners.get(uid, ledger.owner) != ledger.owner:
                text = f"the ledger of {ledger.owner} has a reservation for a pod of {owners[uid]}"
                yield Violation("own", ledger.version, text)


def _refused(history: History) -> Iterator[Violation]:
    for request in history.requests:
        shrinks = request.verb in ("delete", LEAST)
        if shrinks and request.code >= 400 and QUOTA in request.message:
            text = f"{request.verb} of {request.place} was refused for quota: {request.message[:200]}"
            yield Violation("never", 0, text)


def coverage(history: History) -> dict[str, int]:
    """What there was to be checked, by word: a storm in which nothing happened proves nothing."""
    words: Iterable[str] = (
        f"{each.verb}{' (dry run)' if each.dry_run else ''} "
        f"{'unjudged' if each.unjudged and each.code < 300 else each.code}"
        for each in history.requests
    )
    found = Counter(words)
    found["versions of pods"] = len(history.pods)
    found["versions of ledgers"] = len(history.ledgers)
    answered = {each.uid for each in history.requests if each.verb == "create"}
    found["pods that no answer in an audit log names"] = len({pod.uid for pod in history.pods} - answered)
    return dict(found)
