"""Which devices a pod's GPUAllocation shows: by its own status, else by the agent, and never another pod's."""

import pytest

from labquota.kube import errors
from unit.keeping import WHOLE, Lab, beside, gpu, granted, holder, keeping, mig, settle, uid_of
from unit.simulated import Fault


def test_a_pod_with_gpus_gets_an_allocation_that_goes_with_it_and_waits_for_its_devices() -> None:
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train", node="")
        lab.pod("web", cpu=1)
        await settle()
        assert not lab.allocation(uid), "nothing is given to a pod that waits for a node"
        lab.pod("train", uid=uid)
        await settle(1.0)
        made = lab.allocation(uid)
        assert made["spec"] == {
            "owner": "user:alice",
            "pod": {"name": "train", "uid": uid},
            "resources": {"nvidia.com/mig-1g.10gb": 1},
        }
        (reference,) = made["metadata"]["ownerReferences"]
        assert (reference["kind"], reference["name"], reference["uid"]) == ("Pod", "train", uid)
        assert not lab.status(uid), "its devices may come at any moment, which saves a write"
        await settle()
        assert lab.status(uid)["phase"] == "Pending"
        assert not lab.allocation(uid_of("web")), "a pod without GPUs has none"

    keeping(scenario)


def test_a_pod_is_bound_by_what_its_own_status_says_even_without_an_agent() -> None:
    async def scenario(lab: Lab) -> None:
        lab.report(gpu(0, mig(1), mig(2)))
        uid = lab.pod("train", granted("MIG-2"))
        other = lab.pod("elsewhere", granted("MIG-9"), node="no-agent")
        await settle()
        status = lab.status(uid)
        assert (status["phase"], status["source"]) == ("Bound", "PodStatus")
        (device,) = status["devices"]
        place = device["node"], device["gpu"], device["gpuInstance"], device["computeInstance"]
        assert place == ("gpu-1", "GPU-0", 2, 0)
        assert (device["id"], device["uuid"], device["container"]) == ("MIG-2", "MIG-2", "main")
        assert status["summary"]["devices"] == "0:1g.10gb/2"
        assert status["boundTime"]
        assert lab.status(other)["phase"] == "Bound"
        assert lab.status(other)["devices"][0]["gpu"] == "", "nobody has said where that device is"

    keeping(scenario)


def test_a_pod_is_bound_by_the_agents_report_where_its_status_says_nothing() -> None:
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train")
        await settle()
        lab.report(gpu(0, mig(1), mig(2)), holders=[holder("MIG-1", "train", uid)])
        await settle()
        status = lab.status(uid)
        assert (status["phase"], status["source"]) == ("Bound", "Agent")
        assert status["devices"][0]["gpuInstance"] == 1

    keeping(scenario)


def test_the_pods_own_word_goes_before_the_agents() -> None:
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train", granted("MIG-2"))
        lab.report(gpu(0, mig(1), mig(2)), holders=[holder("MIG-1", "train", uid)])
        await settle()
        assert [each["id"] for each in lab.status(uid)["devices"]] == ["MIG-2"]

    keeping(scenario)


def test_what_a_finished_pod_had_is_never_given_to_a_new_pod_of_its_name() -> None:
    async def scenario(lab: Lab) -> None:
        first = lab.pod("train", uid=uid_of("first"))
        lab.report(gpu(0, mig(1), mig(2)), holders=[holder("MIG-1", "train", first)])
        await settle()
        lab.pod("train", uid=first, phase="Succeeded")
        await settle()
        assert lab.status(first)["phase"] == "Released"
        lab.cluster.drop("/api/v1/namespaces/lab/pods/train")
        second = lab.pod("train", uid=uid_of("second"))
        await settle()
        assert lab.status(second)["phase"] == "Pending", "the report still speaks of the first one"
        both = [holder("MIG-1", "train", second), holder("MIG-2", "train", second)]
        lab.report(gpu(0, mig(1), mig(2)), holders=both)
        await settle()
        assert lab.status(second)["phase"] == "Pending", (
            "one was asked for: one of the two is the first one's"
        )
        lab.report(gpu(0, mig(1), mig(2)), holders=[holder("MIG-2", "train", second)])
        await settle()
        assert [each["id"] for each in lab.status(second)["devices"]] == ["MIG-2"]
        assert [each["id"] for each in lab.status(first)["devices"]] == ["MIG-1"]

    keeping(scenario)


def test_a_slice_that_is_made_again_in_the_same_place_is_not_the_pods() -> None:
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train", granted("MIG-a"))
        lab.report(gpu(0, mig(1, "MIG-a")))
        await settle()
        lab.report(gpu(0, mig(1, "MIG-b")))
        next_ = lab.pod("next", granted("MIG-b"))
        await settle()
        (kept,) = lab.status(uid)["devices"]
        assert (kept["uuid"], kept["gpuInstance"]) == ("MIG-a", 1)
        assert lab.condition(uid, "Missing")["message"] == (
            "MIG-a (GPU-0 1/0) is gone from node gpu-1: MIG-b has taken its place"
        )
        assert lab.status(next_)["devices"][0]["uuid"] == "MIG-b"

    keeping(scenario)


def test_an_agent_that_falls_silent_takes_nothing_back() -> None:
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train")
        lab.report(gpu(0, mig(1)), holders=[holder("MIG-1", "train", uid)])
        await settle()
        lab.report(gpu(0, mig(1)))
        await settle()
        assert lab.status(uid)["phase"] == "Bound"
        assert [each["id"] for each in lab.status(uid)["devices"]] == ["MIG-1"]

    keeping(scenario)


def test_nothing_is_written_when_nothing_has_changed() -> None:
    async def scenario(lab: Lab) -> None:
        uids = [lab.pod(f"train-{number}", granted(f"MIG-{number}")) for number in range(7)]
        slices = [mig(number) for number in range(7)]
        lab.report(gpu(0, *slices))
        await settle()
        assert all(lab.status(uid)["phase"] == "Bound" for uid in uids)
        before = lab.writes()
        assert before == 14, "one to make each, one to bind it"
        for number, uid in enumerate(uids):
            lab.pod(f"train-{number}", granted(f"MIG-{number}"), uid=uid, annotations={"note": "x"})
        for _ in range(10):
            lab.report(gpu(0, *slices))
        await settle(30)
        assert lab.writes() == before

    keeping(scenario)


def test_a_thousand_pods_that_fail_at_once_cost_one_write_each_and_the_new_one_does_not_wait_for_them() -> (
    None
):
    lab = Lab(writes_per_second=100)

    async def scenario(lab: Lab) -> None:
        uids = [lab.pod(f"train-{number}", granted(f"MIG-{number}")) for number in range(1000)]
        await settle(60)
        assert all(lab.status(uid)["phase"] == "Bound" for uid in uids)
        before = lab.writes()
        for number, uid in enumerate(uids):
            lab.pod(f"train-{number}", granted(f"MIG-{number}"), uid=uid, phase="Failed")
        await settle(0.5)
        new = lab.pod("new", granted("MIG-new"))
        await settle(1.0)
        assert lab.status(new)["phase"] == "Bound"
        assert lab.writes() - before <= 180, "as many as the operator may write in that time"
        await settle(30)
        assert {lab.status(uid)["phase"] for uid in uids} == {"Released"}
        assert lab.writes() - before == 1002

    keeping(scenario, lab)


def test_an_operator_that_takes_over_writes_nothing_that_is_written_already() -> None:
    async def scenario(lab: Lab) -> None:
        uids = [lab.pod("a", granted("GPU-0", resource=WHOLE), gpu=1), lab.pod("b")]
        twins = [lab.pod(name, granted("GPU-2", resource=WHOLE), gpu=1) for name in ("c", "d")]
        lab.report(gpu(0), gpu(1, mig(1)), gpu(2), holders=[holder("MIG-1", "b", uids[1])])
        await settle()
        assert lab.status(uids[0])["summary"]["devices"] == "0"
        lab.report(gpu(0), gpu(1), gpu(2))
        await settle()
        assert lab.condition(uids[1], "Missing")["status"] == "True"
        assert [lab.condition(uid, "Conflict")["status"] for uid in twins] == ["True", "True"]
        before = lab.writes()

        async def next_(other: Lab) -> None:
            await settle()
            assert lab.writes() == before, "there is no report yet, so nothing is known to be otherwise"
            other.report(gpu(0), gpu(1), gpu(2))
            await settle()
            assert lab.writes() == before

        await beside(next_, Lab(cluster=lab.cluster))

    keeping(scenario)


def test_an_allocation_that_somebody_deletes_is_made_again() -> None:
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train", granted("MIG-1"))
        await settle()
        lab.cluster.drop(f"/apis/labquota.dev/v1alpha1/namespaces/lab/gpuallocations/pod-{uid}")
        await settle()
        assert lab.status(uid)["phase"] == "Bound"

    keeping(scenario)


def test_a_pod_whose_owner_is_found_later_gets_an_allocation_of_that_owner() -> None:
    async def scenario(lab: Lab) -> None:
        uid = lab.pod("train", granted("MIG-1"), owner=None)
        await settle()
        assert lab.allocation(uid)["spec"]["owner"] == "namespace:lab"
        lab.pod("train", granted("MIG-1"), uid=uid, owner="user:bob")
        await settle()
        assert lab.allocation(uid)["spec"]["owner"] == "user:bob"

    keeping(scenario)


def test_a_write_that_fails_is_tried_again_and_holds_nobody_up() -> None:
    async def scenario(lab: Lab) -> None:
        gone = errors.Unreachable("the connection broke")
        lab.cluster.plan("create", Fault(gone), Fault(gone, "after"))
        lab.cluster.plan("patch", Fault(gone))
        uids = [lab.pod(name, granted(f"MIG-{name}")) for name in ("a", "b", "c")]
        await settle(1.0)
        assert "Bound" in [lab.status(uid).get("phase") for uid in uids]
        await settle(10)
        assert [lab.status(uid)["phase"] for uid in uids] == ["Bound"] * 3

    keeping(scenario)


def test_what_the_api_server_refuses_is_told_and_tried_seldom(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(lab: Lab) -> None:
        refused = errors.ApiError(403, "Forbidden", "namespace lab is being terminated")
        lab.cluster.plan("create", *(Fault(refused) for _ in range(3)))
        uid = lab.pod("a", granted("MIG-1"))
        await settle(50)
        assert lab.cluster.count("create") == 2
        assert "an allocation cannot be written" in caplog.text
        await settle(50)
        assert lab.status(uid)["phase"] == "Bound"

    keeping(scenario)
