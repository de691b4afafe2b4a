"""Escapes through those who make pods for others: forged templates, references, kinds, names used again."""

import asyncio

from cluster.attackers import (
    LABEL,
    STAMP,
    appear,
    charged,
    create,
    created,
    entitle,
    path,
    reference,
    resident,
    stamp,
    stamps,
    workload,
)
from cluster.stamped import account, custom, define, forge, gadget
from cluster.steps import held, line
from harness import CONTROLLER, SOURCE, World
from harness.manifests import Manifest


def made_for(parent: Manifest, name: str, **fields: object) -> Manifest:
    """A pod as an operator makes it for a custom resource."""
    return held(name, parent["metadata"]["namespace"], owner_references=[reference(parent)], **fields)


async def test_a_forged_stamp_in_a_custom_resources_template_is_not_handed_on(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), lab.user("bob", role=None)
    me, him = lab.owner(alice), lab.owner(bob)
    made = gadget(lab, "it", where)
    entitle(lab, alice, ["create", "get", "patch"], "gadgets.example.org")
    operator = account(lab, CONTROLLER)
    async with lab.client(alice) as client, lab.client(operator) as machine:
        made["spec"] = {"template": {"metadata": {"annotations": {STAMP: him}, "labels": {LABEL: bob.name}}}}
        parent = await created(lab, client, made)
        assert stamp(parent) == me
        copied = parent["spec"]["template"]["metadata"]
        assert copied["annotations"] == {STAMP: him}, "nobody looks into the templates of custom resources"
        answer = await machine.create_pod(made_for(parent, "one", **copied))
        assert (answer.status, stamp(answer.body)) == (201, me)
        assert answer.body["metadata"]["labels"][LABEL] == alice.name
        inner = forge(workload("Deployment", "web", where), him)
        inner["metadata"]["ownerReferences"] = [reference(parent)]
        assert stamp(await created(lab, machine, inner)) == me
        assert await appear(client, where, 2) == [me, me]
    charged(lab, {me: 2, him: 0})


async def test_a_custom_resource_that_points_to_anothers_is_its_authors(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me, him = lab.owner(alice), lab.owner(bob)
    mine, his = gadget(lab, "mine", where), gadget(lab, "his", where)
    for who in (alice, bob):
        entitle(lab, who, ["create", "get", "update", "patch"], "gadgets.example.org")
    operator = account(lab, CONTROLLER)
    async with lab.client(alice) as client, lab.client(bob) as other, lab.client(operator) as machine:
        victim = await created(lab, other, his)
        mine["metadata"]["ownerReferences"] = [reference(victim)]
        parent = await created(lab, client, mine)
        assert (await machine.create_pod(made_for(parent, "one"))).ok
        for stamped in (him, ""):
            answer = await client.patch(path(lab, mine), {"metadata": {"annotations": {STAMP: stamped}}})
            assert (answer.status, stamp(answer.body)) == (
                (403, None) if stamped else (200, me)
            ) or answer.status == 403
        assert (await machine.create_pod(made_for(parent, "two"))).ok
        assert await stamps(client, where) == [me, me]
    charged(lab, {me: 2, him: 0})


async def test_a_reference_that_leads_nowhere_leads_to_the_namespace_and_to_nobody_else(lab: World) -> None:
    bob = lab.user("bob", role=None)
    where = lab.namespace()
    made = gadget(lab, "his", where)
    entitle(lab, bob, ["create"], "gadgets.example.org")
    operator = account(lab, CONTROLLER)
    async with lab.client(bob) as his, lab.client(operator) as machine:
        parent = await created(lab, his, made)
        wrong = reference(parent, uid="11111111-2222-3333-4444-555555555555")
        missing = reference(parent, name="missing")
        unknown = reference(parent, kind="Nonesuch")
        plain = reference(parent, controller=False)
        for number, each in enumerate((wrong, missing, unknown, plain)):
            answer = await machine.create_pod(held(f"p{number}", where, owner_references=[each]))
            assert (answer.status, stamp(answer.body)) == (201, f"namespace:{where}")
    assert lab.usage(lab.owner(bob)).get("used", {}).get("pods", "0") == "0"


async def test_a_custom_resource_that_is_made_again_under_its_name_is_its_new_authors(lab: World) -> None:
    where = lab.namespace()
    alice, bob = lab.user("alice", role=None), lab.user("bob", role=None)
    made = gadget(lab, "it", where)
    for who in (alice, bob):
        entitle(lab, who, ["create", "get", "delete"], "gadgets.example.org")
    operator = account(lab, CONTROLLER)
    async with lab.client(alice) as client, lab.client(bob) as his, lab.client(operator) as machine:
        for number, asked in enumerate((his, client, client)):
            parent = await created(lab, asked, made)
            # as many as it takes to meet every replica of the webhook
            pods = [made_for(parent, f"p{number}-{each}") for each in range(8)]
            answers = await asyncio.gather(*(machine.create_pod(each) for each in pods))
            owner = lab.owner(bob if asked is his else alice)
            assert {stamp(each.body) for each in answers} == {owner}, "however lately another had its name"
            assert (await client.delete(path(lab, made))).ok


async def test_an_operator_that_nobody_listed_pays_for_what_it_makes(lab: World) -> None:
    """Accepted, and said: an administrator lists the operators, and limits the accounts that nobody listed."""
    where = lab.namespace()
    alice = lab.user("alice", role=None)
    made = gadget(lab, "it", where)
    entitle(lab, alice, ["create"], "gadgets.example.org")
    operator = account(lab, f"{where}/unlisted")
    owner = f"serviceaccount:{where}/unlisted"
    lab.group("accounts", subjects=[owner], aggregate={"pods": 1})
    async with lab.client(alice) as client, lab.client(operator) as machine:
        parent = await created(lab, client, made)
        pod = made_for(parent, "one", annotations={STAMP: lab.owner(alice)})
        answer = await machine.create_pod(pod)
        assert (answer.status, stamp(answer.body)) == (201, owner)
        answer = await machine.create_pod(made_for(parent, "two"))
        assert f"{owner} asked pods 1, used 1 of 1 pods" in line(answer)
    charged(lab, {owner: 1, lab.owner(alice): 0})


async def test_what_an_identity_source_writes_counts_so_it_may_write_nothing_that_users_say(
    lab: World,
) -> None:
    """Accepted, and said: a GitOps tool that applies what users commit is no identity source."""
    where = lab.namespace()
    bob = lab.user("bob", role=None)
    source = account(lab, SOURCE)
    async with lab.client(source) as hub:
        answer = await hub.create_pod(held("one", where, annotations={STAMP: lab.owner(bob)}))
        assert (answer.status, stamp(answer.body)) == (201, lab.owner(bob))
        answer = await hub.create_pod(held("two", where, annotations={STAMP: "bob"}))
        assert stamp(answer.body) != "bob", "what names nobody counts for nothing"
        patch = {"metadata": {"annotations": {STAMP: "user:another"}}}
        answer = await hub.patch(f"/api/v1/namespaces/{where}/pods/one", patch)
        assert (answer.status, "OWNER_FORGED" in answer.message) == (403, True)
    charged(lab, {lab.owner(bob): 1})


async def test_a_kind_that_is_not_listed_is_no_bridge_to_anothers_workload(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    group = f"{lab.tag}.example.org"
    define(lab, "Widget", f"widgets.{group}")
    widget = custom("Widget", f"{group}/v1", "it", where)
    entitle(lab, alice, ["create"], f"widgets.{group}")
    operator = account(lab, CONTROLLER)
    async with lab.client(alice) as client, lab.client(bob) as his, lab.client(operator) as machine:
        victim = await created(lab, his, workload("Deployment", "web", where, replicas=0))
        widget["metadata"]["ownerReferences"] = [reference(victim)]
        widget["metadata"]["annotations"] = {STAMP: lab.owner(bob)}
        parent = await created(lab, client, widget)
        answer = await machine.create_pod(made_for(parent, "one"))
        assert (answer.status, stamp(answer.body)) == (201, None)
        (warning, *_) = answer.warnings
        assert f"widgets.{group} may not be read: list it under `kinds` in the owners' settings" in warning
    charged(lab, {lab.owner(bob): 0})


async def test_a_kind_that_only_lies_between_is_no_bridge_to_anothers_workload(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    define(lab, "Trial", "trials.kubeflow.org", version="v1beta1")
    trial = custom("Trial", "kubeflow.org/v1beta1", "it", where)
    entitle(lab, alice, ["create", "get", "patch"], "trials.kubeflow.org")
    operator = account(lab, "kubeflow/katib-controller")
    forged = "OWNER_FORGED: {}, and its controller reference could lead to anybody"
    async with lab.client(alice) as client, lab.client(bob) as his, lab.client(operator) as machine:
        victim = await created(lab, his, workload("Deployment", "web", where, replicas=0))
        trial["metadata"]["annotations"] = {STAMP: lab.owner(bob)}  # which nobody believes
        parent = await created(lab, client, trial)
        answer = await client.patch(path(lab, trial), {"metadata": {"ownerReferences": [reference(victim)]}})
        assert answer.status == 403, answer
        assert "OWNER_FORGED" in answer.message
        trial["metadata"] |= {"name": "other", "ownerReferences": [reference(victim)]}
        answer = await create(lab, client, trial)
        assert answer.status == 403, answer
        assert answer.message.endswith(forged.format("nobody has stamped this"))
        answer = await machine.create_pod(made_for(parent, "one"))
        assert (answer.status, stamp(answer.body)) == (201, f"namespace:{where}")
    charged(lab, {f"namespace:{where}": 1, lab.owner(bob): 0})
