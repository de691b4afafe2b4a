"""Whether an owner's sums are those of their pods, and their ledger is as the sums."""

import logging

from labquota.controllers.drifts import Difference, apart, words
from labquota.controllers.folding import Folder
from labquota.controllers.pods import Pods
from labquota.controllers.witness import WitnessedLedgers
from labquota.kube import versions
from labquota.quota.amounts import Amounts
from labquota.quota.encoding import LedgerError
from labquota.quota.owners import Owner

log = logging.getLogger(__name__)


class Accounts:
    """Compares sums and ledgers, owner by owner.

    Args:
        view: The pods.
        store: The ledgers, with a memory of our own writes.
        folder: Knows the epoch.
    """

    def __init__(self, view: Pods, store: WitnessedLedgers, folder: Folder) -> None:
        self._view, self._store, self._folder = view, store, folder

    def owners(self) -> set[Owner]:
        """Everybody who holds a pod or has a ledger."""
        return {*self._view.owners(), *self._store.copies}

    def rebuild(self) -> None:
        """Add all sums up anew."""
        self._view.rebuild()

    def uncounted(self) -> list[Difference]:
        """Pods that are in no sum: all that the view has, at this moment."""
        return [
            Difference(
                each.owner,
                "uncounted",
                each.amounts if self._view.holds(each) else {},
                f"pod {each.namespace}/{each.name} is in no sum",
            )
            for each in self._view.uncounted()
        ]

    def miscounted(self, owner: Owner) -> list[Difference]:
        """Whether an owner's sums are not those of their pods; both are of this moment."""
        recounted, kept = self._view.recount(owner), self._view.sums(owner)
        if recounted == kept:
            return []
        return [Difference(owner, "sums", apart(recounted, kept), f"the sums held {words(recounted, kept)}")]

    def judges(self, owner: Owner) -> bool:
        """Whether the ledger was folded in this epoch, so that it has to be right; or there is nothing to be folded."""
        return self._store.wrote(owner, self._folder.epoch) or not self._view.sums(owner)

    def foreign(self, owner: Owner) -> list[Difference]:
        """Whether somebody else has written what only we may."""
        written = self._store.foreign(owner, self._folder.epoch)
        return [] if written is None else [_ledger(owner, self._view.sums(owner), written)]

    async def unlike(self, owner: Owner) -> tuple[str, Difference] | None:
        """The version of a ledger whose `folded` is not as the sums are, and the difference, which may be a lag.

        Ledgers that this epoch has not written yet are not judged, nor those that are ahead of the view.

        Raises:
            KubeError: No answer, or not this one.
        """
        try:
            stored = await self._store.read(owner)
        except LedgerError as error:
            log.error("a ledger cannot be audited", extra={"owner": owner, "error": str(error)})  # noqa: TRY400  it says all
            return None
        if not self._store.wrote(owner, self._folder.epoch):
            return None
        if stored is not None and (
            versions.newer(stored.ledger.view, self._view.version)
            or versions.newer(stored.ledger.holds, self._view.holds_version)
        ):
            return None
        sums, folded = self._view.sums(owner), stored.ledger.folded if stored else {}
        return (stored.version if stored else "", _ledger(owner, sums, folded)) if sums != folded else None


def _ledger(owner: Owner, sums: Amounts, folded: Amounts) -> Difference:
    return Difference(owner, "ledger", apart(sums, folded), f"the ledger held {words(sums, folded)}")
