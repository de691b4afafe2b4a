"""What is reserved for a pod that is never stored: kept as long as a create can take, and then given up."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from cluster.steps import codes, eventually, fill, held, line, settled
from controlplane.process import wait_until
from harness import CREATE_SECONDS, Answer, AsyncClient, World, manifests

LATE = 5.0
"""Seconds after the time-out by which a reservation has gone, on a busy machine too."""


def reservations(world: World, owner: str) -> int:
    return (world.ledger(owner) or "").count(";")


async def is_given_up_in_time(world: World, owner: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Send what ends in no pod; its reservation lasts for CREATE_SECONDS, no less and not much more."""
    began = time.monotonic()
    answer = await ask()
    asked = time.monotonic()
    assert reservations(world, owner) == 1, world.ledger(owner)
    assert wait_until(lambda: reservations(world, owner) == 0, CREATE_SECONDS + LATE), world.ledger(owner)
    gone = time.monotonic()
    print(f"given up {gone - asked:.1f} s after the answer")
    assert gone - began >= CREATE_SECONDS, "given up while the API server might still have stored the pod"
    return answer


async def test_a_create_that_meets_an_existing_pod_is_reserved_until_the_time_out(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    group = world.group("student", subjects=[owner], aggregate={"gpu": 3})
    async with world.client(alice) as client:
        await fill(client, held("one", where, gpu=1))
        settled(world, owner, 1)

        async def again() -> Answer:
            answer = await client.create_pod(held("one", where, gpu=2))
            refusal = await client.create_pod(held("other", where, gpu=1))
            assert line(refusal) == (
                f"AGGREGATE_GPU_QUOTA_EXCEEDED: {owner} asked gpu 1, used 3 of 3 GPU units "
                f"(ResourceLimitGroup/{group}), 0 still fit. Held by {where}/one (gpu 2). "
                f"1 request in flight holds gpu 2 for at most {CREATE_SECONDS} s, then try again. "
                "Delete a pod or let one finish, or ask for less"
            )
            return answer

        answer = await is_given_up_in_time(world, owner, again)
        assert (answer.status, answer.body["reason"]) == (409, "AlreadyExists"), answer
        await fill(client, held("other", where, gpu=2))


async def test_a_create_that_a_resource_quota_refuses_is_reserved_until_the_time_out(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 3})
    quota = manifests.resource_quota("hard", where, pods=0)
    world.apply(quota)
    path = world.plane.client.path_of(quota)
    assert wait_until(lambda: "used" in world.plane.client.get(path).get("status", {}), 10)
    async with world.client(alice) as client:

        async def refused() -> Answer:
            return await client.create_pod(held("one", where, gpu=3))

        answer = await is_given_up_in_time(world, owner, refused)
        assert answer.status == 403, answer
        assert answer.message.startswith('pods "one" is forbidden: exceeded quota: hard'), answer.message
        world.forget(quota)

        async def passes() -> bool:
            return (await client.create_pod(held("one", where, gpu=3))).ok

        await eventually(passes, 5, "the ResourceQuota is gone and the budget whole")


async def test_a_create_that_another_webhook_fails_is_reserved_until_the_time_out(world: World) -> None:
    alice, where, elsewhere = world.user("alice"), world.namespace(), world.namespace("elsewhere")
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 3})
    world.apply(broken_webhook(world, where))
    async with world.client(alice) as client:

        async def asked() -> bool:
            return (await client.create_pod(held("probe", where), dryRun="All")).status == 500

        async def fails() -> Answer:
            return await client.create_pod(held("one", where, gpu=3))

        await eventually(asked, 10, "the other webhook is in force")
        answer = await is_given_up_in_time(world, owner, fails)
        assert answer.status == 500, answer
        assert 'failed calling webhook "zz.example.com"' in answer.message
        await fill(client, held("one", elsewhere, gpu=3))


def broken_webhook(world: World, namespace: str) -> dict[str, Any]:
    """Another validating webhook, after ours by name, that must answer and that nobody serves."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"zz-{world.tag}"},
        "webhooks": [
            {
                "name": "zz.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 2,
                "clientConfig": {"url": "https://127.0.0.1:1/nobody"},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "resources": ["pods"],
                        "operations": ["CREATE"],
                    }
                ],
            }
        ],
    }


async def test_a_storm_of_creates_for_one_name_keeps_at_most_eight_reservations(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 2})
    async with world.client(alice) as client:
        await fill(client, held("one", where, gpu=1))
        settled(world, owner, 1)
        answers = await storm(client, where, 20)
        assert [each.status for each in answers] == [409] * 8 + [403] * 12
        assert line(answers[-1]) == (
            f"TOO_MANY_RESERVATIONS: 8 requests for pod {where}/one are in flight already; "
            "wait until they are stored or given up"
        )
        assert codes(answers[-1]) == ["TOO_MANY_RESERVATIONS"]
        assert reservations(world, owner) == 8
        assert (await client.delete_pod(where, "one")).ok
        assert wait_until(lambda: reservations(world, owner) == 0, CREATE_SECONDS + LATE)
        await fill(client, held("one", where, gpu=2))


async def storm(client: AsyncClient, where: str, count: int) -> list[Answer]:
    return [await client.create_pod(held("one", where, gpu=1)) for _ in range(count)]
