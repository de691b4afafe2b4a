"""GPUs as people see them: `labquota gpus`, and kubectl's columns."""

import json
from typing import Any

from cluster.test_cli import ask
from harness import World
from labquota_process import error

ROOT = "/apis/labquota.dev/v1alpha1/gpunodes"
BAR = ("▒▒▒▒····", "····████")
MIG = {"profile": "3g.20gb", "start": 0, "size": 4, "memory": 19968}


async def published(world: World, name: str) -> None:
    """A node of one GPU that is cut, one slice of which is held."""
    gpu = {"index": 0, "uuid": "GPU-1", "model": "NVIDIA A100-SXM4-40GB", "memory": 40960}
    modes = {"migMode": "Enabled", "pendingMigMode": "Enabled"}
    slices = [
        {"uuid": "MIG-1", "gpuInstance": 1, "computeInstance": 0, **MIG},
        {"uuid": "MIG-2", "gpuInstance": 2, "computeInstance": 0, **MIG, "start": 4},
    ]
    place = {"gpu": "GPU-1", "gpuInstance": 2, "computeInstance": 0}
    holder = {
        "resource": "nvidia.com/mig-3g.20gb",
        "device": "MIG-2",
        **place,
        "namespace": "vision",
        "pod": "asr",
    }
    status: dict[str, Any] = {
        "driverVersion": "550.54.15",
        "nvmlVersion": "12.550.54.15",
        "gpus": [{**gpu, **modes, "migDevices": slices}],
        "holders": [holder],
        "summary": {"models": "1 x NVIDIA A100-SXM4-40GB", "devices": "2 x 3g.20gb", "held": "1/2"},
        "lastScanTime": "2026-03-01T08:00:00Z",
    }
    node = {"apiVersion": "labquota.dev/v1alpha1", "kind": "GPUNode", "metadata": {"name": name}}
    world.apply(node)
    async with world.client() as admin:
        answer = await admin.patch(f"{ROOT}/{name}/status", {"status": status})
        assert answer.ok, answer.message


async def test_anybody_sees_the_gpus_the_slices_and_who_holds_them(world: World) -> None:
    alice, node = world.user("alice", role=None), world.name("gpu-0")
    await published(world, node)
    lines = ask(alice, "gpus", "--node", node).splitlines()
    assert lines[0] == f"{node}   1 of 2 devices held   driver 550.54.15"
    assert lines[2].split() == ["0", "NVIDIA", "A100-SXM4-40GB", "3g.20gb", "1/0", BAR[0], "free"]
    assert lines[3].split() == ["3g.20gb", "2/0", BAR[1], "held", "unknown", "vision/asr"]
    [found] = json.loads(ask(alice, "gpus", "--node", node, "-o", "json"))["nodes"]
    assert [each["profile"] for each in found["devices"]] == ["3g.20gb", "3g.20gb"]
    assert found["devices"][1]["holders"] == [
        {"namespace": "vision", "name": "asr", "owner": None, "isPod": True, "container": ""}
    ]
    assert f"gpunode.labquota.dev/{node}\n" in ask(alice, "gpus", "-o", "name")


async def test_a_node_that_nobody_reported_is_bad_input(world: World) -> None:
    env = {"KUBECONFIG": str(world.user("alice", role=None).kubeconfig)}
    assert error("gpus", "--node", "nowhere", code=2, env=env) == (
        "no GPUNode is called nowhere: see kubectl get gpunodes"
    )


async def test_kubectls_columns_read_well(world: World) -> None:
    node = world.name("gpu-0")
    await published(world, node)
    head, row = world.plane.kubectl(
        world.plane.admin, "get", "gpunodes", node, "-o", "wide"
    ).stdout.splitlines()
    assert head.split() == [
        *("NAME", "GPUS", "DEVICES", "HELD", "PROBLEMS", "DRIVER", "NVML"),
        *("AVAILABLE", "STALE", "LAST", "SCAN", "AGE"),
    ]
    assert "1 x NVIDIA A100-SXM4-40GB" in row
    assert "2 x 3g.20gb" in row
    assert "1/2" in row
