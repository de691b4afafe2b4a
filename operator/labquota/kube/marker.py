"""The marker: word in the API that an operator has folded the whole cluster, and that it still does.

It stands in annotations of the operator's Lease. Only with a complete marker does a missing ledger mean an owner
without pods; only with a heartbeat is anything being freed, so that "no" is an answer and not an outage.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec

from labquota.clock import Clock
from labquota.kube import errors, versions
from labquota.kube.api import Api

LEASE_NAME: Final = "labquota-operator"
VIEW: Final = "labquota.dev/view"
"""The pods resourceVersion that the operator had seen when it last said so; absent until all was folded once."""
CRD_UID: Final = "labquota.dev/crd-uid"
"""The OwnerLedger CRD whose ledgers were folded: another UID means that all ledgers are gone."""
HEARTBEAT: Final = "labquota.dev/heartbeat"
"""Changes as long as folding goes on."""
HEARTBEAT_SECONDS: Final = 15.0
"""Older than this, a heartbeat says that nothing is being freed."""
_READ_SECONDS: Final = 2.0
"""The longest that a read of the Lease may take."""
_PAUSE_SECONDS: Final = 1.0
"""The least from one read to the next."""
CRD_PATH: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRD_NAME: Final = "ownerledgers.labquota.dev"


class _Meta(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    annotations: dict[str, str] = {}


class Named(msgspec.Struct, gc=False):
    """A Lease or a CRD, down to its metadata."""

    metadata: _Meta


decode: Final = msgspec.json.Decoder(Named).decode


def heartbeat(beat: int) -> Mapping[str, str]:
    """The annotations of an operator that folds."""
    return {HEARTBEAT: str(beat)}


def of(view: str, crd_uid: str, beat: int) -> Mapping[str, str]:
    """The annotations of an operator that has folded the whole cluster."""
    return {VIEW: view, CRD_UID: crd_uid, **heartbeat(beat)}


class Marker:
    """What a replica knows of the marker; the sink of the informer on the operator's Lease."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._annotations: Mapping[str, str] = {}
        self._changed_at: float | None = None
        self._read_version = ""
        self.crd = Crd()

    def beats(self) -> bool:
        """Whether an operator has folded lately, by our own monotonic clock since we saw its heartbeat change."""
        return self._changed_at is not None and self._clock.monotonic() - self._changed_at < HEARTBEAT_SECONDS

    def is_complete(self) -> bool:
        """Whether an operator has folded every owner into ledgers of the CRD that exists now."""
        return bool(self._annotations.get(VIEW)) and self._annotations.get(CRD_UID) == self.crd.uid != ""

    def replaced(self, items: list[Named], resource_version: str) -> None:
        """Take the whole set: one Lease, or none."""
        self._read_version = ""
        if items:
            self.changed("MODIFIED", items[0], resource_version)
        else:
            self._annotations = {}

    def changed(self, kind: str, item: Named, resource_version: str) -> None:
        """Take one change."""
        if versions.newer(resource_version, self._read_version):
            self._take({} if kind == "DELETED" else item.metadata.annotations)

    def read(self, item: Named) -> None:
        """Take the Lease as a read has found it; what the watch tells late of older ones is no news any more."""
        self._read_version = item.metadata.resource_version
        self._take(item.metadata.annotations)

    def _take(self, annotations: Mapping[str, str]) -> None:
        beat = annotations.get(HEARTBEAT, "")  # that it has gone is no sign of life
        if beat and beat != self._annotations.get(HEARTBEAT, ""):
            self._changed_at = self._clock.monotonic()
        self._annotations = annotations

    def progressed(self, resource_version: str) -> None:
        """Nothing to do."""


class Pulse:
    """The marker, with a read of the Lease where the watch says that there is none, or that it stands still.

    A watch may go silent in one replica alone; without this, all that replica refuses would count as an outage. There
    is one read at a time, and one a second at most.

    Args:
        api: The API server.
        marker: What the watch tells.
        namespace: Where the Lease is.
        clock: For the pause between reads.
    """

    def __init__(self, api: Api, marker: Marker, namespace: str, clock: Clock) -> None:
        self._api, self._marker, self._clock = api, marker, clock
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LEASE_NAME}"
        self._began = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def beats(self) -> bool:
        """As `Marker.beats`."""
        if not self._marker.beats():
            await self._look()
        return self._marker.beats()

    async def is_complete(self) -> bool:
        """As `Marker.is_complete`."""
        if not self._marker.is_complete():
            await self._look()
        return self._marker.is_complete()

    async def _look(self) -> None:
        now, reading = self._clock.monotonic(), self._reading
        if reading is None or (reading.done() and now - self._began >= _PAUSE_SECONDS):
            self._began = now
            reading = self._reading = asyncio.create_task(self._read())
        await asyncio.shield(reading)

    async def _read(self) -> None:
        with suppress(errors.KubeError, msgspec.DecodeError, TimeoutError):
            async with asyncio.timeout(_READ_SECONDS):
                self._marker.read(decode(await self._api.get(self._path)))


class Crd:
    """The UID of the OwnerLedger CRD as it exists now; the sink of the informer on it."""

    def __init__(self) -> None:
        self.uid = ""

    def replaced(self, items: list[Named], resource_version: str) -> None:
        """Take the whole set: one CRD, or none."""
        del resource_version
        self.uid = items[0].metadata.uid if items else ""

    def changed(self, kind: str, item: Named, resource_version: str) -> None:
        """Take one change."""
        del resource_version
        self.uid = "" if kind == "DELETED" else item.metadata.uid

    def progressed(self, resource_version: str) -> None:
        """Nothing to do."""
