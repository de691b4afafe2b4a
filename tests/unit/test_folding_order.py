"""Who is folded first where the operator's writes are scarce."""

import asyncio

import pytest

from labquota.quota.ledger import Ledger
from labquota.quota.owners import Owner
from unit.builders import ALICE, BOB, create, group, manifest, world
from unit.operators import Operator, operating, pod_path, soon
from unit.replicas import held, put
from unit.simulated import Cluster, run

OF = world(group(aggregate={"gpu": 3}))
OTHERS = [Owner(f"user:u{number:02}") for number in range(20)]
WRONG = Ledger(folded={"gpu": 1}, epoch=1)
"""Of an owner without pods: a fold is due."""


def left(cluster: Cluster) -> int:
    """How many of the others have yet to be folded."""
    return sum(held(cluster, owner) == WRONG for owner in OTHERS)


@pytest.mark.parametrize(("reservations", "is_first"), [(100, True), (99, False)])
def test_a_ledger_with_a_hundred_reservations_goes_before_other_folds(
    reservations: int,
    is_first: bool,  # noqa: FBT001  a column of the table
) -> None:
    names = [f"p{number}" for number in range(reservations)]

    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        for name in names:
            cluster.store(pod_path(name), manifest(name, owner=BOB))
        await soon(lambda: held(cluster, BOB).folded.get("pods") == reservations)
        for owner in OTHERS:
            put(cluster, WRONG, owner)
        await asyncio.sleep(1)
        put(cluster, Ledger(epoch=1, reservations=tuple(create(name) for name in names)), BOB)
        await soon(lambda: not held(cluster, BOB).reservations, 20)
        assert (left(cluster) > 10) is is_first
        await soon(lambda: not left(cluster), 20)

    run(operating(Cluster(), OF, scenario, writes_per_second=4))


def test_what_frees_something_goes_before_a_large_ledger() -> None:
    names = [f"p{number}" for number in range(100)]
    order = list[Owner]()

    async def scenario(operator: Operator) -> None:
        cluster = operator.cluster
        for name in names:
            cluster.store(pod_path(name), manifest(name, owner=BOB))
        cluster.store(pod_path("a"), manifest("a", gpu=1))
        await soon(lambda: held(cluster, BOB).folded.get("pods") == 100 and held(cluster).folded != {})
        for owner in OTHERS:
            put(cluster, WRONG, owner)
        await asyncio.sleep(1)
        operator.seen.clear()
        put(cluster, Ledger(epoch=1, reservations=tuple(create(name) for name in names)), BOB)
        cluster.drop(pod_path("a"))
        await soon(lambda: not left(cluster), 20)
        order.extend(stored.owner for stored, _ in operator.seen)

    run(operating(Cluster(), OF, scenario, writes_per_second=4))
    assert [owner for owner in order if owner in {ALICE, BOB}][:2] == [ALICE, BOB]
    assert order.index(BOB) < 6
