"""Catchers of faults in following the API server, and in what a replica makes of the operator's marker."""

import random
from collections.abc import Sequence
from typing import Final

from labquota.kube import ledgers, marker
from mutants.scenes import ALICE, BOTH, Demanding, create, end, fault, play, woe
from simulation import faults
from simulation.history import History
from simulation.paths import Key
from simulation.plan import Step
from simulation.profiles import GPU

OLDER: Final = tuple((f"old-{number}", ALICE, {GPU: "1"}) for number in range(2))
SERVERS: Final = ("apiserver-0", "apiserver-1")


def test_what_is_deleted_in_a_gap_is_free() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        gap = [woe(1.0, "silence", name, resource="pods", seconds=6.0) for name in BOTH]
        forget = [woe(2.0, "forget", name) for name in SERVERS]
        return [
            create(0.0, "a", 1),
            create(0.2, "b", 1),
            *gap,
            end(1.5, "a"),
            *forget,
            create(3.0 + rng.random(), "c", 1),
        ]

    play(script, 8)


def test_a_new_list_is_not_older_than_what_was_seen() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        behind = rng.randrange(2)
        others = Step(
            0.09, "limit", {"limits": {"gpu": "4"}}
        )  # its version is one that the view of pods does not know
        forget = [woe(0.12 + 0.06 * n + 0.03 * rng.random(), "forget", SERVERS[1 - behind]) for n in range(3)]
        return [woe(0.0, "hold", SERVERS[behind], seconds=3.0), create(0.05, "a", 1), others, *forget]

    play(script, 60, slowest=0.002)


def test_nobody_begins_at_nothing_before_the_whole_cluster_is_folded() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        frozen = [woe(0.0, "freeze", name, seconds=14.0) for name in BOTH]
        return [*frozen, *(create(7.0 + 2 * rng.random(), name, 1) for name in "abc")]

    play(script, 6, limits={"gpu": "3"}, cold=True, adopted=OLDER)


def test_the_cluster_counts_as_folded_only_when_every_owner_is() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        # Of a new leader's writes the first two are of the Lease, the third is the ledger's.
        lost = [fault(0.0, name, faults.LOST, skip=2) for name in BOTH]
        return [*lost, *(create(0.5 * number + rng.random(), f"p-{number}", 1) for number in range(16))]

    play(script, 12, limits={"gpu": "3"}, cold=True, adopted=OLDER)


def test_ledgers_of_another_definition_are_not_missing_but_gone() -> None:
    class Redefined(History):
        """While no operator runs, the definition of ledgers is deleted, all ledgers with it, and applied again."""

        def act(self) -> None:
            cluster, store = self.cluster, self.cluster.store
            self.wait(3.0)
            for machine in cluster.operators:
                machine.freeze()
            definition = Key(marker.CRD_PATH, "", marker.CRD_NAME)
            for key in [*store.all(ledgers.PATH), definition]:
                store.remove(key, "admin")
            store.put(definition, {"metadata": {"name": marker.CRD_NAME}}, "admin")
            self.wait(1.0)
            super().act()

    def script(rng: random.Random) -> Sequence[Step]:
        return [create(rng.random(), "a", 1), create(rng.random(), "b", 1)]

    play(script, 4, Redefined, limits={"gpu": "3"}, adopted=OLDER)


def test_while_nothing_is_freed_nobody_is_refused_for_it() -> None:
    def script(rng: random.Random) -> Sequence[Step]:
        away = [woe(1.0, "crash", name, seconds=50.0) for name in BOTH]
        return [create(0.0, "a", 3), *away, end(2.0, "a"), create(19.0 + rng.random() * 4, "b", 1)]

    play(script, 4, Demanding)
