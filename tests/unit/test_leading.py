"""What the holder of the Lease says of the cluster, and what it may not say yet."""

import asyncio
import re

import pytest

from labquota.kube import errors
from labquota.kube.ledgers import PATH
from labquota.quota.ledger import Ledger
from labquota.quota.owners import Owner
from unit.builders import ALICE, BOB, create, group, manifest, world
from unit.leaders import Leading, leading
from unit.operators import pod_path, soon
from unit.replicas import held, put, where
from unit.simulated import Cluster, Fault, run

OF = world(group(aggregate={"gpu": 3}))
EVE = Owner("user:eve")


class Wall(Cluster):
    """A cluster that refuses to store some owners' ledgers, and counts the tries."""

    def __init__(self, *owners: Owner, error: errors.KubeError) -> None:
        super().__init__()
        self.walled = {where(owner) for owner in owners}
        self.error = error
        self.tries = 0

    async def replace(self, path: str, body: bytes, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        self._refuse(path)
        return await super().replace(path, body, timeout=timeout)

    async def create(
        self,
        path: str,
        body: bytes,
        params: None = None,  # type: ignore[override]  # nobody here passes any
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as in Api
    ) -> bytes:
        if path == PATH:
            found = re.search(rb'"name": ?"([^"]+)"', body)
            assert found
            self._refuse(f"{PATH}/{found[1].decode()}")
        return await super().create(path, body, params, timeout=timeout)

    def _refuse(self, path: str) -> None:
        if path in self.walled:
            self.tries += 1
            raise self.error


def peopled(cluster: Cluster, *owners: Owner) -> Cluster:
    """With a pod of one GPU for each of these owners."""
    for owner in owners:
        name = owner.removeprefix("user:")
        cluster.store(pod_path(name), manifest(name, owner=owner, gpu=1))
    return cluster


def test_the_marker_is_complete_only_after_every_owner_was_folded_and_the_heart_beats_meanwhile() -> None:
    cluster = Wall(BOB, error=errors.Unreachable("not now"))
    peopled(cluster, ALICE, BOB, EVE)

    async def scenario(operator: Leading) -> None:
        await soon(lambda: held(cluster).folded.get("gpu") == 1)
        await soon(lambda: operator.beat() > 2, 20)
        assert operator.marked() == "", "bob is owed a fold"
        assert cluster.tries > 1
        cluster.walled.clear()
        await operator.whole()
        assert [held(cluster, owner).folded["gpu"] for owner in (ALICE, BOB, EVE)] == [1, 1, 1]

    run(leading(cluster, OF, scenario))


def test_the_heartbeat_stops_when_nothing_at_all_can_be_folded_any_more() -> None:
    cluster = Wall(error=errors.Unreachable("away"))
    peopled(cluster, ALICE)

    async def scenario(operator: Leading) -> None:
        await operator.whole()
        cluster.walled.add(where(ALICE))
        cluster.store(pod_path("more"), manifest("more", gpu=1))
        await asyncio.sleep(20)
        beat = operator.beat()
        await asyncio.sleep(20)
        assert operator.beat() == beat, "ten seconds without a fold that is due are stuck"
        cluster.walled.clear()
        await soon(lambda: operator.beat() > beat, 10)
        assert held(cluster).folded["gpu"] == 2

    run(leading(cluster, OF, scenario))


def test_ledgers_of_another_definition_are_whole_only_when_all_were_folded_again() -> None:
    cluster = Wall(error=errors.Unreachable("not now"))
    peopled(cluster, ALICE, BOB)

    async def scenario(operator: Leading) -> None:
        await operator.whole()
        cluster.walled.add(where(BOB))
        operator.crd.uid = "crd-2"
        for owner in (ALICE, BOB):  # its ledgers went with the old one
            cluster.drop(where(owner))
        await soon(lambda: held(cluster).folded.get("gpu") == 1)
        beat = operator.beat()
        await soon(lambda: operator.beat() > beat + 1, 10)
        assert operator.marked() == "crd-1", "a replica sees that this is not the definition that exists"
        cluster.walled.clear()
        await operator.whole()
        assert operator.marked() == "crd-2"
        assert held(cluster, BOB).folded["gpu"] == 1

    run(leading(cluster, OF, scenario))


@pytest.mark.parametrize("status", [413, 422])
def test_one_ledger_that_cannot_be_stored_keeps_nobody_from_a_whole_cluster(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = Wall(BOB, error=errors.ApiError(status, "Invalid", "too much of it"))
    put(cluster, Ledger(folded={"gpu": 7}), BOB)
    peopled(cluster, ALICE, BOB)

    async def scenario(operator: Leading) -> None:
        await operator.whole()
        assert held(cluster).folded["gpu"] == 1
        assert held(cluster, BOB).folded["gpu"] == 7, "it stands as it was: too much is no way past a limit"
        await soon(lambda: cluster.tries > 3, 30)
        beat = operator.beat()
        for number in range(8):  # somebody is folded now and then
            cluster.store(pod_path(f"p{number}"), manifest(f"p{number}", gpu=1))
            await asyncio.sleep(5)
        assert operator.beat() > beat + 15

    run(leading(cluster, OF, scenario))
    assert {each.__dict__["owner"] for each in caplog.records if each.message == "a fold failed"} == {BOB}


def test_one_missing_ledger_that_cannot_be_stored_does_keep_the_cluster_from_being_whole() -> None:
    cluster = Wall(BOB, error=errors.ApiError(422, "Invalid", "too much of it"))
    peopled(cluster, ALICE, BOB)

    async def scenario(operator: Leading) -> None:
        await soon(lambda: cluster.tries > 5, 60)
        assert operator.marked() == "", "a replica would take it for that of an owner without pods"

    run(leading(cluster, OF, scenario))


def test_a_ledger_goes_when_it_has_been_empty_for_so_long_and_no_sooner() -> None:
    cluster = Cluster()
    put(cluster, Ledger())
    put(cluster, Ledger(), BOB)

    async def scenario(operator: Leading) -> None:
        await operator.whole()
        await asyncio.sleep(280)
        put(cluster, Ledger(epoch=1, reservations=(create("b", gpu=1),)), BOB)
        assert where(ALICE) in cluster.objects
        await soon(lambda: where(ALICE) not in cluster.objects, 180)
        assert where(BOB) in cluster.objects, "it was not empty all the time"
        await soon(lambda: where(BOB) not in cluster.objects, 500)

    run(leading(cluster, OF, scenario, empty_seconds=300))


def test_an_empty_ledger_that_gets_a_reservation_at_the_last_moment_stays() -> None:
    cluster = Cluster()
    put(cluster, Ledger())
    late = create("late", gpu=1)

    async def scenario(operator: Leading) -> None:
        await operator.whole()
        cluster.plan("delete", Fault(wait=5.0))  # the replica is faster than the delete
        await soon(lambda: cluster.count("delete") == 1, 500)
        put(cluster, Ledger(epoch=1, reservations=(late,)))
        await asyncio.sleep(10)
        assert held(cluster).reservations == (late,)

    run(leading(cluster, OF, scenario, empty_seconds=300))


def test_the_ledger_of_an_owner_who_holds_a_finished_pod_stays() -> None:
    cluster = Cluster()
    cluster.store(pod_path("a"), manifest("a", gpu=1))

    async def scenario(operator: Leading) -> None:
        await operator.whole()
        cluster.store(pod_path("a"), manifest("a", gpu=1, phase="Succeeded"))
        await asyncio.sleep(700)
        assert where(ALICE) in cluster.objects
        cluster.drop(pod_path("a"))
        await soon(lambda: where(ALICE) not in cluster.objects, 700)

    run(leading(cluster, OF, scenario, empty_seconds=300))
