"""Every resourceVersion of a storm: whether an owner's pods were above a limit then, or above their ledger.

**What the webhook let through.** Where the installation is to refuse in every outage (`Fail`, `Deny`), that is each
pod that is stored, whatever anybody says. As shipped it lets pods pass in an outage, and the audit log names each of
them: a failed call by the API server's own annotation, an outage that a replica answered by labquota's. A pod without
a clean answer in the audit log counts for nothing either: whether its API server was killed before or after it had
noted down an outage cannot be told.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from storm import charges
from storm.charges import Amounts
from storm.history import History, LedgerSeen, PodSeen
from storm.violations import Violation

__all__ = ["look"]


class _Let:
    """Which versions of pods the webhook let through."""

    def __init__(self, history: History, *, strict: bool) -> None:
        self._strict = strict
        stored = [each for each in history.requests if each.code < 300 and not each.dry_run]
        clean = [each for each in stored if not each.unjudged]
        self._creates = {each.uid for each in clean if each.verb == "create"}
        # To ask for what a pod has already is answered with the version of whoever asked first.
        passed = {(each.uid, each.version) for each in stored if each.unjudged}
        self._resizes = {(each.uid, each.version) for each in clean if each.verb == "resize"} - passed
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


def look(history: History, *, strict: bool) -> Iterator[Violation]:
    """Go through all versions in order, and look at limits and ledgers at each."""
    let = _Let(history, strict=strict)
    held: defaultdict[str, _Held] = defaultdict(_Held)
    ledgers: dict[str, Amounts] = {}
    events: list[PodSeen | LedgerSeen] = [*history.pods, *history.ledgers]
    for event in sorted(events, key=lambda each: each.version):
        owner = event.owner
        limits = history.limits.get(owner, {})
        if isinstance(event, LedgerSeen):
            ledgers[owner] = event.total
        else:
            held[owner].put(event.uid, event.holds if let.counts(event) else {})
            if above := charges.over(held[owner].total, limits):
                what = ", ".join(
                    f"{resource} {amount} of {limits[resource]}" for resource, amount in above.items()
                )
                yield Violation("limit", event.version, f"{owner} held {what} after {event.place}")
        said = ledgers.get(owner, {})
        # Of resources with a name of their own a ledger keeps those that some limit names.
        kept = {resource: said.get(resource, 0) for resource in held[owner].total if "/" not in resource}
        if above := charges.over(held[owner].total, kept):
            what = ", ".join(
                f"{resource} {amount} (ledger: {kept[resource]})" for resource, amount in above.items()
            )
            yield Violation("cover", event.version, f"{owner} held {what} after {_name(event)}")


def _name(event: PodSeen | LedgerSeen) -> str:
    return event.place if isinstance(event, PodSeen) else f"the ledger was written: {event.text[:300]}"
