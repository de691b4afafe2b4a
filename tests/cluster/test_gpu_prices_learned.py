"""Prices that follow the nodes: when a pod is bound, when a node is cut anew; and names that nobody knows."""

import json

import yaml

from cluster.pricing import A100_40, A100_80, GPUNodes, V, bind, gpu, mig, resource
from cluster.steps import codes, fill, fits, line, refused_soon
from controlplane import User
from controlplane.process import wait_until
from harness import World
from harness.manifests import Manifest
from labquota_process import run

SLICE = f"{V}/mig-1g.10gb"


def equivalents(world: World, owner: str, amount: str) -> None:
    """Wait until an owner's budget shows so many gpu-equivalents, and the ledger as well."""

    def shown() -> bool:
        ledger = world.ledger(owner) or ""
        return world.usage(owner).get("used", {}).get("gpu-equivalents") == amount and ";" not in ledger

    assert wait_until(shown, 10), f"{world.usage(owner)}, ledger {world.ledger(owner)}"


async def test_a_price_is_corrected_when_a_pod_is_bound_and_when_its_node_is_another(world: World) -> None:
    alice, where, nodes = world.user("alice"), world.namespace(), GPUNodes(world)
    owner = world.owner(alice)
    nodes.add("small", A100_40, {SLICE: 4})
    large = nodes.add("large", A100_80, {SLICE: 7})
    world.group("student", subjects=[owner], aggregate={"gpu-equivalents": 2})
    async with world.client(alice) as client, world.client() as admin:
        await refused_soon(client, nodes.pod("too-many", where, {SLICE: 9}), 5)
        await fill(client, nodes.pod("a", where, {SLICE: 7}))
        equivalents(world, owner, "1.75")
        assert codes(await client.create_pod(nodes.pod("b", where, {SLICE: 2}))) == [
            "AGGREGATE_GPU_QUOTA_EXCEEDED"
        ]
        await bind(admin, where, "a", large)
        equivalents(world, owner, "1")
        await fits(client, nodes.pod("b", where, {SLICE: 4}))
        # its agent finds another card there than its labels say
        nodes.report(
            large, [gpu("GPU-1", A100_40, "20B0", mig("MIG-1", "1g.10gb", 9856, 2))], resource(SLICE, "MIG-1")
        )
        equivalents(world, owner, "1.75")
        nodes.report(
            large, [gpu("GPU-1", A100_80, "20B2", mig("MIG-1", "1g.10gb", 9856, 1))], resource(SLICE, "MIG-1")
        )
        equivalents(world, owner, "1")


async def test_a_renamed_resource_costs_what_an_agent_finds_behind_it_and_is_unknown_before(
    world: World,
) -> None:
    alice, where, nodes = world.user("alice"), world.namespace(), GPUNodes(world)
    name = f"{V}/a100-{world.tag}"
    node = nodes.add("renamed", A100_40, {name: 2, f"{V}/mig-2g.10gb": 0})
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu-equivalents": 1, "gpu": 3})
    async with world.client(alice) as client:
        answer = await refused_soon(client, nodes.pod("a", where, {name: 1}), 5)
        text = f'UNKNOWN_GPU_RESOURCE: nobody has priced the GPU resource "{name}"; use a resource that the nodes '
        text += "offer: "
        assert line(answer).startswith(text)
        offered = line(answer).removeprefix(text).split(", ")
        assert f"{V}/gpu" in offered
        assert name not in offered
        assert f"{V}/mig-2g.10gb" not in offered, "a capacity of 0 is a name of the past"
        nodes.report(node, [gpu("GPU-1", A100_40, "20B0")], resource(name, "GPU-1"))
        await fits(client, nodes.pod("a", where, {name: 1}), 5)
        answer = await client.create_pod(nodes.pod("a", where, {name: 2}))
    assert "asked gpu-equivalents 2, used 0 of 1 GPUs" in line(answer)


def explained(user: User, pod: Manifest) -> tuple[dict[str, dict[str, object]], str]:
    """What `labquota explain` says of the prices of a pod, and what it notes."""
    stdin, env = yaml.safe_dump(pod), {"KUBECONFIG": str(user.kubeconfig)}
    done = run("explain", "-f", "-", "-o", "json", stdin=stdin, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["results"][0]["demand"]["gpus"], done.stderr


def test_explain_says_what_a_slice_costs_and_which_node_says_so(world: World) -> None:
    alice, where, nodes = world.user("alice"), world.namespace(), GPUNodes(world)
    node = nodes.add("large", A100_80, {SLICE: 7})
    nodes.report(
        node, [gpu("GPU-1", A100_80, "20B2", mig("MIG-1", "1g.10gb", 9728, 1))], resource(SLICE, "MIG-1")
    )
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu-equivalents": 1})
    said, notes = explained(world.plane.admin, nodes.pod("a", where, {SLICE: 2}))
    assert said == {
        SLICE: {
            "asked": "2",
            "compute": 8,
            "memory": 7,
            "gpuMemory": "9728Mi",
            "wholeGPU": False,
            "source": f"1g.10gb of NVIDIA A100-SXM4-80GB on node {node}",
        }
    }
    assert notes == ""
    said, notes = explained(alice, nodes.pod("a", where, {SLICE: 2}))
    assert (said[SLICE]["compute"], said[SLICE]["memory"]) == (8, 7)
    assert notes.startswith(
        "note: GPUs are priced as if a pod could run on any node that has them: not permitted"
    )
