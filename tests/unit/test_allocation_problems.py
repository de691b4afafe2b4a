"""Missing, Conflict, Orphaned, Unaccounted: each shows with its evidence and an Event, and goes when its cause does."""

from typing import Any

import pytest

from unit.keeping import SLICE, WHOLE, Lab, gpu, granted, holder, keeping, mig, settle, uid_of


def check(lab: Lab, uid: str, kind: str, message: str) -> None:
    """A condition holds, with this evidence, in an Event as well; and the column says so."""
    found = lab.condition(uid, kind)
    assert (found.get("status"), found.get("message")) == ("True", message)
    assert lab.status(uid)["summary"]["problems"] == kind
    assert message in lab.events(kind)


def check_clear(lab: Lab, uid: str, kind: str) -> None:
    """A condition held, and holds no longer."""
    assert lab.condition(uid, kind)["status"] == "False"
    assert lab.status(uid)["summary"]["problems"] == ""
    assert lab.events(f"No{kind}")


@pytest.mark.parametrize(
    ("left", "message"),
    [
        ([gpu(0, mig(2))], "MIG-1 (GPU-0 1/0) is gone from node gpu-1"),
        ([gpu(1)], "MIG-1 (GPU-0 1/0) is gone: node gpu-1 has no GPU GPU-0"),
        (
            [gpu(0, health="Lost", message="XID 79")],
            "MIG-1 (GPU-0 1/0) is gone: node gpu-1 has lost GPU GPU-0: XID 79",
        ),
    ],
    ids=["slice", "gpu", "lost"],
)
def test_a_device_that_has_left_the_inventory_is_missing_until_it_is_back(left: Any, message: str) -> None:
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train", granted("MIG-1"))
        lab.report(gpu(0, mig(1), mig(2)))
        await settle()
        lab.report(*left)
        await settle()
        check(lab, uid, "Missing", message)
        lab.report(gpu(0, mig(1), mig(2)))
        await settle()
        check_clear(lab, uid, "Missing")

    keeping(scenario)


def test_a_whole_gpu_that_is_cut_under_a_pod_is_missing() -> None:
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train", granted("GPU-0", resource=WHOLE), gpu=1)
        lab.report(gpu(0))
        await settle()
        lab.report(gpu(0, mig(1)))
        await settle()
        check(lab, uid, "Missing", "GPU GPU-0 of node gpu-1 is cut into MIG devices now")

    keeping(scenario)


@pytest.mark.parametrize("stale", [True, False], ids=["stale", "unreadable"])
def test_what_nobody_can_see_is_not_missing(stale: bool) -> None:  # noqa: FBT001  a case of the table
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train", granted("MIG-1"))
        lab.report(gpu(0, mig(1)))
        await settle()
        if stale:
            lab.report(stale=True)
        else:
            lab.report(gpu(0, health="Unreadable"))
        await settle()
        assert lab.condition(uid, "Missing") == {}

    keeping(scenario)


def test_a_stale_report_neither_finds_nor_clears_what_is_missing() -> None:
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train", granted("MIG-1"))
        lab.report(gpu(0, mig(1)))
        await settle()
        lab.report(gpu(0, mig(2)))
        await settle()
        lab.report(gpu(0, mig(1), mig(2)), stale=True)
        await settle()
        assert lab.condition(uid, "Missing")["status"] == "True"

    keeping(scenario)


def test_a_device_that_the_inventory_does_not_know_yet_is_missing_only_if_the_next_report_lacks_it_too() -> (
    None
):
    async def scenario(lab: Lab) -> None:
        lab.report(gpu(0))
        uid = lab.pod("train", granted("MIG-7"))
        await settle()
        assert lab.condition(uid, "Missing") == {}
        lab.report(gpu(0))
        await settle()
        check(lab, uid, "Missing", "MIG-7 is not in the inventory of node gpu-1")
        lab.report(gpu(0, mig(7)))
        await settle()
        check_clear(lab, uid, "Missing")

    keeping(scenario)


def test_two_live_pods_on_one_device_are_in_conflict_until_one_of_them_ends() -> None:
    async def scenario(lab: Lab) -> None:
        lab.report(gpu(0, mig(1)))
        first = lab.pod("first", granted("MIG-1"))
        second = lab.pod("second", granted("MIG-1"), owner="user:bob")
        await settle()
        text = "MIG-1 (GPU-0 1/0) on node gpu-1 is also held by pod lab/"
        check(lab, first, "Conflict", f"{text}second of user:bob")
        check(lab, second, "Conflict", f"{text}first of user:alice")
        lab.pod("first", granted("MIG-1"), uid=first, phase="Failed")
        await settle()
        check_clear(lab, second, "Conflict")
        check_clear(lab, first, "Conflict")

    keeping(scenario)


def test_replicas_of_one_gpu_are_no_conflict_but_a_replica_of_a_gpu_that_somebody_has_alone_is() -> None:
    async def scenario(lab: Lab) -> None:
        lab.report(gpu(0))
        uids = [lab.pod(f"shared-{n}", granted(f"GPU-0::{n}", resource=WHOLE), gpu=1) for n in range(3)]
        await settle()
        assert [lab.status(uid)["phase"] for uid in uids] == ["Bound"] * 3
        assert not any(lab.condition(uid, "Conflict") for uid in uids)
        assert lab.status(uids[2])["summary"]["devices"] == "0::2"
        alone = lab.pod("alone", granted("GPU-0", resource=WHOLE), gpu=1)
        await settle()
        assert lab.condition(alone, "Conflict")["message"].count("is also held by pod lab/shared-") == 3
        assert lab.condition(uids[0], "Conflict")["status"] == "True"

    keeping(scenario)


def test_slices_of_one_gpu_are_no_conflict() -> None:
    async def scenario(lab: Lab) -> None:
        lab.report(gpu(0, mig(1), mig(2)))
        uids = [lab.pod(f"train-{n}", granted(f"MIG-{n}")) for n in (1, 2)]
        await settle()
        assert not any(lab.condition(uid, "Conflict") for uid in uids)

    keeping(scenario)


def test_a_process_that_nobody_admitted_shows_on_whoever_has_the_device() -> None:
    async def scenario(lab: Lab) -> None:
        uid, beside = lab.pod("train", granted("MIG-1")), lab.pod("beside", granted("MIG-2"))
        intruder = {"namespace": "lab", "pod": "miner", "podUid": uid_of("miner"), "owner": "user:eve"}
        process = {"gpu": "GPU-0", "gpuInstance": 1, "computeInstance": 0, "pid": 4711, "command": "xmrig"}
        lab.report(gpu(0, mig(1), mig(2)), unaccounted=[{**process, **intruder}])
        await settle()
        check(
            lab,
            uid,
            "Unaccounted",
            "process 4711 (xmrig) of pod lab/miner of user:eve, which was not given it, uses MIG-1 (GPU-0 1/0) "
            "on node gpu-1",
        )
        assert lab.condition(beside, "Unaccounted") == {}
        lab.report(gpu(0, mig(1), mig(2)), unaccounted=[{**process, "cgroup": "/system.slice/x.service"}])
        await settle()
        assert (
            "process 4711 (xmrig) of no pod (cgroup /system.slice/x.service) uses"
            in (lab.condition(uid, "Unaccounted")["message"])
        )
        lab.report(gpu(0, mig(1), mig(2)))
        await settle()
        check_clear(lab, uid, "Unaccounted")

    keeping(scenario)


def test_a_device_that_the_kubelet_still_gives_to_a_pod_that_is_gone_is_orphaned_until_it_lets_go() -> None:
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train")
        lab.report(gpu(0, mig(1)), holders=[holder("MIG-1", "train", uid)])
        await settle()
        lab.cluster.drop("/api/v1/namespaces/lab/pods/train")
        await settle()
        collection = "/apis/labquota.dev/v1alpha1/namespaces/lab/gpuallocations"
        lab.cluster.drop(f"{collection}/pod-{uid}")  # as the garbage collector does
        await settle()
        assert not lab.allocation(uid), "the agent does not know yet that the pod is gone"
        lab.report(gpu(0, mig(1)), holders=[holder("MIG-1", "train")])
        await settle()
        check(
            lab,
            uid,
            "Orphaned",
            f"the kubelet of node gpu-1 still gives MIG-1 ({SLICE}) to container main of pod lab/train, which is gone",
        )
        assert "ownerReferences" not in lab.allocation(uid)["metadata"]
        assert lab.status(uid)["phase"] == "Released"
        lab.report(gpu(0, mig(1)))
        await settle()
        assert not lab.allocation(uid)

    keeping(scenario)


def test_what_is_left_of_an_orphan_is_taken_away_by_the_next_operator_too() -> None:
    async def scenario(lab: Lab) -> None:
        uid = uid_of("train")
        meta = {"name": f"pod-{uid}", "namespace": "lab"}
        spec = {"owner": "user:alice", "pod": {"name": "train", "uid": uid}}
        device = {"node": "gpu-1", "gpu": "GPU-0", "gpuInstance": 1, "computeInstance": 0, "id": "MIG-1"}
        status = {"phase": "Released", "devices": [{**device, "resource": SLICE, "uuid": "MIG-1"}]}
        path = f"/apis/labquota.dev/v1alpha1/namespaces/lab/gpuallocations/pod-{uid}"
        lab.cluster.store(path, {"metadata": meta, "spec": spec, "status": status})
        await settle()
        assert lab.allocation(uid), "no report, no word about its devices"
        lab.report(gpu(0, mig(1)), holders=[holder("MIG-1", "train")])
        await settle()
        assert lab.condition(uid, "Orphaned")["status"] == "True"
        lab.report(gpu(0, mig(1)))
        await settle()
        assert not lab.allocation(uid)

    keeping(scenario)


def test_a_pod_that_ends_in_the_usual_way_leaves_no_orphan() -> None:
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train")
        lab.report(gpu(0, mig(1)), holders=[holder("MIG-1", "train", uid)])
        await settle()
        lab.cluster.drop("/api/v1/namespaces/lab/pods/train")
        lab.report(gpu(0, mig(1)))
        await settle()
        lab.cluster.drop(f"/apis/labquota.dev/v1alpha1/namespaces/lab/gpuallocations/pod-{uid}")
        await settle(30)
        assert not lab.allocation(uid)

    keeping(scenario)


def test_a_pod_that_uses_a_device_that_nobody_has_is_told_so_once() -> None:
    async def scenario(lab: Lab) -> None:
        process = {"gpu": "GPU-1", "pid": 4711, "command": "xmrig", "namespace": "lab", "pod": "miner"}
        there = [{**process, "podUid": uid_of("miner"), "owner": "user:eve"}]
        for _ in range(3):
            lab.report(gpu(0), gpu(1), unaccounted=there)
            await settle()
        text = (
            "process 4711 (xmrig) uses GPU GPU-1 of node gpu-1, which this pod was not given: "
            "ask for GPUs under resources.limits"
        )
        assert lab.events("Unaccounted") == [text]
        (event,) = [each for path, each in lab.cluster.objects.items() if "/events/" in path]
        assert event["involvedObject"]["kind"] == "Pod"
        assert event["involvedObject"]["uid"] == uid_of("miner")
        assert lab.writes() == 1

    keeping(scenario)
