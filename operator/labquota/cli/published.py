"""Budgets as the operator publishes them, and a ledger made of one where ledgers are closed to the person who asks."""

import msgspec

from labquota.api import API_VERSION, OwnerUsage
from labquota.cli.cluster import Cluster, segment
from labquota.kube.errors import NotFound
from labquota.quota import owners, resources
from labquota.quota.ledger import Ledger, Reservation
from labquota.quota.owners import Owner
from labquota.quota.points import COMPUTE, EQUIVALENTS, SLOTS
from labquota.quota.quantities import QuantityError


def read(cluster: Cluster, owner: Owner) -> OwnerUsage | None:
    """An owner's budget; None where nothing is published."""
    try:
        body = cluster.get(f"/apis/{API_VERSION}/ownerusages/{segment(owners.object_name(owner))}")
    except NotFound:
        return None
    return msgspec.json.decode(body, type=OwnerUsage)


def amounts(shown: dict[str, str]) -> dict[str, int]:
    """Amounts in base units from the words of an OwnerUsage; what cannot be read is left out."""
    found = {}
    for key, text in shown.items():
        try:
            found[key] = resources.parse_limit(key, text) or 0
        except QuantityError:
            continue
    return found


def as_ledger(usage: OwnerUsage) -> Ledger:
    """A ledger of the same totals; what is reserved is in one piece, since a budget does not tell them apart."""
    points = usage.status.points
    reserved = _exact(amounts(usage.status.reserved), points.reserved_compute, points.reserved_memory)
    one = Reservation(uid="", namespace="", name="", version="", before={}, after=reserved)
    return Ledger(
        folded=_exact(amounts(usage.status.used), points.compute, points.memory),
        reservations=(one,) if reserved else (),
    )


def _exact(found: dict[str, int], compute: int, memory: int) -> dict[str, int]:
    """With the two ledgers behind gpu-equivalents in its place."""
    both = {key: each for key, each in ((COMPUTE, compute), (SLOTS, memory)) if each}
    return {key: each for key, each in found.items() if key != EQUIVALENTS} | both
