"""The operator's ledgers, with a memory of what it wrote itself: what is otherwise was written by somebody else.

Replicas write reservations and leave `folded` as it is. So in one epoch a copy that is newer than our own last write,
and whose `folded` is none that we have sent since, is nobody's who may write it.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from labquota.kube import versions
from labquota.kube.api import Api
from labquota.kube.ledgers import Ledgers, Stored
from labquota.quota.amounts import Amounts
from labquota.quota.ledger import Ledger
from labquota.quota.owners import Owner

_MOST_SENT: Final = 32


class _Written(msgspec.Struct, gc=False):
    """Our own writes of one owner's ledger in one epoch."""

    epoch: int
    version: str = ""
    """Of the last one that was answered; empty before that."""
    view: str = ""
    """The view that it was folded from."""
    folded: list[Amounts] = []
    """Of that one, then of those sent since, which may have been stored without an answer."""


class WitnessedLedgers(Ledgers):
    """As `Ledgers`, where every swap is a fold of this process."""

    def __init__(self, api: Api, told: Callable[[Owner], object] = id) -> None:
        super().__init__(api, told)
        self._written: dict[Owner, _Written] = {}

    async def swap(self, stored: Stored, ledger: Ledger) -> Stored:
        """Write a ledger in place of the one that was read, and remember it."""
        ours = self._written.get(stored.owner)
        if ours is None or ours.epoch != ledger.epoch:
            ours = self._written[stored.owner] = _Written(ledger.epoch)
        ours.folded.append(ledger.folded)
        if len(ours.folded) > _MOST_SENT:
            ours.version, ours.folded = "", [ledger.folded]  # nothing is sure until the next answer
        written = await super().swap(stored, ledger)
        ours.version, ours.view, ours.folded = written.version, ledger.view, [ledger.folded]
        return written

    async def remove(self, stored: Stored) -> None:
        """Remove a ledger, only if it is still the one that was read."""
        await super().remove(stored)
        self._written.pop(stored.owner, None)

    def wrote(self, owner: Owner, epoch: int) -> bool:
        """Whether this process has written the owner's ledger in an epoch, so that it is to be as the view says."""
        ours = self._written.get(owner)
        return ours is not None and ours.epoch == epoch and bool(ours.version)

    def foreign(self, owner: Owner, epoch: int) -> Amounts | None:
        """What somebody else wrote as `folded` over what this process wrote in an epoch; None where nobody did."""
        copy = self.copy(owner)
        if copy is None or not self.wrote(owner, epoch) or copy.ledger.epoch > epoch:
            return None
        ours = self._written[owner]
        if not versions.newer(copy.version, ours.version) or copy.ledger.folded in ours.folded:
            return None
        if versions.newer(
            ours.view, copy.ledger.view
        ):  # ours of old, perhaps, that a restore of etcd has brought back
            return None
        return copy.ledger.folded
