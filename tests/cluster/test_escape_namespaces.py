"""Escapes by namespaces: new ones, their annotations and labels, and those of other people."""

from cluster.attackers import (
    STAMP,
    Passing,
    appear,
    bind,
    charged,
    created,
    entitle,
    founded,
    resident,
    stamp,
    workload,
)
from cluster.steps import fill, fits, held, line
from harness import World


async def test_new_namespaces_are_no_new_budget(lab: World) -> None:
    alice, bob = lab.user("alice", role=None), lab.user("bob", role=None)
    me = lab.owner(alice)
    entitle(lab, alice, ["create", "get"], "namespaces")
    lab.group("student", subjects=[me], aggregate={"pods": 5})
    lab.group("spaces", default_for=["Namespace", "ServiceAccount"], aggregate={"pods": 100})
    forged = {"annotations": {STAMP: lab.owner(bob), "openshift.io/requester": bob.name, "owner": bob.name}}
    async with lab.client(alice) as client:
        for number in range(2):
            where = await founded(lab, client, f"new{number}", **forged)
            assert stamp((await client.get(f"/api/v1/namespaces/{where}")).body) == me
            for who in (alice, lab.plane.service_account(where, "default")):
                bind(lab, who, "edit", where)
            await created(lab, client, workload("Deployment", "web", where))
            async with Passing(alice, f"system:serviceaccount:{where}:default") as account:
                await fill(account, held("one", where))
            assert await appear(client, where, 2) == [me, me]
        await fill(client, held("two", where))
        answer = await client.create_pod(held("three", where))
        assert f"{me} asked pods 1, used 5 of 5 pods" in line(answer)
    charged(lab, {me: 5, lab.owner(bob): 0, f"namespace:{where}": 0, f"serviceaccount:{where}/default": 0})


async def test_whose_a_namespace_is_cannot_be_said_by_who_may_edit_it(lab: World) -> None:
    alice, bob = lab.user("alice", role=None), lab.user("bob", role=None)
    entitle(lab, alice, ["create", "get", "update", "patch"], "namespaces")
    shared = lab.namespace("shared")
    async with lab.client(alice) as client:
        mine = await founded(lab, client, "mine")
        for name, owner in ((shared, None), (mine, lab.owner(alice))):
            at = f"/api/v1/namespaces/{name}"
            answer = await client.patch(at, {"metadata": {"annotations": {STAMP: lab.owner(bob)}}})
            assert answer.status == 403, answer
            assert "OWNER_FORGED" in answer.message
            answer = await client.patch(at, {"metadata": {"annotations": {STAMP: None}}})
            assert (answer.status, stamp(answer.body)) == (200, owner)


async def test_no_label_of_a_namespace_exempts_it_from_limits_or_makes_it_another(lab: World) -> None:
    alice = lab.user("alice", role=None)
    me = lab.owner(alice)
    entitle(lab, alice, ["create", "get", "update", "patch"], "namespaces")
    lab.group("student", subjects=[me], aggregate={"pods": 1})
    rich = {"matchLabels": {"team": lab.tag}}
    lab.group("rich", namespaceSelector=rich, aggregate={"pods": 100}, priority=100)
    async with lab.client(alice) as client:
        where = await founded(lab, client, "mine", labels={"team": lab.tag})
        bind(lab, alice, "edit", where)
        exempt = {"kubernetes.io/metadata.name": "kube-system", "labquota.dev/exempt": "true"}
        answer = await client.patch(f"/api/v1/namespaces/{where}", {"metadata": {"labels": exempt}})
        assert answer.body["metadata"]["labels"]["kubernetes.io/metadata.name"] == where
        await fill(client, held("one", where))
        answer = await client.create_pod(held("two", where))
        assert f"{me} asked pods 1, used 1 of 1 pods" in line(answer), (
            "her namespace is hers, whatever its labels"
        )
    charged(lab, {me: 1, f"namespace:{where}": 0})


async def test_a_person_in_somebody_elses_namespace_pays_for_their_own(lab: World) -> None:
    bob = lab.user("bob", role=None)
    where = lab.namespace(owner=lab.owner(bob))
    alice = resident(lab, "alice", where)
    async with lab.client(alice) as client:
        await fill(client, held("one", where))
        await created(lab, client, workload("StatefulSet", "db", where, replicas=2))
        await appear(client, where, 3)
    charged(lab, {lab.owner(alice): 3, lab.owner(bob): 0})


async def test_who_may_label_a_namespace_that_pays_for_itself_chooses_its_group(lab: World) -> None:
    """Accepted: labels of namespaces are for administrators, as in all of Kubernetes."""
    alice, where = lab.user("alice", role=None), lab.namespace()
    owner = f"namespace:{where}"
    entitle(lab, alice, ["get", "patch"], "namespaces")
    small = {"matchLabels": {"kubernetes.io/metadata.name": where}}
    lab.group("small", namespaceSelector=small, aggregate={"pods": 1})
    rich = lab.group(
        "rich", namespaceSelector={"matchLabels": {"team": lab.tag}}, aggregate={"pods": 2}, priority=9
    )
    ghost = lab.plane.service_account(where, "ghost")
    bind(lab, ghost, "edit", where)
    async with lab.client(alice) as client, lab.client(ghost) as made:
        await fill(made, held("one", where))
        answer = await made.create_pod(held("two", where))
        assert f"{owner} asked pods 1, used 1 of 1 pods" in line(answer)
        labels = {"metadata": {"labels": {"team": lab.tag}}}
        answer = await client.patch(f"/api/v1/namespaces/{where}", labels)
        assert answer.ok, answer.message
        await fits(made, held("two", where))
        await fill(made, held("two", where))
    charged(lab, {owner: 2})
    assert lab.usage(owner)["group"] == rich
