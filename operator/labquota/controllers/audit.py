"""The self-audit: whether the view is the cluster, its sums are its pods', and the ledgers are its sums.

    quorum list of pods ──► the view's pods ──► the view's sums ──► `folded`, by a quorum read
                    missed, gone, stale      uncounted, sums      ledger

While an operator leads, every owner and every namespace has its turn once in `audit_seconds`, round robin. At most one
page of 500 pods a second is read: where that is too little, a round takes longer, and costs no more. A difference
counts if a second look finds it again, a while later and with nothing folded meanwhile. One that no lag explains counts
at once: sums that are not those of the pods, and a ledger that somebody else wrote, as soon as the watch shows it.

It repairs by the protocol and writes no number itself: the view is listed anew, the sums are added up anew, the owner
is folded in this epoch. What was repaired is looked at again before it is called right, and else repaired again.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from labquota import metrics
from labquota.clock import Clock
from labquota.controllers import turns
from labquota.controllers.accounts import Accounts
from labquota.controllers.charges import Charge
from labquota.controllers.drifts import Difference, Drifts
from labquota.controllers.folding import Folder
from labquota.controllers.recounting import Recounts
from labquota.kube import errors
from labquota.kube.informer import Informer
from labquota.quota.owners import Owner

log = logging.getLogger(__name__)

_LEAST_SECONDS: Final = 1.0
_STAYS_SECONDS: Final = 30.0
_LISTED: Final = frozenset({"missed", "gone", "stale"})
_COUNTED: Final = frozenset({"uncounted", "sums"})


class Audit:
    """Looks for differences, repairs them, and looks again.

    Args:
        recounts: Compares pods with the view.
        accounts: Compares sums and ledgers with the view.
        folder: Folds ledgers.
        informer: Keeps the view.
        drifts: Where differences are written down.
        clock: Measures turns, and tells when all was audited.
        seconds: The time in which everything has its turn; 0: no audit.
    """

    def __init__(
        self,
        recounts: Recounts,
        accounts: Accounts,
        folder: Folder,
        informer: Informer[Charge],
        drifts: Drifts,
        clock: Clock,
        seconds: float,
    ) -> None:
        self._recounts, self._accounts = recounts, accounts
        self._folder, self._informer, self._drifts = folder, informer, drifts
        self._clock, self._seconds = clock, seconds
        self._stays = min(_STAYS_SECONDS, max(_LEAST_SECONDS, seconds / 10))
        self._leads = False
        self._due: dict[Owner, float] = {}
        """When to look again at what was repaired."""

    async def run(self) -> None:
        """Audit while this operator leads, until cancelled."""
        if not self._seconds:
            return
        self._drifts.begin()
        self._due.clear()
        self._leads = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._rounds())
                tasks.create_task(self._verify())
        finally:
            self._leads = False

    def note(self, owner: Owner) -> None:
        """A newer copy of an owner's ledger is known: has somebody else written what only we may?"""
        if self._leads:
            self._found(self._accounts.foreign(owner))

    async def _rounds(self) -> None:
        while True:
            began, whole = self._clock.monotonic(), True
            await asyncio.sleep(self._stays)
            try:
                plan = await self._plan()
            except errors.KubeError as error:
                log.warning("an audit has to wait", extra={"error": str(error)})
                continue
            for number, (owners, namespaces) in enumerate(plan, 1):
                due = began + self._seconds * number / len(plan)
                await asyncio.sleep(max(_LEAST_SECONDS, due - self._clock.monotonic()))
                try:
                    await self._audit_owners(owners)
                    await self._audit_pods(namespaces)
                except errors.KubeError as error:
                    whole = False
                    log.warning("an audit has to wait", extra={"error": str(error)})
            if whole:
                metrics.AUDIT_PASSED.set(self._clock.now().timestamp())

    async def _plan(self) -> list[turns.Turn]:
        self._found(self._accounts.uncounted())
        return turns.of(self._accounts.owners(), await self._recounts.namespaces())

    async def _audit_pods(self, namespaces: Collection[str]) -> None:
        if first := await self._recounts.compare(namespaces):
            await asyncio.sleep(self._stays)
            again = await self._recounts.compare(sorted({each.namespace for each in first}))
            self._found(each for each in again if each in first)

    async def _audit_owners(self, owners: Collection[Owner]) -> None:
        differ: dict[Owner, tuple[str, Difference]] = {}
        for owner in owners:
            self._found(self._accounts.miscounted(owner))
            if unlike := await self._accounts.unlike(owner):
                differ[owner] = unlike
            metrics.AUDITED_OWNERS.inc()
        if differ:
            await asyncio.sleep(self._stays)
        for owner, unlike in differ.items():
            # The very same: nothing was folded in all this time, nor is anything else to be folded.
            if await self._accounts.unlike(owner) == unlike:
                self._found([unlike[1]])

    async def _verify(self) -> None:
        """Look again at what was repaired a while ago: it is right, or repaired once more."""
        while True:
            await asyncio.sleep(_LEAST_SECONDS)
            now = self._clock.monotonic()
            for owner in self._drifts.open:
                self._due.setdefault(owner, now + self._stays)
            those = {owner: self._drifts.open[owner] for owner, due in self._due.items() if due <= now}
            try:
                await self._look_again(those)
            except errors.KubeError as error:
                log.warning("an audit has to wait", extra={"error": str(error)})

    async def _look_again(self, those: Mapping[Owner, Sequence[Difference]]) -> None:
        namespaces = {each.namespace for found in those.values() for each in found if each.namespace}
        again = set(map(_name, await self._recounts.compare(sorted(namespaces))))
        for owner, found in those.items():
            staying = self._accounts.miscounted(owner)
            staying += [each for each in found if _name(each) in again]
            if unlike := await self._accounts.unlike(owner):
                staying.append(unlike[1])
            if staying:
                self._repair(staying)
            elif self._accounts.judges(owner):
                del self._due[owner]
                self._drifts.right(owner)

    def _found(self, differences: Iterable[Difference]) -> None:
        if those := list(differences):
            self._drifts.found(those, self._repair(those))

    def _repair(self, differences: Collection[Difference]) -> str:
        """Set what there is right by the protocol; what is done about it, in words."""
        done, kinds = [], {each.kind for each in differences}
        if kinds & _LISTED:
            done.append("pods are listed anew")
            self._informer.relist()  # while it is on its way, the view reaches no list, and nothing is found again
        if kinds & _COUNTED:
            done.append("sums are added up anew")
            self._accounts.rebuild()
        for each in differences:
            self._folder.touch(each.owner, freed=True)
            self._due[each.owner] = self._clock.monotonic() + self._stays
        return ", ".join([*done, "the owner is folded"])


def _name(difference: Difference) -> tuple[Owner, str, str]:
    return difference.owner, difference.kind, difference.what
