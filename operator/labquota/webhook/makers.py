"""Objects whose pods this replica has refused to their controllers, by the owner who would pay for them.

Each is kept until it is asked to try again, or has not tried by itself for longer than any controller waits.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from labquota.quota.amounts import Amounts
from labquota.quota.cases import Case, Request
from labquota.quota.owners import OWNER_ANNOTATION, Owner
from labquota.quota.pods import Metadata, Pod, Reference

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 64.0
"""The pauses after one has been asked, if that did not help: they double, from the first to the longest."""
_KEPT_SECONDS: Final = 1200.0
"""Controllers wait 1,000 s at most; then they are refused anew, here or at another replica."""
_MOST: Final = 5000
_MOST_OF_ONE: Final = 200
"""Of one owner: of more, those refused longest ago are forgotten."""
_MOST_BYTES: Final = 8192
"""Of a pod that is kept. Nobody who means it asks for more resources than that."""


class Maker(msgspec.Struct):
    """One object whose pod was refused."""

    reference: Reference
    request: Request
    """For the pod that was refused last, with no more of it than is judged."""
    asks: Amounts
    """What that pod asks for, of what ledgers keep."""
    at: float
    """When, in monotonic seconds."""

    @property
    def uid(self) -> str:
        """Its uid."""
        return self.reference.uid


class _Pace(msgspec.Struct):
    """When one was asked last, how long it is left alone since, and how far it was."""

    at: float
    pause: float
    progress: int


class Makers:
    """All that are remembered."""

    def __init__(self) -> None:
        self._by_owner: dict[Owner, dict[str, Maker]] = {}
        self._paces: dict[str, _Pace] = {}

    @property
    def owners(self) -> list[Owner]:
        """Who has any."""
        return list(self._by_owner)

    def has(self, owner: Owner) -> bool:
        """Whether an owner has any."""
        return owner in self._by_owner

    def of(self, owner: Owner) -> list[Maker]:
        """An owner's, those refused longest ago first."""
        return list(self._by_owner.get(owner, {}).values())

    def refused(self, case: Case, now: float) -> bool:
        """Remember the maker of a refused pod; false where that is not done."""
        reference, request = case.request.pod.metadata.maker, _slim(case.request)
        if reference is None or len(msgspec.json.encode(request.pod)) > _MOST_BYTES:
            return False
        makers = self._by_owner.get(case.owner, {})
        if known := makers.get(reference.uid):
            known.request, known.asks, known.at = request, case.reservation.after, now
            return True
        if len(makers) >= _MOST_OF_ONE:
            del makers[next(iter(makers))]
        elif sum(map(len, self._by_owner.values())) >= _MOST:
            return False
        self.put_back(case.owner, Maker(reference, request, case.reservation.after, now))
        return True

    def take(self, owner: Owner, maker: Maker) -> None:
        """Forget one, which is asked now."""
        makers = self._by_owner.get(owner, {})
        makers.pop(maker.uid, None)
        if not makers:
            self._by_owner.pop(owner, None)

    def put_back(self, owner: Owner, maker: Maker) -> None:
        """Remember one that was taken, unless it was refused again meanwhile."""
        self._by_owner.setdefault(owner, {}).setdefault(maker.uid, maker)

    def forget_old(self, now: float) -> None:
        """Forget those that do not try any more."""
        for owner in self.owners:
            for maker in self.of(owner):
                if now - maker.at > _KEPT_SECONDS:
                    self.take(owner, maker)

    def refile(self, owner_of: Callable[[Request], Owner]) -> None:
        """Put each where it belongs by what namespaces say now."""
        found = [(owner, maker) for owner in self.owners for maker in self.of(owner)]
        for owner, maker in found:
            if (now := owner_of(maker.request)) != owner:
                self.take(owner, maker)
                self.put_back(now, maker)

    def rests_until(self, maker: Maker) -> float:
        """Until when one is left alone, in monotonic seconds."""
        pace = self._paces.get(maker.uid)
        return 0.0 if pace is None else pace.at + pace.pause

    def asked(self, maker: Maker, progress: int, now: float) -> None:
        """One has been asked. If it is no further than last time, that did not help it then."""
        known, pause = self._paces.pop(maker.uid, None), FIRST_SECONDS
        if known is not None and known.progress == progress and now - known.at < _KEPT_SECONDS:
            pause = min(2 * known.pause, LONGEST_SECONDS)
        while len(self._paces) >= _MOST:
            del self._paces[next(iter(self._paces))]  # whom nobody has asked for longest
        self._paces[maker.uid] = _Pace(now, pause, progress)

    def __len__(self) -> int:
        return len(self._by_owner)


def _slim(request: Request) -> Request:
    """The request with as little of its pod as is judged."""
    meta = request.pod.metadata
    stamp = meta.annotations.get(OWNER_ANNOTATION)
    kept = Metadata(
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        annotations={} if stamp is None else {OWNER_ANNOTATION: stamp},
    )
    # what it reaches was no reason to refuse it, or it would not be here; and it may be as large as a pod can be
    return msgspec.structs.replace(
        request, pod=Pod(metadata=kept, spec=request.pod.spec), access=None, facts={}
    )
