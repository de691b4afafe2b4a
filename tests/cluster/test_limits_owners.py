"""Who pays: the requester by their stamp, whatever they write; for their workloads' pods, too."""

from typing import Any

from cluster.steps import eventually, fill, held, line, pod_path, service_account, settled
from controlplane import User
from harness import CONTROLLER, AsyncClient, World, manifests
from harness.clients import pods

STAMP = "labquota.dev/owner"


async def stamps(client: AsyncClient, namespace: str) -> list[str]:
    return [each["metadata"]["annotations"][STAMP] for each in await client.list(pods(namespace))]


async def events(client: AsyncClient, namespace: str) -> list[dict[str, Any]]:
    return await client.list(f"/api/v1/namespaces/{namespace}/events")


async def test_an_owner_that_a_user_writes_on_a_new_pod_is_overwritten(world: World) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    where = world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"pods": 1})
    async with world.client(alice) as client:
        await fill(client, held("one", where, annotations={STAMP: world.owner(bob)}))
        assert await stamps(client, where) == [world.owner(alice)]
        answer = await client.create_pod(held("two", where, annotations={STAMP: world.owner(bob)}))
    assert line(answer).startswith(
        f"AGGREGATE_PODS_QUOTA_EXCEEDED: {world.owner(alice)} asked pods 1, used 1 of 1"
    )


async def test_the_owner_of_a_pod_cannot_be_changed_removed_or_bound_away(world: World) -> None:
    alice, bob = world.user("alice", role="admin"), world.user("bob")
    where = world.namespace()
    first = world.owner(alice)
    unscheduled = {"schedulerName": "nobody"}
    async with world.client(alice) as client, world.client() as admin:
        await fill(client, held("one", where, spec=unscheduled))
        for stamp, who, path in (
            (world.owner(bob), client, ""),
            (world.owner(bob), admin, "/status"),
            (None, admin, "/status"),
        ):
            patch = {"metadata": {"annotations": {STAMP: stamp}}}
            answer = await who.patch(f"{pod_path(where, 'one')}{path}", patch)
            assert answer.status == 403, answer
            assert answer.message.endswith(
                f'OWNER_FORGED: annotation {STAMP} says who created it and stays "{first}"'
            )
        dropped = await client.patch(pod_path(where, "one"), {"metadata": {"annotations": {STAMP: None}}})
        assert dropped.ok, dropped.message
        assert await stamps(client, where) == [first], "what is left out is put back"
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": "one", "annotations": {STAMP: world.owner(bob)}},
            "target": {"kind": "Node", "name": "gpu-node-0"},
        }
        answer = await admin.create(f"{pod_path(where, 'one')}/binding", binding)
        assert answer.status == 403, answer
        assert "OWNER_FORGED" in answer.message
        assert await stamps(client, where) == [first]


async def test_a_group_of_users_gives_each_of_them_a_budget_of_their_own(world: World) -> None:
    students = world.name("students")
    alice, bob = (world.user(each, (students, "staff")) for each in ("alice", "bob"))
    carol, where = world.user("carol", ("staff",)), world.namespace()
    group = world.group("student", subjects=[f"group:{students}"], aggregate={"pods": 1})
    for user in (alice, bob):
        async with world.client(user) as client:
            await fill(client, held(user.name, where))
            answer = await client.create_pod(held("more", where))
            assert f"{world.owner(user)} asked pods 1, used 1 of 1 pods (ResourceLimitGroup/{group})" in line(
                answer
            )
    async with world.client(carol) as client:
        await fill(client, held("one", where), held("two", where))
    settled(world, world.owner(alice), 1)
    assert world.usage(world.owner(alice))["group"] == group, (
        "the group is remembered while alice does not ask"
    )


async def test_a_service_account_pays_for_the_pods_that_it_makes_itself(world: World) -> None:
    where = world.namespace()
    runner = service_account(world, where, "runner")
    owner = f"serviceaccount:{where}/runner"
    group = world.group("ci", subjects=[owner], aggregate={"pods": 1})
    async with world.client(runner) as client:
        await fill(client, held("one", where))
        settled(world, owner, 1)
        answer = await client.create_pod(held("two", where))
        assert await stamps(client, where) == [owner]
    assert line(answer).startswith(
        f"AGGREGATE_PODS_QUOTA_EXCEEDED: {owner} asked pods 1, used 1 of 1 pods (ResourceLimitGroup/{group}), "
        f"0 still fit. Held by {where}/one (pods 1)"
    )


async def test_the_pods_of_a_deployment_belong_to_who_created_it_whatever_the_namespace_says(
    world: World,
) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    owner = world.owner(alice)
    where = world.namespace(owner=world.owner(bob))
    world.group("student", subjects=[owner], aggregate={"gpu": 2})
    async with world.client(alice) as client:
        made = manifests.deployment("web", where, replicas=3, gpu=1)
        assert (await client.create(f"/apis/apps/v1/namespaces/{where}/deployments", made)).ok

        async def told() -> bool:
            return any(
                "AGGREGATE_GPU_QUOTA_EXCEEDED" in each["message"] for each in await events(client, where)
            )

        await eventually(told, 10, "an event carries the refusal")
        assert await stamps(client, where) == [owner, owner]
        answer = await client.create_pod(held("own", where, gpu=1))
        assert f"{owner} asked gpu 1, used 2 of 2 GPU units" in line(answer)


async def test_what_a_controller_makes_for_nobody_belongs_to_the_namespaces_owner(world: World) -> None:
    bob, controller = world.user("bob"), _controller(world)
    owned, ownerless = world.namespace(owner=world.owner(bob)), world.namespace("bare")
    async with world.client(controller) as client:
        for where, owner in ((owned, world.owner(bob)), (ownerless, f"namespace:{ownerless}")):
            await fill(client, held("one", where, annotations={STAMP: "user:somebody"}))
            assert await stamps(client, where) == [owner], "a controller names nobody"


async def test_a_namespace_has_a_budget_of_its_own_by_its_labels(world: World) -> None:
    where = world.namespace()
    owner = f"namespace:{where}"
    labels = {"kubernetes.io/metadata.name": where}
    group = world.group("project", namespaceSelector={"matchLabels": labels}, aggregate={"pods": 2})
    async with world.client(_controller(world)) as client:
        await fill(client, held("one", where), held("two", where))
        settled(world, owner, 2)
        answer = await client.create_pod(held("three", where))
        assert f"{owner} asked pods 1, used 2 of 2 pods (ResourceLimitGroup/{group})" in line(answer)


def _controller(world: World) -> User:
    """The account that the administrator lists as a controller."""
    return world.plane.service_account(*CONTROLLER.split("/"), role="edit")
