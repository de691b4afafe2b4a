"""What people read of their budget, and that what somebody breaks of it is put right."""

import asyncio
import json
import re

from cluster.steps import fill, held, line, settled
from controlplane.process import wait_until
from harness import World
from labquota.quota import owners
from labquota.quota.owners import Owner

KINDS = "/apis/labquota.dev/v1alpha1"


def columns(text: str) -> list[str]:
    return re.split(r" {2,}", text.rstrip())


async def test_kubectl_shows_a_budget_as_a_table_that_its_owner_may_read(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = Owner(world.owner(alice))
    group = world.group(
        "student", subjects=[owner], aggregate={"gpu": 3, "cpu": 96, "memory": "96Gi", "pods": 4}
    )
    async with world.client(alice) as client:
        await fill(
            client, held("a", where, gpu=2, cpu=12, memory="20Gi"), held("b", where, cpu=1, memory="1Gi")
        )
    settled(world, owner, 2)
    name = owners.object_name(owner)
    ran = world.plane.kubectl(alice, "get", "ownerusage", name)
    assert ran.returncode == 0, ran.stderr
    header, row = ran.stdout.splitlines()
    cells = dict(zip(columns(header), columns(row), strict=False))
    assert cells["NAME"] == name
    assert cells["OWNER"] == owner
    assert cells["GROUP"] == group
    assert cells["EQUIVALENTS"] == "2"
    assert (cells["GPU"], cells["CPU"], cells["MEMORY"], cells["PODS"]) == (
        "2/3",
        "13/96",
        "21Gi/96Gi",
        "2/4",
    )

    told = world.plane.kubectl(alice, "get", "ou", name, "-o", "json")
    status = json.loads(told.stdout)["status"]
    assert status["limits"]["gpu"] == {"limit": "3", "source": f"ResourceLimitGroup/{group}"}
    assert status["pods"][0] == {
        "namespace": where,
        "name": "a",
        "uses": {
            "gpu": "2",
            "gpu-equivalents": "2",
            "gpu-memory": "160Gi",
            "limits.cpu": "12",
            "limits.memory": "20Gi",
            "pods": "1",
            "requests.cpu": "12",
            "requests.memory": "20Gi",
        },
    }
    assert [(each["type"], each["status"]) for each in status["conditions"]] == [
        ("Bypassed", "False"),
        ("OverLimit", "False"),
    ]


def test_nobody_but_labquota_writes_budgets_and_ledgers(world: World) -> None:
    alice = world.user("alice", role="admin")
    for what in ("ownerusages", "ownerledgers", "resourcelimitgroups", "resourcelimitoverrides"):
        for verb in ("create", "update", "patch", "delete"):
            ran = world.plane.kubectl(alice, "auth", "can-i", verb, f"{what}.labquota.dev")
            assert ran.stdout.strip() == "no", (verb, what)
    assert (
        world.plane.kubectl(alice, "auth", "can-i", "get", "ownerledgers.labquota.dev").stdout.strip() == "no"
    )


async def test_a_deleted_or_edited_owner_usage_is_put_right(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = Owner(world.owner(alice))
    world.group("student", subjects=[owner], aggregate={"gpu": 3})
    async with world.client(alice) as client:
        await fill(client, held("a", where, gpu=2))
    settled(world, owner, 1)
    path, right = f"{KINDS}/ownerusages/{owners.object_name(owner)}", world.usage(owner)
    world.plane.client.merge(f"{path}/status", {"status": {"used": {"gpu": "0"}, "summary": {"gpu": "0/3"}}})
    assert wait_until(lambda: world.usage(owner) == right, 5), world.usage(owner)
    world.plane.client.delete(path, missing_ok=False)
    assert wait_until(lambda: world.usage(owner).get("used") == right["used"], 5), world.usage(owner)


async def test_a_deleted_ledger_is_made_again_from_what_stands(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = Owner(world.owner(alice))
    world.group("student", subjects=[owner], aggregate={"gpu": 3})
    async with world.client(alice) as client:
        await fill(client, held("a", where, gpu=2))
        settled(world, owner, 1)
        await asyncio.sleep(1.5)  # until nothing else would have it folded again
        path = f"{KINDS}/ownerledgers/{owners.object_name(owner)}"
        world.plane.client.delete(path, missing_ok=False)
        assert wait_until(lambda: "gpu=2" in (world.ledger(owner) or ""), 5), world.ledger(owner)
        answer = await client.create_pod(held("b", where, gpu=2))
    assert "asked gpu 2, used 2 of 3 GPU units" in line(answer)


async def test_a_budget_shows_nothing_used_after_the_last_pod(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 3})
    async with world.client(alice) as client:
        await fill(client, held("a", where, gpu=2))
        settled(world, owner, 1)
        assert (await client.delete_pod(where, "a")).ok
    assert wait_until(lambda: world.usage(owner).get("summary", {}).get("gpu") == "0/3", 5), world.usage(
        owner
    )
