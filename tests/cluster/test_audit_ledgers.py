"""The audit on a real control plane: a ledger that somebody edits by hand, and all that nobody touches."""

import json

import msgspec
import pytest

from cluster.steps import eventually, fill, held, line, settled
from controlplane.process import wait_until
from harness import Installation, World
from labquota.quota import encoding, owners
from labquota.quota.owners import Owner

DRIFTS = "labquota_audit_difference_owners"
COUNTED = 'labquota_audit_differences_total{kind="ledger"}'


def drift(world: World, owner: str) -> dict[str, str]:
    """The condition `LedgerDrift` of an owner; empty while there is none."""
    found: list[dict[str, str]] = world.usage(owner).get("conditions", [])
    return next((each for each in found if each["type"] == "LedgerDrift"), {})


@pytest.mark.parametrize(("gpus", "cores"), [(0, 0), (3, 5000)])
async def test_a_number_that_an_admin_writes_into_a_ledger_is_named_and_folded_over(
    installation: Installation, world: World, gpus: int, cores: int
) -> None:
    alice, where = world.user("tampered"), world.namespace()
    owner = Owner(world.owner(alice))
    world.group("student", subjects=[owner], aggregate={"gpu": 3, "cpu": 8})
    async with world.client(alice) as client:
        await fill(client, held("a", where, gpu=2, cpu=1))
        settled(world, owner, 1)
        before = installation.metrics("operator-0").get(COUNTED, 0)
        right = encoding.decode(world.ledger(owner) or "")
        wrong = msgspec.structs.replace(
            right, folded={**right.folded, "gpu": gpus, "requests.cpu": cores, "pods": 1}
        )
        body = json.dumps({"ledger": encoding.encode(wrong)})
        name = owners.object_name(owner)
        world.plane.kubectl(world.plane.admin, "patch", "ownerledger", name, "--type=merge", "-p", body)

        def folded() -> bool:
            return encoding.decode(world.ledger(owner) or "").folded == right.folded

        assert wait_until(folded, 2), world.ledger(owner)
        assert wait_until(lambda: drift(world, owner).get("status") == "True", 5), world.usage(owner)
        assert f"the ledger held gpu {gpus} instead of 2" in drift(world, owner)["message"]
        assert f"requests.cpu {cores // 1000} instead of 1" in drift(world, owner)["message"]
        assert installation.metrics("operator-0")[DRIFTS] == 1
        assert installation.metrics("operator-0")["labquota_audit_difference_gpus"] == abs(gpus - 2)
        assert installation.metrics("operator-0")[COUNTED] == before + 1
        answer = await client.create_pod(held("b", where, gpu=2, cpu=1))
        assert "asked gpu 2, used 2 of 3 GPU units" in line(answer)
        assert wait_until(lambda: drift(world, owner)["status"] == "False", 15), drift(world, owner)
        assert drift(world, owner)["reason"] == "Repaired"
        assert f"gpu {gpus} instead of 2" in drift(world, owner)["message"]
        assert installation.metrics("operator-0")[DRIFTS] == 0
        assert installation.metrics("operator-0")[COUNTED] == before + 1
        assert encoding.decode(world.ledger(owner) or "").folded == right.folded
    (said,) = [
        each
        for each in installation.log("operator-0")
        if each["message"] == "a recount differs" and each["owner"] == owner
    ]
    assert said["repair"] == "the owner is folded"


def looked(installation: Installation) -> tuple[float, float, float]:
    """Pods that were compared, owners that were recounted, and when a round ended."""
    found = installation.metrics("operator-0")
    names = ("pods_total", "owners_total", "passed_timestamp_seconds")
    pods, people, passed = (found[f"labquota_audit_{name}"] for name in names)
    return pods, people, passed


async def test_every_pod_and_every_owner_has_its_turn(installation: Installation, world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    async with world.client(alice) as client:
        await fill(client, *(held(f"p{number}", where) for number in range(5)))
    pods, people, passed = looked(installation)

    async def round_ended() -> bool:
        now = looked(installation)
        return now[0] >= pods + 5 and now[1] > people and now[2] > passed

    await eventually(round_ended, 60, "a round of the audit")
    assert drift(world, world.owner(alice)) == {}
