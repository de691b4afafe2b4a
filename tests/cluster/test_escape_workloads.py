"""Escapes by what is done to a workload after it was stamped: edited, suspended, scaled, and its scale subresource."""

from cluster.attackers import (
    LABEL,
    STAMP,
    appear,
    charged,
    create,
    created,
    path,
    resident,
    stamp,
    workload,
)
from cluster.stamped import owners
from cluster.steps import eventually, held, line
from harness import AsyncClient, World
from harness.clients import STRATEGIC
from harness.manifests import Manifest

FORGED = f"OWNER_FORGED: annotation {STAMP} says who created it and stays"


async def test_a_template_that_is_edited_keeps_its_stamp_through_every_roll_out(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me, him = lab.owner(alice), lab.owner(bob)
    made = workload("Deployment", "web", where)
    made["spec"]["strategy"] = {"type": "Recreate"}
    at = path(lab, made)
    async with lab.client(alice) as client, lab.client(bob) as his:
        await created(lab, client, made)
        await appear(client, where, 1)
        for number, annotations in enumerate(({STAMP: None}, None, {"example.org/any": "thing"})):
            spec = {"containers": [{"name": "main", "image": f"v{number}"}]}
            template = {"metadata": {"annotations": annotations}, "spec": spec}
            answer = await his.patch(at, {"spec": {"template": template}}, STRATEGIC)
            assert (answer.status, stamp(answer.body["spec"]["template"])) == (200, me)
        template = {"metadata": {"annotations": {STAMP: him}}}
        answer = await his.patch(at, {"spec": {"template": template}}, STRATEGIC)
        assert answer.status == 403, answer
        assert FORGED in answer.message

        async def rolled_out() -> bool:
            pods = await client.list(f"/api/v1/namespaces/{where}/pods")
            return [(stamp(each), each["spec"]["containers"][0]["image"]) for each in pods] == [(me, "v2")]

        await eventually(rolled_out, 20, "the last edit is rolled out")
    charged(lab, {me: 1, him: 0})


async def test_a_suspended_job_is_its_authors_when_it_goes_on(lab: World) -> None:
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me, him = lab.owner(alice), lab.owner(bob)
    made = workload("Job", "train", where)
    made["spec"]["suspend"] = True
    at = path(lab, made)
    async with lab.client(alice) as client, lab.client(bob) as his:
        await created(lab, client, made)
        template = {"metadata": {"annotations": {STAMP: him}, "labels": {LABEL: bob.name}}}
        answer = await his.patch(at, {"spec": {"template": template}})
        assert answer.status == 403, answer
        assert FORGED in answer.message
        left_out = {"metadata": {"annotations": {STAMP: None}}}
        answer = await his.patch(at, {"spec": {"template": left_out}})
        assert (answer.status, stamp(answer.body["spec"]["template"])) == (200, me)
        assert (await his.patch(at, {"spec": {"suspend": False}})).ok
        assert await appear(client, where, 1) == [me], "whoever lets it go on"
    charged(lab, {me: 1, him: 0})


async def test_who_scales_anothers_deployment_spends_its_owners_budget_and_no_more(lab: World) -> None:
    """Accepted: role edit in a namespace is a right to what is there; the limit holds all the same."""
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    me, him = lab.owner(alice), lab.owner(bob)
    lab.group("student", subjects=[me, him], aggregate={"pods": 3})
    async with lab.client(alice) as client, lab.client(bob) as his:
        made = await created(lab, his, workload("Deployment", "web", where))
        await appear(client, where, 1)
        for at, replicas in ((f"{path(lab, made)}/scale", 2), (path(lab, made), 9)):
            answer = await client.patch(at, {"spec": {"replicas": replicas}})
            assert answer.ok, answer.message
        assert await appear(client, where, 3) == [him] * 3
        charged(lab, {him: 3, me: 0})
        answer = await his.create_pod(held("own", where))
        assert f"{him} asked pods 1, used 3 of 3 pods" in line(answer)
        assert (await client.create_pod(held("hers", where))).ok, "Alice's budget is untouched"


async def test_who_edits_anothers_template_spends_its_owners_budget(lab: World) -> None:
    """Accepted, for the same reason."""
    where = lab.namespace()
    alice, bob = resident(lab, "alice", where), resident(lab, "bob", where)
    made = workload("Deployment", "web", where)
    made["spec"]["strategy"] = {"type": "Recreate"}
    async with lab.client(alice) as client, lab.client(bob) as his:
        await created(lab, his, made)
        await appear(client, where, 1)
        spec = {
            "containers": [
                {"name": "main", "image": "hers", "resources": {"limits": {"nvidia.com/gpu": "2"}}}
            ]
        }
        assert (await client.patch(path(lab, made), {"spec": {"template": {"spec": spec}}}, STRATEGIC)).ok

        async def hers() -> bool:
            return bool(lab.usage(lab.owner(bob)).get("used", {}).get("gpu") == "2")

        await eventually(hers, 20, "Bob pays for what Alice runs in his Deployment")
    charged(lab, {lab.owner(bob): 1, lab.owner(alice): 0})


async def test_a_limit_holds_for_all_that_a_persons_workloads_make_together(lab: World) -> None:
    spaces = [lab.namespace(f"n{number}") for number in range(3)]
    alice = resident(lab, "alice", *spaces)
    me = lab.owner(alice)
    lab.group("student", subjects=[me], aggregate={"pods": 4})
    kinds = ("Deployment", "StatefulSet", "Job")
    async with lab.client(alice) as client:
        for where, kind in zip(spaces, kinds, strict=True):
            await created(lab, client, workload(kind, "w", where, replicas=5))

        async def full() -> bool:
            return await _count(client, spaces) == 4

        await eventually(full, 15, "four pods of fifteen are there")
        answer = await client.create_pod(held("one", spaces[0]))
        assert f"{me} asked pods 1, used 4 of 4 pods" in line(answer)
        assert await _count(client, spaces) == 4
    charged(lab, {me: 4})


async def test_odd_templates_are_stamped_or_refused_and_never_let_through(lab: World) -> None:
    where = lab.namespace()
    alice = resident(lab, "alice", where)
    metas: tuple[Manifest | None, ...] = (
        {},
        None,
        {"annotations": None},
        {"annotations": {}, "labels": None},
        {"annotations": {STAMP: None}},
    )
    async with lab.client(alice) as client:
        for kind in ("Job", "CronJob"):
            for number, meta in enumerate(metas):
                made = workload(kind, f"w{number}", where)
                made["metadata"] |= {"annotations": None}
                spec = made["spec"] if kind == "Job" else made["spec"]["jobTemplate"]["spec"]
                spec["suspend"] = True
                spec["template"]["metadata"] = meta
                if kind == "CronJob":
                    made["spec"]["jobTemplate"]["metadata"] = meta
                answer = await create(lab, client, made)
                assert answer.status == 201, (kind, meta, answer.message)
                assert set(owners(answer.body)) == {lab.owner(alice)}
        odd: tuple[Manifest, ...] = (
            {"spec": {}},
            {"spec": {"template": None}},
            {},
            {"spec": {"template": {"spec": None}}},
        )
        for broken in odd:
            manifest = {"apiVersion": "apps/v1", "kind": "Deployment", **broken}
            manifest["metadata"] = {"name": "broken", "namespace": where}
            answer = await create(lab, client, manifest)
            assert answer.status in (403, 422), answer


async def _count(client: AsyncClient, spaces: list[str]) -> int:
    return sum([len(await client.list(f"/api/v1/namespaces/{where}/pods")) for where in spaces])
