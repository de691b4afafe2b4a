"""Claims of devices (DRA) on a real API server: GPUs among them are refused by name for limited owners."""

import json
from typing import Any

from cluster.steps import codes, fill, held, line
from cluster.test_cli import ask
from harness import World
from harness.manifests import Manifest, container

API = "resource.k8s.io/v1"
ROOT = f"/apis/{API}"


def device_class(name: str, expression: str, **more: Any) -> Manifest:
    spec = {"selectors": [{"cel": {"expression": expression}}], **more}
    return {"apiVersion": API, "kind": "DeviceClass", "metadata": {"name": name}, "spec": spec}


def asks_for(device_class: str) -> Manifest:
    return {"devices": {"requests": [{"name": "one", "exactly": {"deviceClassName": device_class}}]}}


def claim(where: str, name: str, device_class: str) -> Manifest:
    meta = {"name": name, "namespace": where}
    return {"apiVersion": API, "kind": "ResourceClaim", "metadata": meta, "spec": asks_for(device_class)}


def template(where: str, name: str, device_class: str) -> Manifest:
    meta = {"name": name, "namespace": where}
    spec = {"spec": asks_for(device_class)}
    return {"apiVersion": API, "kind": "ResourceClaimTemplate", "metadata": meta, "spec": spec}


def claiming(where: str, pod: str, **source: str) -> Manifest:
    spec = {"resourceClaims": [{"name": "dev", **source}]}
    return held(pod, where, containers=[container(resources={"claims": [{"name": "dev"}]})], spec=spec)


async def test_claims_of_gpus_are_refused_by_name_and_others_are_not(world: World) -> None:
    alice, bob, where = world.user("alice"), world.user("bob"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})
    fpga = world.apply(device_class(world.name("fpga"), "device.driver == 'fpga.example.com'"))
    fast = world.apply(device_class(world.name("fast"), "device.driver == 'gpu.nvidia.com'"))
    for each in ("gpu.nvidia.com", fpga, fast):
        short = each.rpartition("-")[2].partition(".")[0]
        world.apply(claim(where, f"claim-{short}", each))
        world.apply(template(where, f"each-{short}", each))
    async with world.client(alice) as client, world.client(bob) as free:
        for short, name in (("gpu", "gpu.nvidia.com"), ("fast", fast)):
            one = claiming(where, f"one-{short}", resourceClaimName=f"claim-{short}")
            answer = await client.create_pod(one)
            assert codes(answer) == ["DRA_NOT_COUNTED"], answer.message
            assert f"ResourceClaim claim-{short}) is for GPUs (DeviceClass {name})" in line(answer)
            many = claiming(where, f"many-{short}", resourceClaimTemplateName=f"each-{short}")
            assert codes(await client.create_pod(many)) == ["DRA_NOT_COUNTED"]
        await fill(client, claiming(where, "fpga", resourceClaimName="claim-fpga"))
        await fill(client, claiming(where, "fpgas", resourceClaimTemplateName="each-fpga"))
        gone = await client.create_pod(claiming(where, "gone", resourceClaimName="nothing"))
        assert "DRA_NOT_COUNTED: claim dev (ResourceClaim nothing) is not there, so nobody can tell" in line(
            gone
        )
        await fill(free, claiming(where, "free", resourceClaimName="claim-gpu"))


async def test_a_class_by_its_resource_name_is_refused_too(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})
    fast = world.name("fast")
    async with world.client(alice) as client:
        for short, name in (("gpu", "gpu.nvidia.com"), ("fast", fast)):
            asked = {f"deviceclass.resource.kubernetes.io/{name}": 1}
            if name == fast:
                world.apply(device_class(fast, "device.driver == 'gpu.nvidia.com'"))
            answer = await client.create_pod(held(short, where, limits=asked, requests=asked))
            assert codes(answer) == ["DRA_NOT_COUNTED"], answer.message
        other = {"example.com/widget": 1}
        await fill(client, held("widget", where, limits=other, requests=other))


async def test_explain_says_what_the_webhook_says_of_claims_and_config_maps(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})
    world.apply(template(where, "each", "gpu.nvidia.com"))
    data = {"NVIDIA_VISIBLE_DEVICES": "all"}
    meta = {"name": "env", "namespace": where}
    world.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
    claims = claiming(where, "claims", resourceClaimTemplateName="each")
    takes = held("takes", where, containers=[container(envFrom=[{"configMapRef": {"name": "env"}}])])
    async with world.client(alice) as client:
        for pod, code in ((claims, "DRA_NOT_COUNTED"), (takes, "GPU_NOT_REQUESTED")):
            refused = line(await client.create_pod(pod))
            assert refused.startswith(f"{code}: ")
            answer = json.loads(ask(alice, "explain", "-f", "-", "-o", "json", manifest=pod, code=1))
            assert answer["results"][0]["message"] == refused
