"""Pods as a quorum list has them, compared with the view one by one.

A pod belongs to an owner by an annotation, and no list selects by one: to add up one owner's pods from a quorum read,
all pods of the cluster would have to be read. So namespaces are read, in pages, and each pod in them is held against
the view; what an owner holds is then added up from the view (`Pods.recount`). In the end every pod has been read once
for all owners together, not once for each of them. Nothing of a list is kept but the uids, and pods that differ.

A view that lags is no difference: a list is compared when the view has passed its resourceVersion, and what the view
has seen after that counts as right.
"""

import asyncio
import functools
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator
from typing import Final

import msgspec

from labquota import metrics
from labquota.clock import Clock
from labquota.controllers.charges import Charge, Key
from labquota.controllers.drifts import Difference, Kind, apart
from labquota.controllers.pods import Pods
from labquota.kube import errors, events, versions
from labquota.kube.api import Api
from labquota.kube.breather import Breather
from labquota.kube.informer import Informer
from labquota.kube.listing import Decoder
from labquota.kube.pages import PAGE_SECONDS
from labquota.quota.amounts import Amounts

PAGE: Final = 500
_BETWEEN_SECONDS: Final = 1.0
"""Between two pages: a namespace of 100,000 pods is no burst, and read in the 5 minutes for which a list can go on."""
_VIEW_SECONDS: Final = 10.0


class _Listed(msgspec.Struct, gc=False):
    """What is kept of the list of one namespace."""

    version: str = ""
    keys: set[Key] = msgspec.field(default_factory=set)
    unlike: list[Charge] = msgspec.field(default_factory=list)
    """Pods that the view did not know so when they were listed."""
    whole: bool = True
    """Every pod could be decoded. One that cannot be any more stays in the view as it was, and is not gone."""

    def has(self, charge: Charge) -> bool:
        """Whether a pod of the view was listed, or may be there all the same."""
        return charge.key in self.keys or not self.whole or versions.newer(charge.version, self.version)


class Recounts:
    """Compares namespaces with the view.

    Args:
        api: The API server.
        view: The pods.
        informer: Keeps the view, and is asked for a bookmark where it is quiet.
        clock: Measures how long the loop is held, and how long the view is waited for.
    """

    def __init__(self, api: Api, view: Pods, informer: Informer[Charge], clock: Clock) -> None:
        self._api, self._view, self._informer, self._clock = api, view, informer, clock
        self._breather = Breather(clock)

    async def namespaces(self) -> Counter[str]:
        """All that exist, by a quorum read, and all in which the view has pods; with the number of these.

        Raises:
            KubeError: No answer, or not this one.
        """
        found = Counter(charge.namespace for charge in self._view.everything())
        async for page in self._pages("/api/v1/namespaces"):
            found.update({events.meta(raw).metadata.name: 0 for raw in page.items or ()})
        return found

    async def compare(self, namespaces: Collection[str]) -> list[Difference]:
        """What a quorum list of each of these namespaces and the view say otherwise.

        Raises:
            KubeError: They cannot be listed, or the view does not reach the lists.
        """
        lists = {namespace: await self._list(namespace) for namespace in namespaces}
        await self._reach(functools.reduce(versions.latest, (each.version for each in lists.values()), ""))
        found = [
            each for listed in lists.values() for charge in listed.unlike for each in self._judge(charge)
        ]
        for charge in self._view.everything() if lists else ():
            listed = lists.get(charge.namespace)
            if listed is not None and not listed.has(charge):
                held = apart({}, self._held(charge))
                found.append(_about(charge, "gone", held, "is in the view though it is gone"))
        return found

    async def _list(self, namespace: str) -> "_Listed":
        path = f"/api/v1/namespaces/{namespace}/pods"
        listed = _Listed()
        decode = Decoder(path, self._view.decode)
        async for page in self._pages(path):
            listed.version = page.metadata.resource_version
            self._breather.begin()
            for raw in page.items or ():
                if (charge := decode(raw)) is None:
                    listed.whole = False
                    continue
                known = self._view.find(charge.uid)
                listed.keys.add(charge.key if known is None else known.key)
                if known is None or not _same(charge, known):
                    listed.unlike.append(charge)
                if self._breather.due():
                    await self._breather.breathe()
        metrics.AUDITED_PODS.inc(len(listed.keys))
        return listed

    def _judge(self, charge: Charge) -> Iterator[Difference]:
        """What is wrong in the view about a listed pod, now that the view has passed the list."""
        known = self._view.find(charge.uid)
        if known is None:
            if not self._view.has_ended(charge.uid):
                yield _about(charge, "missed", self._held(charge), "is not in the view")
        elif not versions.newer(known.version, charge.version) and not _same(charge, known):
            right, kept = self._held(charge), self._held(known)
            if charge.owner == known.owner:
                yield _about(charge, "stale", apart(right, kept), "is in the view as it was")
            else:
                yield _about(charge, "stale", right, "is in the view as somebody else's")
                yield _about(known, "stale", apart({}, kept), "is in the view though it is somebody else's")

    def _held(self, charge: Charge) -> Amounts:
        return charge.amounts if self._view.holds(charge) else {}

    async def _pages(self, path: str) -> AsyncIterator[events.Page]:
        params = {"limit": str(PAGE)}
        version = more = ""
        while True:
            query = {**params, "continue": more} if more else params
            page = events.page(await self._api.get(path, query, timeout=PAGE_SECONDS))
            if version and page.metadata.resource_version != version:
                raise errors.Expired(410, "Expired", f"the list of {path} changed its version")
            yield page
            version, more = page.metadata.resource_version, page.metadata.more
            if not more:
                return
            await asyncio.sleep(_BETWEEN_SECONDS)

    async def _reach(self, version: str) -> None:
        """Wait until the view has passed a version."""
        until = self._clock.monotonic() + _VIEW_SECONDS
        while versions.newer(version, self._view.version):
            if self._clock.monotonic() > until:
                raise errors.KubeError(f"the view of pods has not reached {version} in {_VIEW_SECONDS:g} s")
            self._informer.hurry()
            await asyncio.sleep(0.1)


def _same(a: Charge, b: Charge) -> bool:
    """Whether two states of one pod cost the same owner the same."""
    return a.owner == b.owner and a.charged == b.charged and (a.amounts == b.amounts or not a.charged)


def _about(charge: Charge, kind: Kind, amounts: Amounts, what: str) -> Difference:
    return Difference(
        charge.owner, kind, amounts, f"pod {charge.namespace}/{charge.name} {what}", charge.namespace
    )
