"""The marker: word in the API that an operator has folded the whole cluster, and that it still does.

It stands in annotations of the operator's Lease. Only with a complete marker does a missing ledger mean an owner
without pods; only with a heartbeat is anything being freed, so that "no" is an answer and not an outage.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from labquota.clock import Clock

LEASE_NAME: Final = "labquota-operator"
VIEW: Final = "labquota.dev/view"
"""The pods resourceVersion that the operator had seen when it last said so; absent until all was folded once."""
CRD_UID: Final = "labquota.dev/crd-uid"
"""The OwnerLedger CRD whose ledgers were folded: another UID means that all ledgers are gone."""
HEARTBEAT: Final = "labquota.dev/heartbeat"
"""Changes as long as folding goes on."""
HEARTBEAT_SECONDS: Final = 15.0
"""Older than this, a heartbeat says that nothing is being freed."""
CRD_PATH: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRD_NAME: Final = "ownerledgers.labquota.dev"


class _Meta(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    uid: str = ""
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
        self.crd = Crd()

    def beats(self) -> bool:
        """Whether an operator has folded lately, by our own monotonic clock since we saw its heartbeat change."""
        return self._changed_at is not None and self._clock.monotonic() - self._changed_at < HEARTBEAT_SECONDS

    def is_complete(self) -> bool:
        """Whether an operator has folded every owner into ledgers of the CRD that exists now."""
        return bool(self._annotations.get(VIEW)) and self._annotations.get(CRD_UID) == self.crd.uid != ""

    def replaced(self, items: list[Named], resource_version: str) -> None:
        """Take the whole set: one Lease, or none."""
        if items:
            self.changed("MODIFIED", items[0], resource_version)
        else:
            self._annotations = {}

    def changed(self, kind: str, item: Named, resource_version: str) -> None:
        """Take one change."""
        del resource_version
        annotations = {} if kind == "DELETED" else item.metadata.annotations
        beat = annotations.get(HEARTBEAT, "")  # that it has gone is no sign of life
        if beat and beat != self._annotations.get(HEARTBEAT, ""):
            self._changed_at = self._clock.monotonic()
        self._annotations = annotations

    def progressed(self, resource_version: str) -> None:
        """Nothing to do."""


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
