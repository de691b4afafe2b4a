"""Escapes by service accounts: by the dozen, by their tokens, impersonated, invented, named like others, others'."""

from typing import Any

from cluster.attackers import (
    STAMP,
    Passing,
    appear,
    bearing,
    bind,
    charged,
    create,
    created,
    path,
    resident,
    stamp,
    stamps,
    workload,
)
from cluster.steps import fill, held, line
from harness import AsyncClient, World
from harness.manifests import Manifest


def account(name: str, namespace: str, **meta: Any) -> Manifest:
    """A ServiceAccount."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace, **meta},
    }


def called(namespace: str, name: str) -> str:
    """What the API server calls a service account."""
    return f"system:serviceaccount:{namespace}:{name}"


async def token(client: AsyncClient, namespace: str, name: str) -> str:
    """A token of a service account, asked for by somebody who may."""
    answer = await client.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", {"spec": {}})
    assert answer.status == 201, answer.message
    return str(answer.body["status"]["token"])


async def test_a_dozen_service_accounts_have_their_makers_one_budget(lab: World) -> None:
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    me = lab.owner(alice)
    group = lab.group("student", subjects=[me], aggregate={"pods": 6})
    lab.group("accounts", default_for=["ServiceAccount"], aggregate={"pods": 5})
    made = 0
    async with lab.client(alice) as client:
        for number in range(12):
            name = f"robot{number}"
            stored = await created(lab, client, account(name, where, annotations={STAMP: "user:somebody"}))
            assert stamp(stored) == me
            bind(lab, lab.plane.service_account(where, name), "edit", where)
            # half of them by a token, half of them by impersonation: Kubernetes' role edit lets people do both
            robot = (
                bearing(alice, await token(client, where, name))
                if number % 2
                else Passing(alice, called(where, name))
            )
            async with robot:
                answer = await robot.create_pod(held(f"p{number}", where))
            made += answer.ok
            if not answer.ok:
                expected = f"{me} asked pods 1, used 6 of 6 pods (ResourceLimitGroup/{group})"
                assert expected in line(answer)
        assert (made, await stamps(client, where)) == (6, [me] * 6)
    charged(lab, {me: 6, **{f"serviceaccount:{where}/robot{number}": 0 for number in range(12)}})


async def test_what_a_service_account_of_hers_makes_is_hers_whatever_it_makes(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), lab.user("bob", role=None)
    me = lab.owner(alice)
    async with lab.client(alice) as client:
        await created(lab, client, account("robot", where))
        bind(lab, lab.plane.service_account(where, "robot"), "edit", where)
        async with Passing(alice, called(where, "robot")) as robot:
            made = workload("Deployment", "web", where, annotations={STAMP: lab.owner(bob)})
            stored = await created(lab, robot, made)
            assert (stamp(stored), stamp(stored["spec"]["template"])) == (me, me)
            assert stamp(await created(lab, robot, account("child", where))) == me, (
                "nor are its accounts its own"
            )
        bind(lab, lab.plane.service_account(where, "child"), "edit", where)
        async with Passing(alice, called(where, "child")) as child:
            await fill(child, held("one", where, annotations={STAMP: lab.owner(bob)}))
        assert await appear(client, where, 2) == [me, me]
    charged(lab, {me: 2, lab.owner(bob): 0})


async def test_an_account_that_nobody_made_is_its_namespaces(lab: World) -> None:
    alice, bob = lab.user("alice", role=None), lab.user("bob", role=None)
    where, his = lab.namespace(), lab.namespace("his", owner=lab.owner(bob))
    for each in (where, his):
        bind(lab, alice, "edit", each)
        for number in range(3):
            ghost = f"ghost{number}"
            bind(lab, lab.plane.service_account(each, ghost), "edit", each)
            async with Passing(alice, called(each, ghost)) as client:
                await fill(client, held(f"p{number}", each))
    charged(lab, {f"namespace:{where}": 3, lab.owner(bob): 3, lab.owner(alice): 0})


async def test_an_account_that_is_called_like_a_controller_is_none(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), lab.user("bob", role=None)
    me, names = lab.owner(alice), ("replicaset-controller", "job-controller", "kube-system")
    async with lab.client(alice) as client:
        for name in names:
            await created(lab, client, account(name, where))
            bind(lab, lab.plane.service_account(where, name), "edit", where)
            async with Passing(alice, called(where, name)) as robot:
                await fill(robot, held(name, where, annotations={STAMP: lab.owner(bob)}))
        assert await stamps(client, where) == [me] * len(names)
    charged(lab, {me: len(names), lab.owner(bob): 0})


async def test_nobody_passes_for_kubernetes_own_controllers_without_rights_in_kube_system(lab: World) -> None:
    where = lab.namespace()
    alice = resident(lab, "alice", where, role="admin")
    for name in (
        called("kube-system", "replicaset-controller"),
        called("labquota-system", "labquota-operator"),
        "system:kube-controller-manager",
        "system:node:gpu-node-0",
    ):
        async with Passing(alice, name) as client:
            answer = await client.create_pod(held("one", where))
            assert (answer.status, "cannot impersonate" in answer.message) == (403, True), answer


async def test_an_accounts_owner_cannot_be_said_by_who_may_edit_it(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), lab.user("bob", role=None)
    shared, mine = account("shared", where), account("mine", where)
    await_made = lab.plane.client.create(f"/api/v1/namespaces/{where}/serviceaccounts", shared)
    assert stamp(await_made) is None, "an administrator's is nobody's"
    async with lab.client(alice) as client:
        assert stamp(await created(lab, client, mine)) == lab.owner(alice)
        for each in (shared, mine):
            patch = {"metadata": {"annotations": {STAMP: lab.owner(bob)}}}
            answer = await client.patch(path(lab, each), patch)
            assert answer.status == 403, answer
            assert "OWNER_FORGED" in answer.message
        answer = await client.patch(path(lab, mine), {"metadata": {"annotations": {STAMP: None}}})
        assert (answer.status, stamp(answer.body)) == (200, lab.owner(alice))


async def test_who_deletes_an_account_and_makes_it_again_pays_for_it(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    async with lab.client(alice) as client, lab.client(bob) as his:
        robot = account("robot", where)
        await created(lab, his, robot)
        assert (await client.delete(path(lab, robot))).ok
        assert stamp(await created(lab, client, robot)) == lab.owner(alice)
        bind(lab, lab.plane.service_account(where, "robot"), "edit", where)
        async with bearing(alice, await token(client, where, "robot")) as made:
            await fill(made, held("one", where))
    charged(lab, {lab.owner(alice): 1, lab.owner(bob): 0})


async def test_who_may_act_as_anothers_account_spends_its_owners_budget(lab: World) -> None:
    """Accepted: Kubernetes lets everybody with role edit act as the accounts of a namespace, and nobody can tell."""
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    async with lab.client(bob) as his:
        await created(lab, his, account("robot", where))
        bind(lab, lab.plane.service_account(where, "robot"), "edit", where)
        async with Passing(alice, called(where, "robot")) as client:
            await fill(client, held("one", where))
        assert await stamps(his, where) == [lab.owner(bob)]
    charged(lab, {lab.owner(bob): 1, lab.owner(alice): 0})


async def test_the_accounts_of_a_namespace_without_an_owner_pay_for_themselves(lab: World) -> None:
    """Accepted: one for each that an administrator or Kubernetes made; a default group limits them."""
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    owner = f"serviceaccount:{where}/default"
    group = lab.group("accounts", default_for=["ServiceAccount"], aggregate={"pods": 1})
    bind(lab, lab.plane.service_account(where, "default"), "edit", where)
    async with Passing(alice, called(where, "default")) as client:
        await fill(client, held("one", where))
        answer = await client.create_pod(held("two", where))
    assert line(answer).startswith(
        f"AGGREGATE_PODS_QUOTA_EXCEEDED: {owner} asked pods 1, used 1 of 1 pods (ResourceLimitGroup/{group})"
    )
    charged(lab, {owner: 1, lab.owner(alice): 0})


async def test_the_default_account_of_somebodys_namespace_is_theirs(lab: World) -> None:
    bob = lab.user("bob", role=None)
    where = lab.namespace(owner=lab.owner(bob))
    alice = resident(lab, "alice", where)
    bind(lab, lab.plane.service_account(where, "default"), "edit", where)
    async with Passing(alice, called(where, "default")) as client:
        await fill(client, held("one", where))
        assert (await create(lab, client, workload("Deployment", "web", where))).ok
        assert await appear(client, where, 2) == [lab.owner(bob)] * 2
    charged(lab, {lab.owner(bob): 2, lab.owner(alice): 0})
