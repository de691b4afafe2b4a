"""A budget that stands in for a ledger says exactly what the ledger does."""

from labquota.api import ObjectMeta, OwnerUsage, OwnerUsageSpec, OwnerUsageStatus, UsagePoints
from labquota.cli import published
from labquota.quota.ledger import in_flight
from labquota.quota.points import COMPUTE, MEMORY, SLOTS


def test_the_two_ledgers_of_gpus_are_told_apart() -> None:
    status = OwnerUsageStatus(
        used={"gpu": "2", "gpu-equivalents": "0.857", "gpu-memory": "20Gi"},
        reserved={"gpu": "1", "gpu-equivalents": "0.25"},
        points=UsagePoints(compute=48, memory=42, reserved_compute=8, reserved_memory=14),
    )
    usage = OwnerUsage(
        metadata=ObjectMeta(name="alice"), spec=OwnerUsageSpec(owner="user:alice"), status=status
    )
    ledger = published.as_ledger(usage)
    assert ledger.folded == {"gpu": 2, COMPUTE: 48, SLOTS: 42, MEMORY: 20 * 2**30}
    assert in_flight(ledger) == {"gpu": 1, COMPUTE: 8, SLOTS: 14}
