"""The definition of ledgers deleted under a live labquota, and applied again: all ledgers are gone at one stroke."""

import asyncio

from controlplane import ControlPlane
from controlplane.process import wait_until
from harness import Installation, World, storming
from harness.storming import all_at_once, tally, true_ledger

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ownerledgers.labquota.dev"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/labquota-system/leases/labquota-operator"
FULL_PODS = "AGGREGATE_PODS_QUOTA_EXCEEDED"


def marked(plane: ControlPlane) -> str:
    """The definition of whose ledgers the operator says that all were folded."""
    annotations: dict[str, str] = plane.client.get(LEASE)["metadata"]["annotations"]
    return annotations.get("labquota.dev/crd-uid", "")


async def test_after_the_ledgers_definition_was_deleted_and_applied_again_all_ledgers_are_true() -> None:
    with (
        ControlPlane() as plane,
        Installation(plane, settings={"create_seconds": 4}) as installed,
        World(plane, installed) as world,
    ):
        users, where = [world.user(name) for name in ("alice", "bob", "eve")], world.namespace()
        owners = [world.owner(user) for user in users]
        world.group("students", subjects=owners, aggregate={"pods": 6})
        first = [(user, storming.pod(f"{n}-{user.name}", where)) for user in users for n in range(4)]
        assert tally(await all_at_once(first)) == {"201": 12}
        for owner in owners:
            true_ledger(world, owner, 5, pods=4)
        old = plane.client.get(CRD)["metadata"]["uid"]
        assert marked(plane) == old

        plane.client.delete(CRD)
        assert wait_until(lambda: plane.client.call("GET", CRD)[0] == 404, 20)
        await asyncio.sleep(2)  # folds fail, watches end
        installed.apply_definitions()
        new = plane.client.get(CRD)["metadata"]["uid"]

        assert wait_until(lambda: marked(plane) == new != old, 60), installed.log("operator-0")[-3:]
        for owner in owners:
            true_ledger(world, owner, 5, pods=4)
        more = [(user, storming.pod(f"{n}-{user.name}", where)) for user in users for n in range(4, 8)]
        assert tally(await all_at_once(more)) == {"201": 6, FULL_PODS: 6}
        for owner in owners:
            true_ledger(world, owner, 5, pods=6)
