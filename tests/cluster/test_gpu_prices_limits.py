"""gpu-equivalents and gpu-memory on a real control plane: what GPUs cost is learned from the nodes that offer them."""

import pytest

from cluster.pricing import A100_40, A100_80, GPUNodes, V
from cluster.steps import ADVICE, codes, fill, fits, line, refused_soon, settled
from harness import World

CUT = {f"{V}/mig-{each}": 4 for each in ("1g.5gb", "3g.20gb", "4g.20gb")}
SLICE = f"{V}/mig-1g.10gb"


async def test_one_equivalent_is_4g_and_3g_and_the_next_1g_is_refused(world: World) -> None:
    alice, where, nodes = world.user("alice"), world.namespace(), GPUNodes(world)
    nodes.add("cut", A100_40, CUT)
    group = world.group("student", subjects=[world.owner(alice)], aggregate={"gpu-equivalents": "1"})
    pods = [
        nodes.pod(name, where, {f"{V}/mig-{each}": 1}) for name, each in (("a", "4g.20gb"), ("b", "3g.20gb"))
    ]
    async with world.client(alice) as client:
        await fill(client, pods[0])
        answer = await client.create_pod(pods[1])
        assert answer.ok, answer.message
        warning = f"labquota: {world.owner(alice)} now uses gpu-equivalents 1 of 1 GPUs (ResourceLimitGroup/{group})"
        assert list(answer.warnings) == [warning]
        settled(world, world.owner(alice), 2)
        answer = await client.create_pod(nodes.pod("c", where, {f"{V}/mig-1g.5gb": 1}))
    assert line(answer) == (
        f"AGGREGATE_GPU_QUOTA_EXCEEDED: {world.owner(alice)} asked gpu-equivalents 0.143, used 1 of 1 GPUs "
        f"(ResourceLimitGroup/{group}), 0 still fit. "
        f"Held by {where}/a (gpu-equivalents 0.571), {where}/b (gpu-equivalents 0.5){ADVICE}"
    )
    assert [(each["reason"], each["field"]) for each in answer.causes] == [
        ("AGGREGATE_GPU_QUOTA_EXCEEDED", "gpu-equivalents")
    ]
    usage = world.usage(world.owner(alice))
    assert usage["limits"] == {"gpu-equivalents": {"limit": "1", "source": f"ResourceLimitGroup/{group}"}}
    assert usage["summary"]["equivalents"] == "1/1"
    assert (usage["used"]["gpu-equivalents"], usage["points"]["compute"], usage["points"]["memory"]) == (
        "1",
        56,
        56,
    )


async def test_one_profile_name_costs_what_it_is_on_the_model_that_a_pod_selects(world: World) -> None:
    alice, where, nodes = world.user("alice"), world.namespace(), GPUNodes(world)
    nodes.add("small", A100_40, {SLICE: 4})
    nodes.add("large", A100_80, {SLICE: 7})
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu-equivalents": "1"})
    large, small = ({f"{V}/gpu.product": card[0]} for card in (A100_80, A100_40))
    async with world.client(alice) as client:
        await fits(client, nodes.pod("a", where, {SLICE: 7}, large), 5)
        await refused_soon(client, nodes.pod("a", where, {SLICE: 5}, small))
        await fits(client, nodes.pod("a", where, {SLICE: 4}, small))
        answer = await client.create_pod(nodes.pod("a", where, {SLICE: 7}))
        assert "asked gpu-equivalents 1.75, used 0 of 1 GPUs" in line(answer), "the worst case of both"
        affine = nodes.pod("a", where, {SLICE: 7})
        term = {"matchExpressions": [{"key": f"{V}/gpu.memory", "operator": "Gt", "values": ["50000"]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        affine["spec"]["affinity"] = {"nodeAffinity": required}
        await fits(client, affine)


async def test_under_the_single_strategy_a_gpu_is_the_slice_that_its_node_says(world: World) -> None:
    alice, where, nodes = world.user("alice"), world.namespace(), GPUNodes(world)
    nodes.add("single", (f"{A100_40[0]}-MIG-1g.5gb", 4864), {f"{V}/gpu": 7}, mig__strategy="single")
    limits = {"gpu-equivalents": "1", "gpu-memory": "34048Mi"}
    world.group("student", subjects=[world.owner(alice)], aggregate=limits, allow_whole_gpu=False)
    async with world.client(alice) as client:
        await fits(client, nodes.pod("a", where, {f"{V}/gpu": 7}), 5)
        answer = await client.create_pod(nodes.pod("a", where, {f"{V}/gpu": 8}))
        assert "asked gpu-equivalents 1.143, used 0 of 1 GPUs" in line(answer)
        assert "asked gpu-memory 38Gi, used 0 of 34048Mi (" in line(answer)
        anywhere = nodes.pod("a", where, {f"{V}/gpu": 1})
        anywhere["spec"]["nodeSelector"] = {}
        assert codes(await client.create_pod(anywhere))[0] == "WHOLE_GPU_NOT_ALLOWED", (
            "others have whole ones"
        )


@pytest.mark.parametrize(("offered", "product"), [("gpu.shared", "Tesla-T4"), ("gpu", "Tesla-T4-SHARED")])
async def test_a_shared_replica_costs_the_whole_by_default(world: World, offered: str, product: str) -> None:
    alice, where, nodes = world.user("alice"), world.namespace(), GPUNodes(world)
    nodes.add("shared", (product, 15360), {f"{V}/{offered}": 4}, gpu__replicas="4")
    world.group(
        "student", subjects=[world.owner(alice)], aggregate={"gpu-equivalents": 1, "gpu-memory": "15Gi"}
    )
    async with world.client(alice) as client:
        await fits(client, nodes.pod("a", where, {f"{V}/{offered}": 1}), 5)
        answer = await client.create_pod(nodes.pod("b", where, {f"{V}/{offered}": 2}))
    assert "asked gpu-equivalents 2, used 0 of 1 GPUs" in line(answer)
    assert "asked gpu-memory 30Gi, used 0 of 15Gi (" in line(answer)


async def test_gpu_memory_is_what_the_slices_have(world: World) -> None:
    alice, where, nodes = world.user("alice"), world.namespace(), GPUNodes(world)
    nodes.add("cut", A100_40, CUT, **{"mig-3g__20gb__memory": "19968", "mig-1g__5gb__memory": "4864"})
    group = world.group("student", subjects=[world.owner(alice)], aggregate={"gpu-memory": "20Gi"})
    async with world.client(alice) as client:
        await fill(client, nodes.pod("a", where, {f"{V}/mig-3g.20gb": 1}))
        settled(world, world.owner(alice), 1)
        answer = await client.create_pod(nodes.pod("b", where, {f"{V}/mig-1g.5gb": 1}))
    assert line(answer) == (
        f"AGGREGATE_GPU_QUOTA_EXCEEDED: {world.owner(alice)} asked gpu-memory 4864Mi, used 19968Mi of 20Gi "
        f"(ResourceLimitGroup/{group}), 512Mi still fit. Held by {where}/a (gpu-memory 19968Mi){ADVICE}"
    )
