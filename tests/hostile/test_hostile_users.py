"""What a user can make an API server say: nothing of it passes unjudged, ends a process, or is held for nothing."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from controlplane import ControlPlane
from controlplane.process import wait_until
from harness import AsyncClient, Installation, World, storming
from harness.clients import MERGE, pods
from harness.manifests import container
from harness.storming import nothing_unchecked, true_ledger
from hostile import protobuf
from hostile.target import Target

DEPTH = 3_000
DEEP = '{"f:a":' * DEPTH + "{}" + "}" * DEPTH
"""As the API server takes it in managedFields, up to ten thousand levels; this deep it needs half a second for it."""
MANAGED = {
    "managedFields": [
        {
            "manager": "x",
            "operation": "Update",
            "apiVersion": "v1",
            "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": "DEEP",
        }
    ]
}


@pytest.fixture
def target(world: World, installation: Installation) -> Iterator[Target]:
    """Users and a namespace of a test's own: pods are made here."""
    with Target(world, installation) as one:
        yield one


@pytest.fixture(autouse=True)
def gate_stays_shut(target: Target) -> Iterator[None]:
    """Whatever a test here does, nothing passes without a judgement."""
    with nothing_unchecked(target.world.plane, target.installed):
        yield


async def test_a_pod_nested_three_thousand_levels_deep_ends_no_operator_and_stays_charged(
    target: Target, installation: Installation
) -> None:
    operator, where = installation.operator(), target.namespace
    pid = operator.pid
    pod = storming.pod("a", where, gpu=3)
    created = {**pod, "metadata": {**pod["metadata"], **MANAGED}}
    async with target.world.client(target.user) as client:
        assert (await client.create_pod(pod)).status == 201
        try:
            await unread(client, "PATCH", f"{pods(where)}/a", {"metadata": MANAGED})
            true_ledger(target.world, target.owner, 10, gpu=3, pods=1)
            assert (operator.alive, operator.pid) == (True, pid)
            operator.restart(seconds=60)  # a first set from nothing
            true_ledger(target.world, target.owner, 20, gpu=3, pods=1)
            over = await client.create_pod(storming.pod("b", where, gpu=2))
            assert (over.status, over.causes[0]["reason"]) == (403, "AGGREGATE_GPU_QUOTA_EXCEEDED")
        finally:
            await unread(client, "DELETE", f"{pods(where)}/a", {"gracePeriodSeconds": 0})
        body = json.dumps(created).replace('"DEEP"', DEEP).encode()
        refused = await client.call("POST", pods(where), body)
    assert (refused.status, "INVALID_REQUEST" in refused.message) == (403, True)
    true_ledger(target.world, target.owner, 10, gpu=0, pods=0)
    assert "cannot decode" not in operator.log.read_text(errors="replace")


async def unread(client: AsyncClient, method: str, path: str, body: Any) -> None:
    """Do something to the deep pod. The answer holds it, and no decoder here can follow that."""
    text = json.dumps(body).replace('"DEEP"', DEEP).encode()
    kind = MERGE if method == "PATCH" else "application/json"
    with pytest.raises(RecursionError):
        await client.call(method, path, text, content_type=kind)


async def test_the_pod_that_is_charged_is_the_one_that_is_stored_of_keys_sent_twice(target: Target) -> None:
    where = target.namespace
    first = container("first", cpu="7", memory="1Gi", gpu=2)
    body = json.dumps(storming.pod("a", where, cpu="1"))
    body = body.replace('"spec": {', f'"spec": {{"containers": [{json.dumps(first)}]}}, "spec": {{', 1)
    body = body.replace('"requests": {', '"requests": {"cpu": "9"}, "requests": {', 1)
    async with target.world.client(target.user) as client:
        answer = await client.call("POST", pods(where), body.encode())
        assert answer.status == 201, answer.message
        found = answer.body["spec"]["containers"]
    assert len(found) == 1
    asked = found[0]["resources"]["requests"]
    true_ledger(
        target.world,
        target.owner,
        10,
        gpu=int(asked["nvidia.com/gpu"]),
        pods=1,
        **{"requests.cpu": 1000 * int(asked["cpu"])},
    )


@pytest.mark.parametrize(
    "text",
    ["a\\u0000b", "\\ud800", "\\udc00\\ud800", "\\u2028\\u0085", '\\\\\\"', "</script>", "\\uffff\\ufffe"],
)
async def test_a_text_of_any_characters_is_judged_stored_and_charged(target: Target, text: str) -> None:
    where = target.namespace
    body = json.dumps(storming.pod("a", where, cpu="1", annotations={"text": "TEXT"})).replace("TEXT", text)
    async with target.world.client(target.user) as client:
        answer = await client.call("POST", pods(where), body.encode())
        assert answer.status == 201, answer.message
        over = await client.call(
            "POST", pods(where), body.replace('"a"', '"b"').replace('"1"', '"100"').encode()
        )
        assert (over.status, over.causes[0]["reason"]) == (403, "AGGREGATE_CPU_QUOTA_EXCEEDED")
    true_ledger(target.world, target.owner, 10, pods=1, **{"requests.cpu": 1000})


async def test_a_pod_in_protobuf_with_bytes_that_are_no_text_is_judged_stored_and_charged(
    target: Target,
) -> None:
    where = target.namespace
    async with target.world.client(target.user) as client:
        for name, cpu, status in (("a", "1", 201), ("b", "100", 403)):
            body = protobuf.pod(name, where, cpu=cpu, annotations={b"text": b"a\xff\xed\xa0\x80\x00b"})
            answer = await client.call("POST", pods(where), body, content_type=protobuf.CONTENT_TYPE)
            assert answer.status == status, answer.message
    true_ledger(target.world, target.owner, 10, pods=1, **{"requests.cpu": 1000})


def large(kind: str, number: int, where: str) -> dict[str, Any]:
    """A pod that is as large as an API server and etcd take it."""
    shapes: dict[str, dict[str, Any]] = {
        "environment": {"containers": [container(env=[{"name": "A", "value": "x" * 1_200_000}])]},
        "containers": {"containers": [container(f"c{each}", cpu="1m") for each in range(2_000)]},
        "labels": {"labels": {f"l{each}": "x" * 20 for each in range(20_000)}},
    }
    return storming.pod(f"{kind}-{number}", where, **shapes[kind])


async def test_twenty_large_pods_at_once_are_judged_and_charged(target: Target) -> None:
    where = target.namespace
    target.world.override("few", target.owner, aggregate={"pods": 4})
    async with target.world.client(target.user) as client, target.others():
        made = [
            large(kind, number, where)
            for number in range(7)
            for kind in ("environment", "containers", "labels")
        ]
        answers = await asyncio.gather(*(client.create_pod(pod) for pod in made))
    counts = [answer.status for answer in answers]
    assert (counts.count(201), set(counts)) == (4, {201, 403}), [answer.message[:200] for answer in answers]
    true_ledger(target.world, target.owner, 10, pods=4)


async def test_a_flood_of_what_is_refused_slows_nobody_else(
    target: Target, control_plane: ControlPlane, installation: Installation
) -> None:
    with World(control_plane, installation) as other:
        bob = other.user("bob")
        other.group("guests", subjects=[other.owner(bob)], aggregate={"pods": 3})
        where, invented = other.namespace(), {f"nvidia.com/r{number}": "1" for number in range(1_000)}
        flood = [
            (target.user, storming.pod(f"p{n}", target.namespace, requests=invented, limits=invented))
            for n in range(60)
        ]
        flooding = asyncio.create_task(storming.all_at_once(flood, clients=16))
        async with target.others():
            made = await storming.all_at_once(
                [(bob, storming.pod(f"b{number}", where)) for number in range(3)]
            )
            counts = storming.tally(await flooding)
        assert storming.tally(made) == {"201": 3}
        assert counts["UNKNOWN_GPU_RESOURCE"] == 60, counts
        assert wait_until(lambda: other.usage(other.owner(bob)).get("used", {}).get("pods") is not None, 10)
