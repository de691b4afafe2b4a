"""The targets, and in how many repeats a row meets them.

Ratios are between labquota and what stands beside it in the same repeat. Absolute targets depend on the machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.rows import Row, Spread

__all__ = ["TARGETS", "Judgement", "Target", "judge"]


@dataclass(frozen=True)
class Target:
    """One target.

    Attributes:
        row: the key of the row.
        text: the target in words.
        case: whose values count.
        base: what they are divided by; None where the value itself counts.
        most: what is not to be exceeded, or
        least: what is to be reached.
        stretch: whether it is one to reach for, beyond what is promised.
    """

    row: str
    text: str
    case: str = "labquota"
    base: str | None = None
    most: float | None = None
    least: float | None = None
    stretch: bool = False

    def met(self, value: float) -> bool:
        """Whether a value meets it."""
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)


@dataclass(frozen=True)
class Judgement:
    """What became of a target: it holds if the median over the repeats meets it."""

    target: Target
    spread: Spread
    met: int
    of: int

    @property
    def holds(self) -> bool:
        """Whether the median meets it."""
        return self.target.met(self.spread.median)


TARGETS = (
    Target("storm", "pods above the limit in a storm of 64 clients: 0", most=0),
    Target("one-stamped", "one client, stamped: at most 1.15 x ResourceQuota", base="quota", most=1.15),
    Target("one-stamped", "  stretch: 1.0 x ResourceQuota", base="quota", most=1.0, stretch=True),
    Target("one-person", "one client, by a person: at most 1.4 x ResourceQuota", base="quota", most=1.4),
    Target("many-16", "16 clients, one owner: at least 0.9 x ResourceQuota", base="quota", least=0.9),
    Target("many-16", "  stretch: 1.0 x ResourceQuota", base="quota", least=1.0, stretch=True),
    Target(
        "many-16", "16 clients, one owner: at least 0.95 x a webhook that says yes", base="yes", least=0.95
    ),
    Target("many-50", "16 clients, 50 owners: at least 0.75 x ResourceQuota", base="quota", least=0.75),
    Target("review-cpu", "webhook CPU an admission without its ledger write: at most 100 µs", most=100),
    Target("review-cpu", "  stretch: 45 µs", most=45, stretch=True),
    Target(
        "ledger-bytes",
        "ledger of an owner with many pods: at most 1.1 x the size with 10",
        "many",
        "ten",
        1.1,
    ),
    Target("ledger-cost", "an admission for them: at most 1.1 x that with 10", "many", "ten", 1.1),
    Target(
        "event-cpu", "operator CPU an event that changes nothing of a pod's demand: at most 30 µs", most=30
    ),
    Target("sync", "operator synced: at most 10 s", most=10),
    Target("pod-memory", "operator memory a pod: at most 400 bytes", most=400),
    Target("freed", "a finished pod's budget is free again: at most 1 s, p50", most=1000),
    Target("freed-max", "  and the slowest", most=1000),
    Target("gpu-bound", "a pod's devices show in its allocation: at most 2 s, p99", most=2000),
    Target("gpu-writes", "  and nothing is written while nothing changes", most=0),
    Target("agent-cpu", "agent with 8 GPUs of 7 slices: at most 1 % of a core", most=1.0),
    Target("agent-memory", "  and 60 MB", most=60),
    Target("agent-writes", "  and no write but its heartbeat", most=2),
)


def judge(rows: Mapping[str, Row]) -> list[Judgement]:
    """Every target whose row was measured."""
    found = []
    for target in TARGETS:
        row = rows.get(target.row)
        if row is None or target.case not in row.values:
            continue
        values = row.values[target.case] if target.base is None else row.ratios(target.case, target.base)
        if values:
            met = sum(map(target.met, values))
            found.append(Judgement(target, Spread.of(values), met, len(values)))
    return found
