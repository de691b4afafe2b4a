"""What is provisional, remembered or unreadable when it is made, and whose it is all the same."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cluster.attackers import (
    Passing,
    bind,
    charged,
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
from cluster.steps import eventually, fill, held, line
from cluster.test_escape_controllers import made_for
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


async def test_what_her_service_account_made_in_an_outage_is_no_second_budget(lab: World) -> None:
    if not has_policies(lab):
        return  # then it is its namespace's
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    me = lab.owner(alice)
    group = lab.group("student", subjects=[me], aggregate={"pods": 2})
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
            assert (await made.patch(path(lab, web), {"spec": {"replicas": 5}})).ok

        async def full() -> bool:
            found = await stamps(client, where)
            return len(found) >= 2 and set(found) == {me}

        await eventually(full, 15, "two pods are hers")
        answer = await client.create_pod(held("more", where))
        assert f"{me} asked pods 1, used 2 of 2 pods (ResourceLimitGroup/{group})" in line(answer)
        assert await stamps(client, where) == [me, me], "a provisional stamp is no second budget"
    charged(lab, {me: 2, f"serviceaccount:{where}/robot": 0})


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
            # nor however lately it was looked for in vain
            gone = [reference(parent, uid="11111111-2222-3333-4444-555555555555")]
            late = [held(f"late{number}-{each}", where, owner_references=gone) for each in range(8)]
            answers = await asyncio.gather(*(machine.create_pod(each) for each in late))
            assert {stamp(each.body) for each in answers} == {f"namespace:{where}"}


@pytest.mark.parametrize("how", ["nested", "large"])
async def test_what_a_person_makes_too_deep_or_too_large_to_read_is_refused(lab: World, how: str) -> None:
    """Where there are no policies it must not pass without a stamp. (With policies a person's is stamped: passes.)"""
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    entitle(lab, alice, ["create", "get"], "gadgets.example.org")
    if how == "nested":
        made = gadget(lab, "it", where)
        text = json.dumps({**made, "spec": "DEEP"})
        body = text.replace('"DEEP"', '{"a":' * 1500 + "1" + "}" * 1500).encode()
    else:
        made = workload("Deployment", "big", where, replicas=1)
        field = {
            "manager": "x",
            "operation": "Update",
            "apiVersion": "apps/v1",
            "time": "2024-01-01T00:00:00Z",
        }
        names: dict[str, Any] = {"f:metadata": {"f:annotations": {"f:" + "<" * 1_400_000: {}}}}
        made["metadata"]["managedFields"] = [{**field, "fieldsType": "FieldsV1", "fieldsV1": names}]
        body = json.dumps(made).encode()
    at = path(lab, made)
    async with lab.client(alice) as client:
        try:
            answer = await client.create(at.rpartition("/")[0], body)
            assert answer.status == 403 or stamp(answer.body) == lab.owner(alice), (
                answer.status,
                answer.warnings,
            )
        except RecursionError:  # it was made, and comes back as deep as it went
            found = lab.plane.kubectl(
                lab.plane.admin, "-n", where, "get", "gadget", "it", "-o", "yaml"
            ).stdout
            assert f"labquota.dev/owner: {lab.owner(alice)}" in found
