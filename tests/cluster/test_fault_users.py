"""What a user can provoke is refused or answered as usual: it never opens the gate, for them or for anybody else."""

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import msgspec
import pytest

from controlplane import ControlPlane
from harness import Installation, World, manifests, storming
from harness.manifests import Manifest
from harness.storming import all_at_once, nothing_unchecked, tally, true_ledger
from harness.watching import PodWatch

FULL_PODS = "AGGREGATE_PODS_QUOTA_EXCEEDED"
STAMP = "labquota.dev/owner"
TOO_MANY = "TOO_MANY_RESERVATIONS"
GIVEN_UP_SECONDS = 20
"""Well above the time after which the tests' installation gives up a reservation."""


@pytest.fixture(autouse=True)
def gate_stays_shut(control_plane: ControlPlane, installation: Installation) -> Iterator[None]:
    """Whatever a test here does, nothing passes without a judgement."""
    with nothing_unchecked(control_plane, installation):
        yield


def padded(name: str, namespace: str, size: int) -> Manifest:
    """A pod of about so many bytes; annotations may not be that large, environments may."""
    env = [{"name": f"V{number}", "value": "x" * 100_000} for number in range(size // 100_000)]
    return storming.pod(name, namespace, containers=[manifests.container(env=env)])


async def test_a_flood_of_four_hundred_creates_is_answered_and_ends_at_the_limit(
    control_plane: ControlPlane, world: World
) -> None:
    alice, bob, where = world.user("alice"), world.user("bob"), world.namespace()
    owner, other = world.owner(alice), world.owner(bob)
    world.group("students", subjects=[owner, other], aggregate={"pods": 30})
    flood = [(alice, storming.pod(f"p{number}", where)) for number in range(400)]
    async with PodWatch(control_plane, {owner: {"pods": 30}, other: {"pods": 30}}) as watch:
        flooding = asyncio.create_task(all_at_once(flood, clients=400))
        await asyncio.sleep(0.2)
        bobs = await all_at_once([(bob, storming.pod(f"b{number}", where)) for number in range(5)])
        counts = tally(await flooding)
        await watch.caught_up()
        assert watch.excesses == []
        assert set(counts) <= {"201", FULL_PODS, "429"}, "429 is the API server's own answer to a flood"
        assert [counts["201"], watch.held(owner)] == [30, 30]
    assert tally(bobs) == {"201": 5}, "somebody else's flood is nobody else's refusal"


async def test_a_flood_of_one_name_fills_no_ledger(control_plane: ControlPlane, world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("students", subjects=[owner], aggregate={"pods": 3})
    async with PodWatch(control_plane, {owner: {"pods": 3}}) as watch:
        counts = tally(await all_at_once([(alice, storming.pod("same", where)) for _ in range(200)]))
        await watch.caught_up()
    assert watch.excesses == []
    assert counts["201"] == 1
    assert set(counts) <= {"201", "409", TOO_MANY, FULL_PODS}, counts
    assert len(world.ledger(owner) or "") < 2_000
    true_ledger(world, owner, GIVEN_UP_SECONDS, pods=1)


async def test_a_pod_too_large_for_etcd_is_judged_like_any_other_and_charged_to_nobody(world: World) -> None:
    alice, bob, where = world.user("alice"), world.user("bob"), world.namespace()
    owner, full = world.owner(alice), world.owner(bob)
    world.group("students", subjects=[owner], aggregate={"pods": 3})
    world.group("guests", subjects=[full], aggregate={"pods": 0})
    async with world.client(alice) as alices, world.client(bob) as bobs:
        unstorable = await alices.create_pod(padded("large", where, 2_000_000))
        refused = await bobs.create_pod(padded("large-too", where, 2_000_000))
        fits = await alices.create_pod(padded("half", where, 800_000))
    assert (unstorable.status, "request is too large" in unstorable.message) == (500, True), unstorable
    assert refused.status == 403
    assert f"{FULL_PODS}: {full} asked pods 1, used 0 of 0 pods" in refused.message
    assert fits.status == 201
    true_ledger(world, owner, GIVEN_UP_SECONDS, pods=1)


@pytest.mark.parametrize(
    ("quantity", "status"),
    [
        ("9223372036854775807Ei", 403),
        ("1e99999999999999999999", 400),
        ("0.0000000000000000000001", 403),
        ("-1", 422),
        ("1_000", 400),
        ("NaN", 400),
    ],
)
async def test_no_quantity_is_a_way_past_the_limit(world: World, quantity: str, status: int) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("students", subjects=[world.owner(alice)], aggregate={"cpu": 0})
    pod = storming.pod("a", where, requests={"cpu": quantity}, limits={"cpu": quantity})
    async with world.client(alice) as client:
        answer = await client.create_pod(pod)
    assert answer.status == status, answer.message
    if status == 403:
        assert answer.causes[0]["reason"] == "AGGREGATE_CPU_QUOTA_EXCEEDED", answer.message


@pytest.mark.parametrize(
    "quantity", ["1e999999999", "1e-999999999", "-1e999999999", "1e", "\uff11", "9" * 100_000]
)
async def test_a_review_that_an_api_server_would_choke_on_is_refused_at_once(
    installation: Installation, world: World, quantity: str
) -> None:
    """The webhook is asked directly: an API server works for minutes on some of these before it asks anybody."""
    alice, where = world.user("alice"), world.namespace()
    world.group("students", subjects=[world.owner(alice)], aggregate={"cpu": 0})
    pod = storming.pod("a", where, requests={"cpu": quantity}, annotations={STAMP: world.owner(alice)})
    review = {"uid": "1", "operation": "CREATE", "namespace": where, "name": "a", "object": pod}
    review["userInfo"] = {"username": alice.name, "groups": []}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
        url = f"{installation.url}/validate?timeout=10s"
        async with session.post(url, json={"request": review}, ssl=False) as answer:
            assert answer.status == 200
            response = (await answer.json())["response"]
    assert (response["uid"], response["allowed"], response["status"]["code"]) == ("1", False, 403)
    assert len(response["status"]["message"]) < 1_000, "the line repeats what nobody can read"


async def test_a_thousand_invented_resources_do_not_reach_the_ledger(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("students", subjects=[owner], aggregate={"pods": 1})
    invented = {f"example.com/r{number}": 1 for number in range(1000)}
    async with world.client(alice) as client:
        first = await client.create_pod(storming.pod("a", where, requests=invented, limits=invented))
        second = await client.create_pod(storming.pod("b", where, requests=invented, limits=invented))
    assert first.status == 201
    assert second.causes[0]["reason"] == FULL_PODS
    assert len(second.message) < 1_000
    assert "example.com" not in (world.ledger(owner) or "")


async def test_a_thousand_invented_gpus_are_refused_in_a_line_that_people_can_read(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("students", subjects=[world.owner(alice)], aggregate={"gpu": 1})
    invented = {f"nvidia.com/r{number}": 1 for number in range(1000)}
    async with world.client(alice) as client:
        answer = await client.create_pod(storming.pod("a", where, requests=invented, limits=invented))
    assert answer.status == 403
    assert answer.causes[0]["reason"] == "UNKNOWN_GPU_RESOURCE"
    assert len(answer.message) < 5_000, f"{len(answer.message)} characters"


async def test_a_thousand_containers_are_added_up(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("students", subjects=[owner], aggregate={"cpu": 1})
    many = [manifests.container(f"c{number}", cpu="1m") for number in range(1000)]
    async with world.client(alice) as client:
        fits = await client.create_pod(storming.pod("a", where, containers=many))
        over = await client.create_pod(storming.pod("b", where, cpu="1m"))
        unset = await client.create_pod(
            storming.pod(
                "c", where, containers=[{"name": f"c{each}", "image": "none"} for each in range(1000)]
            )
        )
    assert fits.status == 201
    assert f"{owner} asked requests.cpu 1m, used 1 of 1 cores" in over.message
    assert unset.causes[0]["reason"] == "REQUEST_REQUIRED"
    assert len(unset.message) < 5_000, f"{len(unset.message)} characters"


async def test_a_pod_of_other_types_than_the_api_knows_is_nobodys_outage(world: World) -> None:
    """The API server reads pods before we do: nothing that is no pod reaches the webhook."""
    alice, where = world.user("alice"), world.namespace()
    world.group("students", subjects=[world.owner(alice)], aggregate={"cpu": 0})
    strange: list[Any] = [{}, {"requests": None}, {"requests": {"cpu": 1}}, {"requests": {"cpu": 0.5}}]
    async with world.client(alice) as client:
        answers = []
        for number, resources in enumerate(strange):
            pod = storming.pod(f"p{number}", where)
            pod["spec"]["containers"][0]["resources"] = resources
            answers.append(await client.create(f"/api/v1/namespaces/{where}/pods", msgspec.json.encode(pod)))
    assert [answer.status for answer in answers] == [403] * 4, answers
