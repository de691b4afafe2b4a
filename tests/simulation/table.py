"""One history as a table that a person can read: when, who, what, and where the ledger and the pods stand after it."""

from dataclasses import dataclass

from simulation.cluster import Cluster
from simulation.store import Change


@dataclass
class Row:
    """One line."""

    at: float
    who: str
    what: str
    outcome: str
    standing: str = ""


class Table:
    """Takes down what happens.

    Attributes:
        rows: all of it, in order.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._cluster: Cluster

    def follow(self, cluster: Cluster) -> None:
        """Take down what happens in a cluster, from now on."""
        self._cluster = cluster
        cluster.network.trace = self._traced
        cluster.store.told.append(self._stored)

    def _traced(self, who: str, what: str, outcome: str) -> None:
        self.rows.append(Row(self._cluster.timeline.now, who, what, outcome))

    def _stored(self, change: Change) -> None:
        resource = change.key.resource.rpartition("/")[2]
        if resource == "leases":
            what = f"{change.kind} lease by {change.item.body['spec'].get('holderIdentity', '')[:12]}"
        else:
            what = f"{change.kind} {change.key.label[:40]}"
        ledger = change.item.body.get("ledger", "")
        self.rows.append(
            Row(
                self._cluster.timeline.now,
                change.by or "-",
                what,
                f"v{change.version} {ledger}",
                self._standing(),
            )
        )

    def _standing(self) -> str:
        checker = self._cluster.checker
        parts = []
        for owner in sorted(checker.owners()):
            total, truth = checker.totals.get(owner, {}), checker.truth(owner)
            amounts = " ".join(
                f"{key} {total.get(key, 0)}/{truth.get(key, 0)}" for key in sorted({*total, *truth})
            )
            parts.append(f"{owner.partition(':')[2]}: {amounts}")
        return "; ".join(parts)

    def text(self) -> str:
        """The table, with a head: `ledger/pods` are what the ledger holds and what the stored pods do."""
        lines = [f"{'seconds':>9}  {'who':12} {'what':44} {'outcome':60} ledger/pods"]
        lines += [
            f"{row.at:9.4f}  {row.who:12} {row.what[:44]:44} {row.outcome[:100]:60} {row.standing}".rstrip()
            for row in self.rows
        ]
        return "\n".join(lines)
