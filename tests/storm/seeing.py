"""Versions of pods and ledgers, from the JSON that an API server sends."""

from collections.abc import Mapping
from typing import Any

from labquota.quota import encoding
from labquota.quota.ledger import Book
from storm import charges
from storm.history import LedgerSeen, PodSeen

__all__ = ["ledger_seen", "pod_seen"]

STAMP = "labquota.dev/owner"


def pod_seen(item: Mapping[str, Any], *, gone: bool = False) -> PodSeen:
    """One version of a pod, from its JSON."""
    meta = item["metadata"]
    return PodSeen(
        version=int(meta["resourceVersion"]),
        uid=meta["uid"],
        place=f"{meta['namespace']}/{meta['name']}",
        owner=(meta.get("annotations") or {}).get(STAMP, ""),
        holds={} if gone else charges.of(item),
        gone=gone,
    )


def ledger_seen(item: Mapping[str, Any], *, gone: bool = False) -> LedgerSeen:
    """One version of a ledger, from its JSON."""
    text, version = item["ledger"], int(item["metadata"]["resourceVersion"])
    ledger = encoding.decode(text)
    return LedgerSeen(
        version=version,
        owner=item["owner"],
        total={} if gone else dict(Book(ledger).total),
        reserved=() if gone else tuple(each.uid for each in ledger.reservations),
        text=text,
        gone=gone,
    )
