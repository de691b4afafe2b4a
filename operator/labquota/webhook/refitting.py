"""Which of an owner's refused pods would fit now, by the newest copy of their ledger that is known here."""

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime

from labquota.kube.ledgers import Ledgers
from labquota.quota import admission, fitting
from labquota.quota.cases import Verdict
from labquota.quota.ledger import EMPTY, Book
from labquota.quota.limits import capped
from labquota.quota.owners import Owner
from labquota.quota.world import World
from labquota.webhook.makers import Maker

log = logging.getLogger(__name__)


class Refitting:
    """Judges them again.

    Args:
        world: Groups, overrides and namespaces.
        store: The ledgers.
    """

    def __init__(self, world: World, store: Ledgers) -> None:
        self._world, self._store = world, store

    def of(self, owner: Owner, makers: Iterable[Maker], now: datetime) -> Iterator[Maker]:
        """Those whose pod would fit, in order, each beside the pods of those before it.

        Args:
            owner: Whose they are.
            makers: What was refused.
            now: The time that decides which overrides apply.
        """
        stored = self._store.copy(owner)
        book = Book(EMPTY if stored is None else stored.ledger)
        limits = self._world.limits_of(owner, self._store.groups(owner), now)
        caps = capped(limits.aggregate) if limits.enforcement == "Enforce" else {}
        for maker in makers:
            if not fitting.room(caps, book.total, maker.asks):
                continue  # so it is with most of them, and much cheaper than to judge
            judged = self._judged(owner, maker, book, now)
            if judged is not None and judged.allowed:
                if judged.reservation is not None:
                    book.join(judged.reservation)
                yield maker

    def _judged(self, owner: Owner, maker: Maker, book: Book, now: datetime) -> Verdict | None:
        """The verdict on a maker's pod if it came now; None where it cannot be judged, or is another's by now."""
        try:
            case = admission.examine(maker.request, self._world, now, self._store.groups)
            return admission.decide(case, book) if case.owner == owner else None
        except Exception:
            log.exception("a refused pod cannot be judged again")
            return None
