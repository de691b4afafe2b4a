"""Escapes by waiting until nobody answers: what is made while the webhook is away, and what comes of it afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from cluster.attackers import (
    STAMP,
    Passing,
    appear,
    bind,
    charged,
    create,
    created,
    entitle,
    has_policies,
    path,
    reference,
    resident,
    stamp,
    stamps,
    workload,
)
from cluster.stamped import account, gadget
from cluster.steps import eventually, fill, held
from harness import CONTROLLER, World


@contextmanager
def outage(lab: World) -> Iterator[None]:
    """The API server asks nobody."""
    assert lab.installed is not None
    lab.installed.unregister()
    try:
        yield
    finally:
        lab.installed.register()


async def test_nothing_that_is_forged_in_an_outage_is_anothers(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me, him = lab.owner(alice), lab.owner(bob)
    async with lab.client(alice) as client, lab.client(bob) as his:
        victim = await created(lab, his, workload("Deployment", "his", where, replicas=0))
        with outage(lab):
            for forged in (
                held("one", where, annotations={STAMP: him}),
                held("two", where, owner_references=[reference(victim)]),
                workload("Deployment", "web", where, annotations={STAMP: him}),
                workload("ReplicaSet", "rs", where),
            ):
                if forged["kind"] == "ReplicaSet":
                    forged["metadata"]["ownerReferences"] = [reference(victim)]
                answer = await create(lab, client, forged)
                if not has_policies(lab):
                    assert answer.status == 403, answer
                    assert "OWNER_FORGED" in answer.message
                else:
                    assert (answer.status, stamp(answer.body)) == (201, me)
        assert him not in await stamps(client, where)
    charged(lab, {him: 0})


async def test_what_her_service_account_made_in_an_outage_is_hers_afterwards(lab: World) -> None:
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    async with lab.client(alice) as client:
        robot = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "robot", "namespace": where},
        }
        await created(lab, client, robot)
        bind(lab, lab.plane.service_account(where, "robot"), "edit", where)
        async with Passing(alice, f"system:serviceaccount:{where}:robot") as made:
            with outage(lab):
                await fill(made, held("one", where))
                web = await created(lab, made, workload("Deployment", "web", where, replicas=0))
            assert (await made.patch(path(lab, web), {"spec": {"replicas": 2}})).ok
        owner = lab.owner(alice) if has_policies(lab) else f"namespace:{where}"

        async def pinned() -> bool:
            return await stamps(client, where) == [owner] * 3

        await eventually(pinned, 15, "a provisional stamp is replaced; without policies there is none")
    charged(lab, {owner: 3, f"serviceaccount:{where}/robot": 0})


async def test_what_a_controller_made_for_her_in_an_outage_is_hers_afterwards(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me, him = lab.owner(alice), lab.owner(bob)
    its = gadget(lab, "it", where)
    for who in (alice, bob):
        entitle(lab, who, ["create", "patch"], "gadgets.example.org")
    operator = account(lab, CONTROLLER)
    async with lab.client(alice) as client, lab.client(bob) as other, lab.client(operator) as machine:
        parent = await created(lab, client, its)
        its["metadata"]["name"] = "his"
        victim = await created(lab, other, its)
        with outage(lab):
            pod = held("one", where, owner_references=[reference(parent)])
            assert (await machine.create_pod(pod)).ok
            web = workload("Deployment", "web", where, replicas=0)
            web["metadata"]["ownerReferences"] = [reference(parent)]
            assert stamp(await created(lab, machine, web)) is None
        assert await appear(client, where, 1)
        answer = await client.patch(path(lab, web), {"metadata": {"ownerReferences": [reference(victim)]}})
        assert answer.status == 403, answer
        assert "OWNER_FORGED: without a stamp its controller reference says whose it is" in answer.message
        answer = await client.patch(path(lab, web), {"metadata": {"annotations": {STAMP: him}}})
        assert (answer.status, "OWNER_FORGED" in answer.message) == (403, True)
        assert (await client.patch(path(lab, web), {"spec": {"replicas": 1}})).ok

        async def hers() -> bool:
            return await stamps(client, where) == [me, me]

        await eventually(hers, 15, "the first one is pinned, the second one stamped")
    charged(lab, {me: 2, him: 0})


async def test_what_a_person_made_in_an_outage_is_never_nobodys(lab: World) -> None:
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    me = lab.owner(alice)
    async with lab.client(alice) as client:
        with outage(lab):
            await fill(client, held("one", where))
            web = await created(lab, client, workload("Deployment", "web", where))
            await appear(client, where, 2)
        owner = me if has_policies(lab) else f"namespace:{where}"
        assert stamp(web) == (me if has_policies(lab) else None)

        async def pinned() -> bool:
            return await stamps(client, where) == [owner, owner]

        await eventually(
            pinned, 15, "policies stamp while the webhook is away; else they are their namespace's"
        )
    charged(lab, {owner: 2})
