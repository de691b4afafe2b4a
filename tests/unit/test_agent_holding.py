"""Who holds what, and whose processes nobody accounts for."""

from typing import Any, NamedTuple

import msgspec
import pytest

from labquota.agent import accounting
from labquota.agent import pods as podviews
from labquota.agent.accounting import Accounts, Found
from labquota.agent.cgroups import Place, Run
from labquota.agent.holding import Joiner
from labquota.agent.offering import resources
from labquota.agent.podresources import Grant, Offer
from labquota.agent.pods import Pods
from labquota.agent.procfs import Running
from labquota.api import GPU, DeviceHolder, MigDevice, NodeResource
from labquota.quota.deviceids import Devices
from labquota.quota.gpusettings import DEFAULT, GPUSettings

A, B = "GPU-aaaaaaaa", "GPU-bbbbbbbb"
SLICES = tuple(
    MigDevice(uuid=f"MIG-{gi}", gpu_instance=gi, compute_instance=0, profile="1g.5gb") for gi in (7, 8, 9)
)
DEVICES = Devices([GPU(index=0, uuid=A), GPU(index=1, uuid=B, mig_mode="Enabled", mig_devices=SLICES)])
SLICE = "nvidia.com/mig-1g.5gb"


class OnGpu(NamedTuple):
    gpu: str = A
    gpu_instance: int = -1
    compute_instance: int = -1
    pid: int = 100
    memory: int = 1000


def pod(name: str, uid: str = "", **more: Any) -> dict[str, Any]:
    """A pod that runs, with one container that asks for `gpu` GPUs and `mig` slices."""
    limits = {"nvidia.com/gpu": str(more.get("gpu", 0)), SLICE: str(more.get("mig", 0)), "cpu": "100m"}
    main = {"name": "main", "resources": {"limits": {k: v for k, v in limits.items() if v != "0"}}}
    told = [
        {"name": name, "resources": [{"resourceID": each, "health": "Healthy"} for each in ids]}
        for name, ids in more.get("told", {}).items()
    ]
    status = {
        "phase": more.get("phase", "Running"),
        "startTime": "2026-01-01T00:00:00Z",
        "containerStatuses": [{"name": "main", "allocatedResourcesStatus": told, "state": {"running": {}}}],
    }
    if not more.get("started", True):
        status = {"phase": "Pending"}
    if more.get("preparing"):
        status["containerStatuses"] = [{"name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}]
    annotations = {"labquota.dev/owner": f"user:{name}", **more.get("annotations", {})}
    metadata = {
        "name": name,
        "namespace": more.get("namespace", "lab"),
        "uid": uid or f"uid-{name}",
        "annotations": annotations,
    }
    spec = {"containers": [main], "initContainers": more.get("init", [])}
    return {"metadata": metadata, "spec": spec, "status": status}


def view(*manifests: dict[str, Any]) -> Pods:
    found = Pods()
    found.replaced([podviews.decode(msgspec.json.encode(each)) for each in manifests], "1")
    return found


def change(pods: Pods, kind: str, manifest: dict[str, Any]) -> None:
    pods.changed(kind, podviews.decode(msgspec.json.encode(manifest)), "2")


def grant(name: str, device: str, resource: str = "nvidia.com/gpu") -> Grant:
    return Grant("lab", name, "main", resource, device)


def held(joiner: Joiner, pods: Pods, *grants: Grant) -> list[tuple[str, str, str]]:
    """Pod, UID and device of each holder."""
    found = joiner.holders(grants, DEVICES, pods.started())
    return [(each.pod, each.pod_uid, each.device) for each in found]


# --- who holds what ---------------------------------------------------------------------------------------------------


def test_a_container_holds_the_device_that_its_id_means_for_the_pod_of_that_name() -> None:
    pods = view(pod("train", gpu=1), pod("small", mig=1))
    found = Joiner(pods, DEFAULT).holders(
        [grant("train", A), grant("small", "MIG-8", SLICE)], DEVICES, pods.started()
    )
    assert found == (
        DeviceHolder(
            resource=SLICE, device="MIG-8", gpu=B, gpu_instance=8, compute_instance=0,
            namespace="lab", pod="small", container="main", pod_uid="uid-small",
        ),
        DeviceHolder(
            resource="nvidia.com/gpu", device=A, gpu=A, namespace="lab", pod="train", container="main",
            pod_uid="uid-train",
        ),
    )  # fmt: skip


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_pod_holds_nothing_though_the_kubelet_still_lists_it(phase: str) -> None:
    pods = view(pod("train", gpu=1, phase=phase))
    assert held(Joiner(pods, DEFAULT), pods, grant("train", A)) == []


def test_a_pod_that_nobody_knows_holds_its_device_without_a_uid() -> None:
    pods = view()
    assert held(Joiner(pods, DEFAULT), pods, grant("ghost", A)) == [("ghost", "", A)]


def test_a_pod_made_again_does_not_get_the_devices_of_the_finished_one_of_its_name() -> None:
    pods = view(pod("train", "first", mig=1))
    joiner = Joiner(pods, DEFAULT)
    assert held(joiner, pods, grant("train", "MIG-7", SLICE)) == [("train", "first", "MIG-7")]
    change(pods, "DELETED", pod("train", "first", mig=1))
    change(pods, "ADDED", pod("train", "second", mig=1, started=False))
    assert held(joiner, pods, grant("train", "MIG-7", SLICE)) == [], "the kubelet has not taken it yet"
    change(pods, "MODIFIED", pod("train", "second", mig=1))
    both = grant("train", "MIG-7", SLICE), grant("train", "MIG-8", SLICE)
    assert held(joiner, pods, *both) == [("train", "second", "MIG-8")], "MIG-7 is still the first one's"
    assert held(joiner, pods, *reversed(both)) == [("train", "second", "MIG-8")]


def test_a_pod_made_again_may_well_get_the_device_of_the_finished_one() -> None:
    pods = view(pod("train", "first", gpu=1))
    joiner = Joiner(pods, DEFAULT)
    assert held(joiner, pods, grant("train", A)) == [("train", "first", A)]
    change(pods, "DELETED", pod("train", "first", gpu=1))
    change(pods, "ADDED", pod("train", "second", gpu=1))
    assert held(joiner, pods, grant("train", A), grant("train", A)) == [("train", "second", A)]


def test_a_pods_own_status_says_best_which_devices_are_its_own() -> None:
    pods = view(pod("train", "second", mig=1, told={SLICE: ["MIG-9"]}))
    listed = [grant("train", each, SLICE) for each in ("MIG-7", "MIG-8", "MIG-9")]
    assert held(Joiner(pods, DEFAULT), pods, *listed) == [("train", "second", "MIG-9")]


def test_what_no_container_of_a_pod_asks_for_is_a_former_pods() -> None:
    pods = view(pod("train", mig=1))
    assert held(Joiner(pods, DEFAULT), pods, grant("train", A)) == []


def test_a_pod_that_was_taken_after_the_kubelet_was_asked_is_not_meant_by_its_answer() -> None:
    pods = view(pod("train", "second", gpu=1))
    assert Joiner(pods, DEFAULT).holders([grant("train", A)], DEVICES, frozenset()) == ()


def test_several_pods_hold_replicas_of_one_device() -> None:
    pods = view(pod("one", gpu=1), pod("two", gpu=2))
    grants = grant("one", f"{A}::0"), grant("two", f"{A}::1"), grant("two", f"{A}::3")
    found = Joiner(pods, DEFAULT).holders(grants, DEVICES, pods.started())
    assert [(each.pod, each.device, each.gpu) for each in found] == [
        ("one", f"{A}::0", A),
        ("two", f"{A}::1", A),
        ("two", f"{A}::3", A),
    ]


def test_devices_that_are_no_gpus_are_left_out_whatever_holds_them() -> None:
    pods = view(pod("train", gpu=1))
    other = Grant("lab", "train", "main", "rdma/hca", "mlx5_0")
    assert held(Joiner(pods, DEFAULT), pods, other) == []


def test_an_id_that_is_not_in_the_inventory_is_kept_as_it_is() -> None:
    pods = view(pod("train", gpu=1))
    (found,) = Joiner(pods, DEFAULT).holders([grant("train", "GPU-cccc")], DEVICES, pods.started())
    assert (found.device, found.gpu, found.gpu_instance) == ("GPU-cccc", "", -1)


# --- what the node offers ---------------------------------------------------------------------------------------------


def test_resources_have_each_device_once_and_say_how_many_share_it() -> None:
    offers = [Offer("nvidia.com/gpu", f"{A}::{n}") for n in range(4)] + [Offer(SLICE, "MIG-7")]
    assert resources(offers, DEFAULT) == (
        NodeResource(name="nvidia.com/gpu", count=4, replicas=4, devices=(A,)),
        NodeResource(name=SLICE, count=1, replicas=1, devices=("MIG-7",)),
    )


def test_a_renamed_resource_is_known_by_its_prefix_or_by_ids_that_only_gpus_have() -> None:
    offers = [Offer("lab.example/fast", A), Offer("nvidia.com/a100", "0"), Offer("rdma/hca", "0")]
    assert [each.name for each in resources(offers, DEFAULT)] == ["lab.example/fast", "nvidia.com/a100"]
    wider = GPUSettings(prefixes=("nvidia.com/", "rdma/"))
    assert [each.name for each in resources(offers, wider)][-1] == "rdma/hca"


# --- processes --------------------------------------------------------------------------------------------------------


def process(on: OnGpu, *uids: str, command: str = "python3") -> Found:
    path = "".join(f"/kubepods/pod{uid}/box" for uid in uids) or "/user.slice"
    return Found(on, Running(command, Place(path, tuple(Run(uid) for uid in uids))))


def test_a_process_of_the_pod_that_holds_the_device_is_fine() -> None:
    pods = view(pod("train", gpu=1), pod("small", mig=1))
    joiner = Joiner(pods, DEFAULT)
    holders = joiner.holders([grant("train", A), grant("small", "MIG-8", SLICE)], DEVICES, pods.started())
    fine = [process(OnGpu(), "uid-train"), process(OnGpu(B, 8, 0), "uid-small")]
    assert Accounts(pods, DEFAULT).unaccounted(fine, holders) == ()


def test_a_process_on_another_device_than_its_pods_is_told_with_pod_owner_command_and_cgroup() -> None:
    pods = view(pod("small", mig=1))
    joiner = Joiner(pods, DEFAULT)
    holders = joiner.holders([grant("small", "MIG-8", SLICE)], DEVICES, pods.started())
    (found,) = Accounts(pods, DEFAULT).unaccounted(
        [process(OnGpu(B, 7, 0, 55, 300), "uid-small", command="miner")], holders
    )
    assert (found.namespace, found.pod, found.pod_uid) == ("lab", "small", "uid-small")
    assert (found.owner, found.command, found.cgroup) == ("user:small", "miner", "/kubepods/poduid-small/box")
    assert (found.gpu, found.gpu_instance, found.compute_instance) == (B, 7, 0)
    assert (found.pid, found.memory) == (55, 300)


def test_a_process_in_a_pod_that_asked_for_no_gpu_is_told() -> None:
    """`NVIDIA_VISIBLE_DEVICES=all`, baked into an image, is seen by nobody before."""
    pods = view(pod("plain"))
    (found,) = Accounts(pods, DEFAULT).unaccounted([process(OnGpu(), "uid-plain")], ())
    assert (found.pod, found.owner) == ("plain", "user:plain")


def test_a_process_of_no_pod_is_told_with_its_cgroup_alone() -> None:
    (found,) = Accounts(view(), DEFAULT).unaccounted([process(OnGpu())], ())
    assert (found.pod, found.pod_uid, found.owner, found.cgroup) == ("", "", "", "/user.slice")


def test_a_process_of_a_pod_that_is_gone_keeps_its_uid() -> None:
    (found,) = Accounts(view(), DEFAULT).unaccounted([process(OnGpu(), "force-deleted")], ())
    assert (found.pod, found.pod_uid) == ("", "force-deleted")


def test_a_container_cannot_pass_for_another_pod_by_the_name_of_a_cgroup() -> None:
    pods = view(pod("train", gpu=1), pod("thief"))
    joiner = Joiner(pods, DEFAULT)
    holders = joiner.holders([grant("train", A)], DEVICES, pods.started())
    (found,) = Accounts(pods, DEFAULT).unaccounted([process(OnGpu(), "uid-thief", "uid-train")], holders)
    assert found.pod == "thief"


def test_a_kubelet_in_a_pod_has_its_pods_below_one_that_this_cluster_does_not_know() -> None:
    pods = view(pod("train", gpu=1))
    joiner = Joiner(pods, DEFAULT)
    holders = joiner.holders([grant("train", A)], DEVICES, pods.started())
    assert Accounts(pods, DEFAULT).unaccounted([process(OnGpu(), "outer", "uid-train")], holders) == ()


def test_a_static_pod_is_known_by_the_hash_in_its_cgroup() -> None:
    pods = view(pod("train", gpu=1, annotations={"kubernetes.io/config.hash": "0123"}))
    joiner = Joiner(pods, DEFAULT)
    holders = joiner.holders([grant("train", A)], DEVICES, pods.started())
    assert Accounts(pods, DEFAULT).unaccounted([process(OnGpu(), "0123")], holders) == ()


def test_an_init_container_that_asks_for_a_gpu_may_use_one_that_nobody_else_has() -> None:
    init = [{"name": "fetch", "resources": {"limits": {SLICE: "1"}}}]
    pods = view(pod("train", preparing=True, init=init), pod("other", mig=1))
    joiner = Joiner(pods, DEFAULT)
    holders = joiner.holders([grant("other", "MIG-8", SLICE)], DEVICES, pods.started())
    assert Accounts(pods, DEFAULT).unaccounted([process(OnGpu(B, 7, 0), "uid-train")], holders) == ()
    (found,) = Accounts(pods, DEFAULT).unaccounted([process(OnGpu(B, 8, 0), "uid-train")], holders)
    assert found.pod == "train"
    change(pods, "MODIFIED", pod("train", init=init))
    assert Accounts(pods, DEFAULT).unaccounted([process(OnGpu(B, 7, 0), "uid-train")], holders) != (), (
        "its init is over"
    )


def test_pods_of_trusted_namespaces_are_nobodys_concern() -> None:
    pods = view(pod("mps-control-daemon", namespace="gpu-operator"))
    found = process(OnGpu(), "uid-mps-control-daemon", command="nvidia-cuda-mps-server")
    assert Accounts(pods, DEFAULT).unaccounted([found], ()) == ()


def test_while_the_kubelet_is_silent_who_asks_for_gpus_has_the_benefit_of_the_doubt() -> None:
    pods = view(pod("train", gpu=1), pod("plain"))
    processes = [process(OnGpu(), "uid-train"), process(OnGpu(), "uid-plain"), process(OnGpu())]
    found = Accounts(pods, DEFAULT).unaccounted(processes, (), complete=False)
    assert [each.pod for each in found] == ["plain", ""]
    change(pods, "MODIFIED", pod("train", gpu=1, phase="Failed"))
    assert len(Accounts(pods, DEFAULT).unaccounted(processes, (), complete=False)) == 3, (
        "it holds nothing any more"
    )


def test_small_changes_of_memory_change_nothing() -> None:
    first = Accounts(view(), DEFAULT).unaccounted([process(OnGpu(memory=1000))], ())
    assert Accounts(view(), DEFAULT).unaccounted([process(OnGpu(memory=1100))], (), first) == first
    (more,) = Accounts(view(), DEFAULT).unaccounted([process(OnGpu(memory=1300))], (), first)
    assert more.memory == 1300


def test_a_node_full_of_processes_tells_of_so_many_and_no_more() -> None:
    many = [process(OnGpu(pid=pid)) for pid in range(1000)]
    found = Accounts(view(), DEFAULT).unaccounted(many, ())
    assert [each.pid for each in found] == list(range(accounting.MOST))


# --- the view ---------------------------------------------------------------------------------------------------------


def test_only_what_may_move_a_device_wakes_the_agent() -> None:
    woken: list[str] = []
    pods = Pods(lambda: woken.append("now"))
    pods.replaced([], "1")
    woken.clear()
    change(pods, "ADDED", pod("plain"))
    change(pods, "ADDED", pod("train", gpu=1))
    assert len(woken) == 1
    change(pods, "MODIFIED", pod("train", gpu=1, annotations={"note": "x"}))
    assert len(woken) == 1
    change(pods, "MODIFIED", pod("train", gpu=1, phase="Succeeded"))
    change(pods, "DELETED", pod("train", gpu=1, phase="Succeeded"))
    assert len(woken) == 3
