"""Escapes by odd shapes: conditions of policies and webhooks that are to err, so that nobody stamps or guards."""

import re
from typing import Any

import pytest

from cluster.attackers import STAMP, charged, create, entitle, has_policies, path, resident, stamp
from cluster.stamped import gadget
from cluster.steps import held
from harness import AsyncClient, World

ODD: dict[str, dict[str, Any]] = {
    "a text for a spec": {"spec": "text"},
    "a list for a spec": {"spec": [1, {"template": 2}]},
    "no spec": {"spec": None},
    "a number for a template": {"spec": {"template": 7}},
    "a text for a template's metadata": {"spec": {"template": {"metadata": "text"}}},
    "a list for a template's annotations": {"spec": {"template": {"metadata": {"annotations": ["a"]}}}},
    "a template in a template": {"spec": {"jobTemplate": {"spec": "text"}}},
    "a number for an owner in a template": {"spec": {"template": {"metadata": {"annotations": {STAMP: 5}}}}},
    "no annotations": {"metadata": {"annotations": None, "labels": None, "ownerReferences": None}},
    "a reference that says nothing of a controller": {
        "metadata": {
            "ownerReferences": [{"apiVersion": "v1", "kind": "ServiceAccount", "name": "default", "uid": "?"}]
        }
    },
}
WRONG: dict[str, dict[str, Any]] = {
    "a number for an owner": {"annotations": {STAMP: 5}},
    "a list for annotations": {"annotations": [STAMP]},
    "a text for references": {"ownerReferences": "text"},
    "a text for controller": {
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "b", "controller": "yes"}]
    },
}


async def errors(client: AsyncClient) -> dict[str, float]:
    """How often a condition of labquota's erred, by the API server's own count."""
    text = (await client.get("/metrics")).body["message"]
    found = re.findall(
        r"^(apiserver_admission_match_condition_evaluation_errors_total\{.*labquota.*\}) (\S+)$",
        text,
        re.MULTILINE,
    )
    return {name: float(count) for name, count in found}


@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_custom_resource_is_stamped_and_keeps_its_stamp(lab: World, odd: str) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), lab.user("bob", role=None)
    me, him = lab.owner(alice), lab.owner(bob)
    made = gadget(lab, "it", where)
    made = {**made, **ODD[odd], "metadata": {**made["metadata"], **ODD[odd].get("metadata", {})}}
    for reference in made["metadata"].get("ownerReferences") or ():  # to what is there, or it is garbage
        account = lab.plane.client.get(f"/api/v1/namespaces/{where}/serviceaccounts/default")
        made["metadata"]["ownerReferences"] = [{**reference, "uid": account["metadata"]["uid"]}]
    entitle(lab, alice, ["create", "get", "update", "patch"], "gadgets.example.org")
    at = path(lab, made)
    async with lab.client(alice) as client, lab.client() as admin:
        before = await errors(admin)
        answer = await create(lab, client, made)
        assert (answer.status, stamp(answer.body)) == (201, me), answer.message
        answer = await client.patch(at, {"metadata": {"annotations": {STAMP: him}}})
        assert (answer.status, "OWNER_FORGED" in answer.message) == (403, True), answer
        for patch in ({"metadata": {"annotations": {STAMP: None}}}, {"metadata": {"annotations": None}}):
            answer = await client.patch(at, patch)
            assert (answer.ok and stamp(answer.body) == me) or "OWNER_FORGED" in answer.message
        assert stamp((await client.get(at)).body) == me
        if has_policies(
            lab
        ):  # else an update that leaves out a stamp may be refused, where it would be put back
            assert await errors(admin) == before, "no condition is driven into an error"


@pytest.mark.parametrize("wrong", WRONG)
async def test_metadata_of_other_types_than_the_api_knows_is_refused_before_anybody_is_asked(
    lab: World, wrong: str
) -> None:
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    entitle(lab, alice, ["create"], "gadgets.example.org")
    async with lab.client(alice) as client:
        for made in (gadget(lab, "it", where), held("one", where)):
            made["metadata"] |= WRONG[wrong]
            answer = await create(lab, client, made)
            assert answer.status == 400, answer
    charged(lab, {lab.owner(alice): 0})
