"""Escapes by what labquota itself is made of: one's own limits, ledgers, policies and registrations."""

import pytest

from cluster.attackers import resident
from cluster.steps import held
from harness import World, manifests

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
CUSTOM = "/apis/labquota.dev/v1alpha1"


@pytest.mark.parametrize("role", ["edit", "admin"])
async def test_nobody_writes_their_own_limits_or_budget_without_being_an_administrator(
    lab: World, role: str
) -> None:
    where = lab.namespace()
    alice = resident(lab, "alice", where, role=role)
    me = lab.owner(alice)
    group = lab.group("student", subjects=[me], aggregate={"pods": 1})
    more = manifests.override(lab.name("more"), me, aggregate={"pods": "unlimited"})
    async with lab.client(alice) as client:
        assert (await client.create_pod(held("one", where))).ok
        for path, body in (
            (f"{CUSTOM}/resourcelimitoverrides", more),
            (f"{CUSTOM}/resourcelimitgroups", manifests.group(lab.name("mine"), subjects=[me])),
            (f"{CUSTOM}/ownerledgers", {}),
            (f"{CUSTOM}/ownerusages", {}),
            (f"{ADMISSION}/validatingwebhookconfigurations", {}),
            (f"{ADMISSION}/validatingadmissionpolicybindings", {}),
        ):
            answer = await client.create(path, body)
            assert (answer.status, "cannot create resource" in answer.message) == (403, True), answer
        for path in (
            f"{CUSTOM}/resourcelimitgroups/{group}",
            f"{ADMISSION}/validatingwebhookconfigurations/labquota",
            f"{ADMISSION}/validatingadmissionpolicies/owner-guard.labquota.dev",
            "/api/v1/namespaces/labquota-system",
        ):
            for answer in (
                await client.delete(path),
                await client.patch(path, {"metadata": {"labels": {"a": "b"}}}),
            ):
                assert answer.status == 403, answer
        answer = await client.create_pod(held("two", where))
        assert f"{me} asked pods 1, used 1 of 1 pods (ResourceLimitGroup/{group})" in answer.message
