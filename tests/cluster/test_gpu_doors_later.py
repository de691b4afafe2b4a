"""What a pod could not have is not written afterwards into what it takes from, either."""

from typing import Any

from cluster.steps import eventually, fill, held, service_account
from cluster.test_gpu_doors_claims import claim, device_class, template
from harness import AsyncClient, World
from harness.clients import Answer
from harness.manifests import container

VISIBLE = "NVIDIA_VISIBLE_DEVICES"


async def write(client: AsyncClient, where: str, kind: str, name: str = "env", **data: str) -> Answer:
    meta = {"name": name}
    field = "stringData" if kind == "secrets" else "data"
    return await client.create(f"/api/v1/namespaces/{where}/{kind}", {"metadata": meta, field: data})


def refused(answer: Answer, code: str = "GPU_NOT_REQUESTED") -> str:
    assert answer.status == 403, answer
    assert code in answer.message
    return answer.message


async def test_a_config_map_or_secret_that_names_gpus_is_not_written_after_the_pod(world: World) -> None:
    alice, bob, where = world.user("alice"), world.user("bob"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})
    takes = [{"configMapRef": {"name": "env", "optional": True}}]
    path = f"/api/v1/namespaces/{where}/configmaps/env"
    async with world.client(alice) as client, world.client(bob) as free:
        await fill(client, held("early", where, containers=[container(envFrom=takes)]))
        message = refused(await write(client, where, "configmaps", **{VISIBLE: "all"}))
        assert f'ConfigMap env sets {VISIBLE} to "all", by which containers that take' in message
        message = refused(await write(client, where, "secrets", **{VISIBLE: "GPU-1"}))
        assert "GPU-1" not in message, "what is in a Secret is told to nobody"
        assert (await write(client, where, "configmaps", **{VISIBLE: "void", "OTHER": "all"})).ok
        refused(await client.patch(path, {"data": {VISIBLE: "all"}}))
        assert (await free.patch(path, {"data": {VISIBLE: "all"}})).ok, "his GPUs are not limited"
        assert (await client.patch(path, {"data": {"OTHER": "more"}})).ok, "it was there before"


async def test_a_service_account_writes_it_for_nobody_either(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})
    async with world.client(alice) as client:
        made = {"metadata": {"name": "runner"}}
        assert (await client.create(f"/api/v1/namespaces/{where}/serviceaccounts", made)).ok
    async with world.client(service_account(world, where, "runner")) as runner:
        refused(await write(runner, where, "configmaps", **{VISIBLE: "all"}))


async def test_a_claim_of_gpus_is_not_made_by_who_may_not_have_it(world: World) -> None:
    alice, bob, where = world.user("alice", role="admin"), world.user("bob", role="admin"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})
    fpga = world.apply(device_class(world.name("fpga"), "device.driver == 'fpga.example.com'"))
    root = f"/apis/resource.k8s.io/v1/namespaces/{where}"

    async def make(client: AsyncClient, kind: str, manifest: dict[str, Any]) -> Answer:
        return await client.create(f"{root}/{kind}", manifest)

    async with world.client(alice) as client, world.client(bob) as free:
        one, each = claim(where, "one", "gpu.nvidia.com"), template(where, "each", "gpu.nvidia.com")
        message = refused(await make(client, "resourceclaims", one), "DRA_NOT_COUNTED")
        assert "ResourceClaim one is for GPUs (DeviceClass gpu.nvidia.com)" in message
        refused(await make(client, "resourceclaimtemplates", each), "DRA_NOT_COUNTED")

        async def passes() -> bool:  # once the class is known, which was made a moment ago
            return (await make(client, "resourceclaims", claim(where, "fpga", fpga))).ok

        await eventually(passes, 5, "a claim of something else is nobody's concern")
        assert (await make(free, "resourceclaims", one)).ok
