"""GPUs that nobody asked for, on a real API server: pods of every shape that reaches for one, and those that do not."""

from typing import Any

import pytest

from cluster.attackers import entitle
from cluster.steps import codes, eventually, fill, held, line, refused_soon
from harness import World, manifests
from harness.clients import STRATEGIC
from harness.manifests import Manifest, container

VISIBLE = "NVIDIA_VISIBLE_DEVICES"
ALL = {"name": VISIBLE, "value": "all"}
SLICE = {"1g.10gb": 1}


REACHING: dict[str, dict[str, Any]] = {
    "variable": {"containers": [container(env=[ALL])]},
    "variable beside a slice": {"containers": [container(env=[ALL], mig=SLICE)]},
    "variable of an init container": {"initContainers": [container("first", env=[ALL])]},
    "variable of a sidecar": {"initContainers": [container("side", env=[ALL], restartPolicy="Always")]},
    "variable from a field": {
        "containers": [
            container(env=[{"name": VISIBLE, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])
        ]
    },
    "old CUDA image": {"containers": [container(env=[{"name": "CUDA_VERSION", "value": "11.0"}])]},
    "privileged": {"containers": [container(securityContext={"privileged": True})]},
    "folder of devices": {"volumes": [{"name": "dev", "hostPath": {"path": "//dev/./"}}]},
    "device": {"volumes": [{"name": "dev", "hostPath": {"path": "/dev/nvidia0", "type": "CharDevice"}}]},
    "root folder": {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]},
}


@pytest.mark.parametrize("shape", REACHING)
async def test_a_pod_that_reaches_for_a_gpu_is_refused(world: World, shape: str) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})
    pod = held("pod", where)
    pod["spec"] |= REACHING[shape]
    async with world.client(alice) as client:
        answer = await client.create_pod(pod)
        assert codes(answer) == ["GPU_NOT_REQUESTED"], answer.message
        assert "\n" not in line(answer)


async def test_pods_that_only_look_like_it_pass(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})
    plain = container(
        env=[{"name": VISIBLE, "value": "void"}, {"name": "CUDA_VERSION", "value": "11.0"}],
        securityContext={"privileged": False, "allowPrivilegeEscalation": False},
    )
    shapes = {"plain": [plain], "slice": [container(mig=SLICE)]}
    async with world.client(alice) as client:
        for name, containers in shapes.items():
            await fill(client, held(name, where, containers=containers))
        volumes = [{"name": "data", "hostPath": {"path": "/data"}}]
        await fill(client, held("data", where, spec={"volumes": volumes}))


async def test_an_annotation_for_a_container_runtime_is_refused_now_and_later(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})
    cdi = {"cdi.k8s.io/gpu": "nvidia.com/gpu=all"}
    files = {"io.kubernetes.cri-o.Devices": "/dev/nvidia0:/dev/nvidia0:rw"}
    path = f"/api/v1/namespaces/{where}/pods/quiet"
    async with world.client(alice) as client:
        assert codes(await client.create_pod(held("loud", where, annotations=cdi))) == ["GPU_NOT_REQUESTED"]
        await fill(client, held("quiet", where))
        later = await client.patch(path, {"metadata": {"annotations": cdi}})
        assert later.status == 403, later.message
        assert "GPU_NOT_REQUESTED: annotation cdi.k8s.io/gpu gives containers" in later.message
        assert (await client.patch(path, {"metadata": {"annotations": files}})).status == 403
        assert (await client.patch(path, {"metadata": {"annotations": {"note": "x"}}})).ok


async def test_a_runtime_class_is_known_by_its_name_and_by_its_handler(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})
    names = {}
    for short, handler in (("fast", "nvidia-cdi"), ("safe", "gvisor")):
        kind = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass"}
        names[short] = world.apply({**kind, "metadata": {"name": world.name(short)}, "handler": handler})
    async with world.client(alice) as client:
        answer = await client.create_pod(held("fast", where, spec={"runtimeClassName": names["fast"]}))
        assert f"GPU_NOT_REQUESTED: runtime class {names['fast']} gives images the GPUs" in line(answer)
        await fill(client, held("safe", where, spec={"runtimeClassName": names["safe"]}))
        asks = held("asks", where, spec={"runtimeClassName": names["fast"]}, mig={"1g.10gb": 1})
        await fill(client, asks)


async def test_what_a_config_map_brings_is_read_and_a_secret_only_where_labquota_may(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})
    data = {"data": {VISIBLE: "all"}}
    meta = {"name": "env", "namespace": where}
    for kind, value in (("ConfigMap", data), ("Secret", {"stringData": {VISIBLE: "all"}})):
        world.apply({"apiVersion": "v1", "kind": kind, "metadata": meta, **value})
    takes = [{"configMapRef": {"name": "env", "optional": True}}]
    secret = [{"secretRef": {"name": "env", "optional": True}}]
    async with world.client(alice) as client:
        answer = await client.create_pod(held("late", where, containers=[container(envFrom=takes)]))
        assert f'container main sets {VISIBLE} to "all" by ConfigMap env' in line(answer)
        own = container(envFrom=takes, env=[{"name": VISIBLE, "value": "void"}])
        await fill(client, held("own", where, containers=[own]))
        await fill(client, held("secret", where, containers=[container(envFrom=secret)]))
        rights(world, where)
        answer = await refused_soon(client, held("read", where, containers=[container(envFrom=secret)]), 5)
        assert f"container main sets {VISIBLE} by Secret env and so reaches GPUs" in line(answer)


def rights(world: World, where: str) -> None:
    """Let the webhook read the Secrets of a namespace."""
    rbac, name = "rbac.authorization.k8s.io", world.name("secrets")
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    place = {"name": name, "namespace": where}
    world.apply({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": place, "rules": rules})
    account = {"kind": "ServiceAccount", "name": "labquota-webhook", "namespace": "labquota-system"}
    world.apply(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": place,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [account],
        }
    )


async def test_an_ephemeral_container_is_refused_by_whoever_adds_it(world: World) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    where = world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})

    for each in (alice, bob):
        entitle(world, each, ["patch"], "pods/ephemeralcontainers")

    def debugging(**fields: Any) -> Manifest:
        late = {"name": "late", "image": "none", **fields}
        return {"spec": {"ephemeralContainers": [late]}}

    async with world.client(alice) as client, world.client(bob) as other:
        await fill(client, held("mine", where))
        await fill(other, held("theirs", where))
        for name in ("mine", "theirs"):
            path = f"/api/v1/namespaces/{where}/pods/{name}/ephemeralcontainers"
            for reaches in ({"env": [ALL]}, {"securityContext": {"privileged": True}}):
                answer = await client.patch(path, debugging(**reaches), content_type=STRATEGIC)
                assert answer.status == 403, answer.message
                assert "GPU_NOT_REQUESTED: container late" in answer.message
        path = f"/api/v1/namespaces/{where}/pods/mine/ephemeralcontainers"
        assert (await client.patch(path, debugging(), content_type=STRATEGIC)).ok
        path = f"/api/v1/namespaces/{where}/pods/theirs/ephemeralcontainers"
        assert (await other.patch(path, debugging(env=[ALL]), content_type=STRATEGIC)).ok


async def test_a_deployments_pods_are_refused_to_its_controller_and_the_workload_says_so(
    world: World,
) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3})
    made = manifests.deployment("web", where, containers=[container(env=[ALL])])
    async with world.client(alice) as client:
        assert (await client.create(f"/apis/apps/v1/namespaces/{where}/deployments", made)).ok

        async def told() -> bool:
            events = await client.list(f"/api/v1/namespaces/{where}/events")
            return any("GPU_NOT_REQUESTED: container main" in each["message"] for each in events)

        await eventually(told, 10, "an event carries the refusal")


async def test_who_may_hold_any_number_of_gpus_reaches_what_they_like(world: World) -> None:
    bob, where = world.user("bob"), world.namespace()
    world.group("cpu", subjects=[world.owner(bob)], aggregate={"requests.cpu": 8}, when_unset="Ignore")
    async with world.client(bob) as client:
        await fill(client, held("one", where, containers=[container(env=[ALL])]))


async def test_a_group_that_warns_lets_it_pass_with_the_reason(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 3}, enforcement="Warn")
    async with world.client(alice) as client:
        answer = await client.create_pod(held("one", where, containers=[container(env=[ALL])]))
        assert answer.ok
        assert any("would refuse this: GPU_NOT_REQUESTED: container main" in each for each in answer.warnings)
