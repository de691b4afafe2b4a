"""What must hold when nothing has been wrong for a while: ledgers equal the truth, all of a budget can be used."""

from typing import TYPE_CHECKING

from labquota.kube import marker, versions
from simulation.checker import NAMES, SETTLED_SECONDS
from simulation.cluster import LEASE

if TYPE_CHECKING:
    from simulation.history import History

TAKEOVER_SECONDS = 14.0
LOST_SECONDS = 150.0
"""A watch from a version of a history that has ended is silent, and is given up after the second silence of 70 s."""
MOST_PROBES = 4
WHOLE = {"gpu": "nvidia.com/gpu", "requests.cpu": "cpu"}


def check(history: "History") -> None:
    """Check what is left; what is wrong is found by the history's checker."""
    cluster, checker = history.cluster, history.checker
    longest = cluster.settings.create_seconds + SETTLED_SECONDS + TAKEOVER_SECONDS
    calm = cluster.timeline.now

    if checker.has_lost_history:
        longest += LOST_SECONDS
    if history.plan.probed:
        _until_led(history)
    looked_at = -1

    def idle() -> bool:
        nonlocal looked_at
        if cluster.store.version == looked_at:
            return False
        looked_at = cluster.store.version
        return all(deed.outcome for deed in cluster.deeds) and not wrong(history)

    if not idle():
        history.wait(longest, idle)
    if history.found:
        return
    if difference := wrong(history):
        waiting = [deed for deed in cluster.deeds if not deed.outcome]
        text = f"{difference}; {len(waiting)} requests have not ended" if waiting else difference
        checker.fail(f"I2: {cluster.timeline.now - calm:.0f} s after the last fault {text}")
        history.found = checker.found
        return
    checker.settled()
    for owner in sorted(checker.owners())[: history.plan.probed]:
        _fill(history, owner)


def _until_led(history: "History") -> None:
    """Wait until somebody leads."""
    leads = _Leading(history)
    history.wait(TAKEOVER_SECONDS * 2, leads)
    if not history.found and not leads():
        history.checker.fail(f"start: nobody leads {TAKEOVER_SECONDS * 2:.0f} s after the last fault")
    if history.checker.has_lost_history:
        _until_present(history)


def _until_present(history: "History") -> None:
    """Wait until the view of who leads is of the history that is: until it looks, it folds what a restore undid."""
    cluster = history.cluster

    def present() -> bool:
        item = cluster.store.find(LEASE)
        holder = str(item.body["spec"].get("holderIdentity", "")) if item else ""
        leaders = [each for each in cluster.operators if holder.startswith(f"{each.name}_") and each.alive]
        views = [each.operator.view.version for each in leaders if each.operator]
        return not any(versions.newer(view, str(cluster.store.version)) for view in views if view)

    history.wait(TAKEOVER_SECONDS * 2, present)
    if not history.found and not present():
        text = f"an operator leads with a view of the lost history {TAKEOVER_SECONDS * 2:.0f} s after its end"
        history.checker.fail(f"start: {text}")
        history.found = history.checker.found


class _Leading:
    """Whether an operator has folded the whole cluster since, and every replica has been told."""

    def __init__(self, history: "History") -> None:
        self._history = history
        self._beat = self._annotations().get(marker.HEARTBEAT)
        self._told = False

    def __call__(self) -> bool:
        cluster = self._history.cluster
        if self._told or not all(
            each.replica is not None and each.replica.synced() for each in cluster.webhooks
        ):
            return self._told
        item = cluster.store.find(LEASE)
        if item is not None and self._annotations().get(marker.HEARTBEAT) != self._beat:
            seen = min(each.seen.get(LEASE.resource, 0) for each in cluster.webhooks)
            self._told = bool(self._annotations().get(marker.VIEW)) and seen >= item.version
        return self._told

    def _annotations(self) -> dict[str, str]:
        item = self._history.cluster.store.find(LEASE)
        found: dict[str, str] = item.body["metadata"].get("annotations", {}) if item else {}
        return found


def wrong(history: "History") -> str:
    """Where a ledger differs from the truth; "" where none does."""
    checker = history.checker
    for owner in sorted(checker.owners()):
        truth, total = checker.truth(owner), checker.totals.get(owner, {})
        for key in sorted({*truth, *total}):
            if truth.get(key, 0) != total.get(key, 0):
                return f"the ledger of {owner} holds {total.get(key, 0)} {key}, its pods {truth.get(key, 0)}"
    return ""


def _fill(history: "History", owner: str) -> None:
    """Ask for one unit at a time until there is none: all that is free is to be had, and no more.

    Each review is sent twice, which changes nothing, and the last that fits is asked for twice under one name and never
    stored: only one pod of a name can come to be.
    """
    checker = history.checker
    limits, truth = checker.limits, checker.truth(owner)
    key = next((key for key in WHOLE if key in limits), "")
    if not key:
        return
    unit = NAMES[key]
    free = (limits[key] - truth.get(key, 0)) // unit
    if "pods" in limits:
        free = min(free, limits["pods"] - truth.get("pods", 0))
    asks = {WHOLE[key]: "1"}
    if free > MOST_PROBES:
        asks = {WHOLE[key]: str(max(1, free // 2))}
        free = free // max(1, free // 2)
        if "pods" in limits or free > MOST_PROBES:
            return
    for number in range(1, max(0, free) + 2):
        fits, last = number <= free, number == free
        for _ in range(2 if last else 1):
            deed = history.kubernetes.create(
                name=f"probe-{number}", owner=owner, asks=asks, twice=True, dropped=last or not fits
            )
            history.wait(12.0, lambda deed=deed: deed is None or bool(deed.outcome))
            if history.found:
                return
            if deed is None or not deed.answer.checked or deed.answer.allowed != fits:
                said = deed.answer.text if deed else "nothing"
                checker.fail(
                    f"I2: {owner} asks for unit {number} of {free} that are free of {key} and hears: {said}"
                )
                history.found = checker.found
                return
