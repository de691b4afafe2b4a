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

**What the webhook let through.** Where the installation is to refuse in every outage (`Fail`, `Deny`), that is each
pod that is stored, whatever anybody says. As shipped it lets pods pass in an outage, and the audit log names each of
them: a failed call by the API server's own annotation, an outage that a replica answered by labquota's. A pod without
a clean answer in the audit log counts for nothing either: whether its API server was killed before or after it had
noted down an outage cannot be told.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from storm import charges
from storm.charges import Amounts
from storm.history import History, LedgerSeen, PodSeen

__all__ = ["LEAST", "QUOTA", "Violation", "check", "coverage", "held", "truth"]

QUOTA = "QUOTA_EXCEEDED"
LEAST = "resize to less"
MOST_OF_A_KIND = 5


@dataclass(frozen=True)
class Violation:
    """Something that must never be, and was."""

    claim: str
    version: int
    """At which resourceVersion; 0 where there is none to name."""
    text: str

    def __str__(self) -> str:
        return f"{self.claim}: {self.text}" + (f" (at version {self.version})" if self.version else "")


def check(history: History, *, strict: bool) -> list[Violation]:
    """All that is wrong with a history, the first few of each kind.

    Args:
        history: what was seen.
        strict: whether nothing at all may pass without a judgement.
    """
    found = [
        *(Violation("unseen", 0, text) for text in history.lost),
        *_stamps(history),
        *_moments(history, strict=strict),
        *truth(history.pods, history.stored),
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


class _Let:
    """Which versions of pods the webhook let through."""

    def __init__(self, history: History, *, strict: bool) -> None:
        self._strict = strict
        clean = [
            each for each in history.requests if each.code < 300 and not each.unjudged and not each.dry_run
        ]
        self._creates = {each.uid for each in clean if each.verb == "create"}
        self._resizes = {(each.uid, each.version) for each in clean if each.verb == "resize"}
        self._last: dict[str, Amounts] = {}
        self._passed_by: set[str] = set()

    def counts(self, pod: PodSeen) -> bool:
        """Whether a pod counts, as it is in this version; asked for each version in order."""
        last = self._last.get(pod.uid)
        self._last[pod.uid] = pod.holds
        if self._strict:
            return True
        if last is None and pod.uid not in self._creates:
            self._passed_by.add(pod.uid)
        if last is not None and _grows(last, pod.holds) and (pod.uid, pod.version) not in self._resizes:
            self._passed_by.add(pod.uid)
        return pod.uid not in self._passed_by


def _grows(before: Amounts, after: Amounts) -> bool:
    return any(amount > before.get(resource, 0) for resource, amount in after.items())


class _Held:
    """What the pods of one owner hold that the webhook let through."""

    def __init__(self) -> None:
        self._pods: dict[str, Amounts] = {}
        self.total: Counter[str] = Counter()

    def put(self, uid: str, amounts: Amounts) -> None:
        """Set what one pod holds."""
        self.total.subtract(self._pods.pop(uid, {}))
        if amounts:
            self._pods[uid] = amounts
            self.total.update(amounts)


def _moments(history: History, *, strict: bool) -> Iterator[Violation]:
    """Go through all versions in order, and look at limits and ledgers at each."""
    let = _Let(history, strict=strict)
    held: defaultdict[str, _Held] = defaultdict(_Held)
    ledgers: dict[str, Amounts] = {}
    events: list[PodSeen | LedgerSeen] = [*history.pods, *history.ledgers]
    for event in sorted(events, key=lambda each: each.version):
        owner = event.owner
        if isinstance(event, LedgerSeen):
            ledgers[owner] = event.total
        else:
            held[owner].put(event.uid, event.holds if let.counts(event) else {})
            for resource, amount in charges.over(held[owner].total, history.limits.get(owner, {})).items():
                most = history.limits[owner][resource]
                text = f"{owner} held {resource} {amount} of {most} after {event.place}"
                yield Violation("limit", event.version, text)
        said = ledgers.get(owner, {})
        for resource, amount in held[owner].total.items():
            # Of resources with a name of their own a ledger keeps those that some limit names.
            if "/" not in resource and amount > said.get(resource, 0):
                text = f"{owner} held {resource} {amount} and the ledger said {said.get(resource, 0)}"
                yield Violation("cover", event.version, f"{text} after {_name(event)}")


def _name(event: PodSeen | LedgerSeen) -> str:
    return event.place if isinstance(event, PodSeen) else f"the ledger was written: {event.text[:300]}"


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
    return dict(found)
