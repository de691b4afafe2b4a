"""Escapes by what somebody is called, by groups that they were in, and by being an administrator."""

import pytest

from cluster.attackers import STAMP, Passing, appear, charged, created, stamp, stamps, workload
from cluster.steps import eventually, fill, held, line
from harness import World

LONGEST = 1024 - len("user:")


def names(tag: str) -> list[tuple[str, ...]]:
    """Names that look alike to somebody, a row each."""
    return [
        (f"{tag}.b@x", f"{tag}-b-x", f"{tag}_b_x", f"{tag} b x", f"{tag}b.x"),
        (f"oidc:{tag}", f"{tag}", f"user:{tag}", f"namespace:{tag}", f"serviceaccount:{tag}/x", f"{tag}:"),
        (f"{tag}ä", f"{tag}a\u0308", f"{tag}а", f"{tag}a", f"{tag}🜛", f"{tag}A"),  # noqa: RUF001  that is the point
        (f"{tag}{'x' * 490}a", f"{tag}{'x' * 490}b", f"{tag}{'x' * 490}"),
        (f"{tag}/../x", f"{tag}%2F", f'{tag}"quoted"', f"{tag}\\u0041", f"{tag}{{}}$(x)"),
    ]


@pytest.mark.parametrize("row", range(5), ids=["slugs", "colons", "unicode", "500 characters", "escapes"])
async def test_names_that_look_alike_have_budgets_of_their_own(lab: World, row: int) -> None:
    where, called = lab.namespace(), names(lab.tag)[row]
    admins = ["system:masters"]
    lab.group("student", default_for=["User"], priority=99, aggregate={"pods": 1})
    for number, name in enumerate(called):
        async with Passing(lab.plane.admin, name, admins) as client:
            await fill(client, held(f"p{number}", where))
            answer = await client.create_pod(held(f"q{number}", where))
            assert f"user:{name} asked pods 1, used 1 of 1 pods" in line(answer)
    async with lab.client() as admin:
        assert await stamps(admin, where) == sorted(f"user:{name}" for name in called)
    charged(lab, {f"user:{name}": 1 for name in called})


async def test_a_name_that_is_too_long_for_an_owner_gets_nothing_for_nobody(lab: World) -> None:
    where = lab.namespace()
    longest, longer = "x" * LONGEST, "x" * (LONGEST + 1)
    async with Passing(lab.plane.admin, longest, ["system:masters"]) as client:
        await fill(client, held("one", where))
        assert await stamps(client, where) == [f"user:{longest}"]
    charged(lab, {f"user:{longest}": 1})
    async with Passing(lab.plane.admin, longer, ["system:masters"]) as client:
        for made in (held("two", where), workload("Deployment", "web", where)):
            answer = await client.create(lab.plane.client.path_of(made).rpartition("/")[0], made)
            assert answer.status == 403, answer
            assert answer.message.endswith(
                "OWNER_FORGED: a user name of more than 1019 characters owns nothing"
            )
    charged(lab, {f"namespace:{where}": 0})


async def test_who_has_left_a_group_has_its_limits_no_more(lab: World) -> None:
    where, faculty = lab.namespace(), lab.name("faculty")
    name, admin = lab.name("alice"), lab.plane.admin
    me = f"user:{name}"
    big = lab.group("big", subjects=[f"group:{faculty}"], aggregate={"pods": 4}, priority=9)
    small = lab.group("small", subjects=[me], aggregate={"pods": 1})
    async with Passing(admin, name, [faculty, "system:masters"]) as client:
        await fill(client, held("one", where))
        made = await created(lab, client, workload("Deployment", "web", where, replicas=2))
        await appear(client, where, 3)
        answer = await client.create_pod(held("two", where, gpu=1), dryRun="All")
        assert answer.ok, f"3 of 4 in ResourceLimitGroup/{big}"
    async with Passing(admin, name, ["system:masters"]) as client:
        answer = await client.create_pod(held("two", where))
        assert f"{me} asked pods 1, used 3 of 1 pods (ResourceLimitGroup/{small})" in line(answer)
        assert (await client.patch(lab.plane.client.path_of(made), {"spec": {"replicas": 4}})).ok

        async def told() -> bool:
            events = await client.list(f"/api/v1/namespaces/{where}/events")
            return any("AGGREGATE_PODS_QUOTA_EXCEEDED" in each["message"] for each in events)

        await eventually(told, 10, "her ReplicaSet is refused a pod")
        answer = await client.create_pod(held("three", where))
        assert f"{me} asked pods 1, used 3 of 1 pods (ResourceLimitGroup/{small})" in line(answer)
        assert len(await stamps(client, where)) == 3, "nor do her workloads have the group's limits"
    charged(lab, {me: 3})


async def test_a_member_of_system_masters_pays_like_anybody_and_forges_nothing(lab: World) -> None:
    where, bob = lab.namespace(), lab.user("bob", role=None)
    root = lab.user("root", ("system:masters",), role=None)
    me, him = lab.owner(root), lab.owner(bob)
    lab.group("student", subjects=[me], aggregate={"pods": 2})
    async with lab.client(root) as client:
        await fill(client, held("one", where, annotations={STAMP: him}))
        await created(lab, client, workload("Deployment", "web", where, annotations={STAMP: him}))
        assert await appear(client, where, 2) == [me, me]
        answer = await client.patch(
            f"/api/v1/namespaces/{where}/pods/one", {"metadata": {"annotations": {STAMP: him}}}
        )
        assert (answer.status, "OWNER_FORGED" in answer.message) == (403, True)
        answer = await client.create_pod(held("two", where))
        assert f"{me} asked pods 1, used 2 of 2 pods" in line(answer)
        named = {"metadata": {"name": lab.name("his"), "annotations": {STAMP: him}}}
        made = await client.create("/api/v1/namespaces", named)
        assert stamp(made.body) == him, "whose a namespace is, an administrator says"
        lab.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": named["metadata"]["name"]}})
    charged(lab, {me: 2, him: 0})
