"""Overrides: key by key over the group, from notBefore to expiresAt by the clock."""

import time
from datetime import UTC, datetime, timedelta

from cluster.steps import fill, fits, held, line, refused_soon
from harness import World


def moment(seconds: float) -> str:
    """So many seconds from now, as an override has it."""
    return (
        (datetime.now(UTC) + timedelta(seconds=seconds))
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


async def test_an_override_replaces_the_groups_limits_key_by_key(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    group = world.group("student", subjects=[owner], aggregate={"gpu": 1, "pods": 9}, per_pod={"gpu": 9})
    override = world.override("thesis", owner, aggregate={"gpu": 2, "cpu": 4}, per_pod={"gpu": 5})
    async with world.client(alice) as client:
        answer = await client.create_pod(held("a", where, cpu=5, gpu=6))
        assert line(answer).startswith(
            f"AGGREGATE_GPU_QUOTA_EXCEEDED: {owner} asked gpu 6, used 0 of 2 GPU units "
            f"(ResourceLimitOverride/{override}), 2 still fit; "
            f"AGGREGATE_CPU_QUOTA_EXCEEDED: {owner} asked requests.cpu 5, used 0 of 4 cores "
            f"(ResourceLimitOverride/{override}), 4 still fit; "
            f"USER_AT_LIMIT: {owner} asked gpu 6 for one pod, at most 5 GPU units each "
            f"(ResourceLimitOverride/{override})"
        )
        await fill(client, *(held(f"p{number}", where, cpu="1m") for number in range(9)))
        answer = await client.create_pod(held("b", where, cpu="1m"))
    assert f"used 9 of 9 pods (ResourceLimitGroup/{group})" in line(answer), "an absent key is inherited"


async def test_unlimited_lifts_a_limit_absent_keeps_it_and_0_means_none(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner, mig = world.owner(alice), "nvidia.com/mig-1g.10gb"
    group = world.group("student", subjects=[owner], aggregate={"gpu": 1, "pods": 2, mig: 1})
    override = world.override("thesis", owner, aggregate={"gpu": "unlimited", mig: 0})
    async with world.client(alice) as client:
        await fill(client, held("a", where, gpu=50), held("b", where, gpu=50, cpu=500))
        answer = await client.create_pod(held("c", where, mig={"1g.10gb": 1}))
    assert line(answer).startswith(
        f"AGGREGATE_GPU_QUOTA_EXCEEDED: {owner} asked {mig} 1, used 0 of 0 GPU units "
        f"(ResourceLimitOverride/{override}), 0 still fit; "
        f"AGGREGATE_PODS_QUOTA_EXCEEDED: {owner} asked pods 1, used 2 of 2 pods (ResourceLimitGroup/{group}), "
        "0 still fit. "
    )


async def test_what_was_made_under_unlimited_counts_as_soon_as_the_override_goes(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.group("student", subjects=[owner], aggregate={"gpu": 4})
    world.override("thesis", owner, aggregate={"gpu": "unlimited"}, expires_at=moment(2.5))
    async with world.client(alice) as client:
        await fill(client, held("a", where, gpu=3), held("b", where, gpu=3))
        answer = await refused_soon(client, held("c", where, gpu=1), 4)
    assert "asked gpu 1, used 6 of 4 GPU units" in line(answer)


async def test_an_override_applies_from_not_before_to_expires_at(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner, pod = world.owner(alice), held("a", where, gpu=2)
    group = world.group("student", subjects=[owner], aggregate={"gpu": 1})
    began = time.monotonic()
    world.override("week", owner, aggregate={"gpu": 2}, not_before=moment(2.5), expires_at=moment(4.5))
    async with world.client(alice) as client:
        answer = await client.create_pod(pod)
        assert f"used 0 of 1 GPU units (ResourceLimitGroup/{group})" in line(answer)
        await fits(client, pod, 4)
        assert 2.4 <= time.monotonic() - began <= 4
        answer = await refused_soon(client, pod, 4)
        assert 4.4 <= time.monotonic() - began <= 6
    assert f"used 0 of 1 GPU units (ResourceLimitGroup/{group})" in line(answer)


async def test_an_override_alone_limits_whom_no_group_matches(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    override = world.override("guest", owner, aggregate={"pods": 1})
    async with world.client(alice) as client:
        await fill(client, held("a", where))
        answer = await client.create_pod(held("b", where))
    assert f"{owner} asked pods 1, used 1 of 1 pods (ResourceLimitOverride/{override})" in line(answer)


async def test_of_two_overrides_the_later_name_wins_for_a_key_that_both_set(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    owner = world.owner(alice)
    world.override("a", owner, aggregate={"gpu": 1, "pods": 0})
    last = world.override("b", owner, aggregate={"gpu": 2, "pods": 5})
    async with world.client(alice) as client:
        answer = await client.create_pod(held("a", where, gpu=3))
    assert f"used 0 of 2 GPU units (ResourceLimitOverride/{last})" in line(answer)
