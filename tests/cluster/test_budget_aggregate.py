"""One person, one budget over all namespaces: the last pod that fits passes, the next is refused in one clear line."""

import pytest

from cluster.steps import ADVICE, codes, fill, held, line, settled
from harness import World


async def test_the_last_gpu_that_fits_passes_and_the_next_is_refused_in_whichever_namespace(
    world: World,
) -> None:
    alice = world.user("alice")
    owner, (a, b, c) = world.owner(alice), [world.namespace(each) for each in "abc"]
    group = world.group("student", subjects=[owner], aggregate={"gpu": 3})
    async with world.client(alice) as client:
        await fill(client, held("one", a, gpu=1), held("two", b, gpu=1), held("three", c, gpu=1))
        settled(world, owner, 3)
        for where in (a, b, c):
            answer = await client.create_pod(held("four", where, gpu=1))
            assert line(answer) == (
                f"AGGREGATE_GPU_QUOTA_EXCEEDED: {owner} asked gpu 1, used 3 of 3 GPU units "
                f"(ResourceLimitGroup/{group}), 0 still fit. "
                f"Held by {a}/one (gpu 1), {b}/two (gpu 1), {c}/three (gpu 1){ADVICE}"
            )
            assert answer.causes == [
                {
                    "reason": "AGGREGATE_GPU_QUOTA_EXCEEDED",
                    "message": f"asked gpu 1, used 3 of 3 GPU units (ResourceLimitGroup/{group}), 0 still fit",
                    "field": "gpu",
                }
            ]


@pytest.mark.parametrize(
    ("limit", "passing", "refused", "code", "says", "holds"),
    [
        (
            {"cpu": 2},
            [{"cpu": "500m"}, {"cpu": "500m"}, {"cpu": 1}],
            {"cpu": "250m"},
            "AGGREGATE_CPU_QUOTA_EXCEEDED",
            "asked requests.cpu 250m, used 2 of 2 cores ({group}), 0 still fit",
            "{c}/p2 (requests.cpu 1), {a}/p0 (requests.cpu 500m), {b}/p1 (requests.cpu 500m)",
        ),
        (
            {"memory": "4Gi"},
            [{"memory": "1Gi"}, {"memory": "1Gi"}, {"memory": "1536Mi"}],
            {"memory": "1Gi"},
            "AGGREGATE_MEMORY_QUOTA_EXCEEDED",
            "asked requests.memory 1Gi, used 3584Mi of 4Gi ({group}), 512Mi still fit",
            "{c}/p2 (requests.memory 1536Mi), {a}/p0 (requests.memory 1Gi), {b}/p1 (requests.memory 1Gi)",
        ),
        (
            {"pods": 3},
            [{}, {}, {}],
            {},
            "AGGREGATE_PODS_QUOTA_EXCEEDED",
            "asked pods 1, used 3 of 3 pods ({group}), 0 still fit",
            "{a}/p0 (pods 1), {b}/p1 (pods 1), {c}/p2 (pods 1)",
        ),
        (
            {"limits.cpu": 1},
            [{"limits": {"cpu": "400m"}}, {"limits": {"cpu": "400m"}}, {"limits": {"cpu": "200m"}}],
            {"limits": {"cpu": "1m"}},
            "AGGREGATE_CPU_QUOTA_EXCEEDED",
            "asked limits.cpu 1m, used 1 of 1 cores ({group}), 0 still fit",
            "{a}/p0 (limits.cpu 400m), {b}/p1 (limits.cpu 400m), {c}/p2 (limits.cpu 200m)",
        ),
        (
            {"nvidia.com/mig-3g.20gb": 2},
            [{"mig": {"3g.20gb": 1}}, {"mig": {"3g.20gb": 1}}, {"mig": {"1g.10gb": 4}}],
            {"mig": {"3g.20gb": 1}},
            "AGGREGATE_GPU_QUOTA_EXCEEDED",
            "asked nvidia.com/mig-3g.20gb 1, used 2 of 2 GPU units ({group}), 0 still fit",
            "{a}/p0 (nvidia.com/mig-3g.20gb 1), {b}/p1 (nvidia.com/mig-3g.20gb 1)",
        ),
        (
            {"example.com/licence": 3},
            [{"limits": {"example.com/licence": 1}}] * 3,
            {"limits": {"example.com/licence": 2}},
            "AGGREGATE_RESOURCE_QUOTA_EXCEEDED",
            "asked example.com/licence 2, used 3 of 3 ({group}), 0 still fit",
            "{a}/p0 (example.com/licence 1), {b}/p1 (example.com/licence 1), {c}/p2 (example.com/licence 1)",
        ),
    ],
    ids=["cpu", "memory", "pods", "limits.cpu", "a MIG profile by its name", "an extended resource"],
)
async def test_each_resource_is_added_up_over_three_namespaces(
    world: World,
    limit: dict[str, str],
    passing: list[dict[str, object]],
    refused: dict[str, object],
    code: str,
    says: str,
    holds: str,
) -> None:
    alice = world.user("alice")
    owner, spaces = world.owner(alice), [world.namespace(each) for each in "abc"]
    group = f"ResourceLimitGroup/{world.group('student', subjects=[owner], aggregate=limit)}"
    async with world.client(alice) as client:
        for number, (where, resources) in enumerate(zip(spaces, passing, strict=True)):
            await fill(client, held(f"p{number}", where, **resources))
        settled(world, owner, 3)
        answer = await client.create_pod(held("more", spaces[0], **refused))
    names = dict(zip("abc", spaces, strict=True))
    assert line(answer) == (
        f"{code}: {owner} {says.format(group=group)}. Held by {holds.format(**names)}{ADVICE}"
    )
    assert codes(answer) == [code]


async def test_every_kind_of_gpu_counts_as_one_unit(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    world.group("student", subjects=[owner], aggregate={"gpu": 4})
    async with world.client(alice) as client:
        await fill(client, held("slices", where, mig={"1g.10gb": 2, "3g.20gb": 1}))
        answer = await client.create_pod(held("whole", where, gpu=2))
        assert "asked gpu 2, used 3 of 4 GPU units" in line(answer)
        assert "1 still fit" in line(answer)
        await fill(client, held("smaller", where, gpu=1))
