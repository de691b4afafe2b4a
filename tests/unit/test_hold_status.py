"""The status of a hold: its devices while they are there, whoever has them besides, and that its time is over."""

from unit.keeping import Json, Lab, gpu, granted, keeping, mig, settle

SLICE = {"node": "gpu-1", "gpu": "GPU-0", "gpuInstance": 1, "computeInstance": 0}


def store(lab: Lab, name: str = "desk", *devices: Json, owner: str = "user:alice", **spec: str) -> str:
    """Store a hold; returns its path."""
    path = f"/apis/labquota.dev/v1alpha1/namespaces/lab/gpuallocations/{name}"
    meta = {"name": name, "namespace": "lab", "uid": f"uid-{name}", "generation": 1}
    held = {"owner": owner, "devices": list(devices) or [SLICE], **spec}
    lab.cluster.store(path, {"metadata": meta, "spec": held})
    return path


def status(lab: Lab, path: str) -> Json:
    found: Json = lab.cluster.objects[path].get("status", {})
    return found


def condition(lab: Lab, path: str, kind: str) -> Json:
    return next((each for each in status(lab, path).get("conditions", ()) if each["type"] == kind), {})


def test_a_hold_is_pending_until_a_node_reports_its_devices_and_bound_then() -> None:
    async def scenario(lab: Lab) -> None:
        path = store(lab)
        await settle()
        assert (status(lab, path)["phase"], status(lab, path)["source"]) == ("Pending", "Hold")
        lab.report(gpu(0, mig(1)))
        await settle()
        found = status(lab, path)
        assert (found["phase"], found["summary"]["devices"]) == ("Bound", "0:1g.10gb/1")
        assert found["devices"][0]["uuid"] == "MIG-1"

    keeping(scenario)


def test_two_holds_of_one_device_say_so_and_one_that_a_pod_has_too() -> None:
    async def scenario(lab: Lab) -> None:
        lab.report(gpu(0, mig(1), mig(2)))
        first, second = store(lab), store(lab, "seat", owner="user:bob")
        await settle()
        text = "MIG-1 (GPU-0 1/0) on node gpu-1 is also held by hold lab/"
        assert condition(lab, first, "Conflict")["message"] == f"{text}seat of user:bob"
        assert condition(lab, second, "Conflict")["message"] == f"{text}desk of user:alice"
        lab.cluster.drop(second)
        pod = lab.pod("train", granted("MIG-1"), owner="user:carol")
        await settle()
        assert condition(lab, first, "Conflict")["message"].endswith("by pod lab/train of user:carol")
        assert lab.condition(pod, "Conflict") == {}, "a hold is no reason to find fault with a pod"
        lab.pod("train", granted("MIG-1"), uid=pod, phase="Succeeded", owner="user:carol")
        await settle()
        assert condition(lab, first, "Conflict")["status"] == "False"

    keeping(scenario)


def test_a_hold_whose_time_is_over_is_expired_and_in_nobodys_way() -> None:
    async def scenario(lab: Lab) -> None:
        lab.report(gpu(0, mig(1)))
        first = store(lab, expiresAt="2026-03-01T07:00:00Z")
        second = store(lab, "seat")
        await settle()
        assert status(lab, first)["phase"] == "Expired"
        assert condition(lab, second, "Conflict") == {}

    keeping(scenario)


def test_a_slice_that_is_made_again_with_its_profile_is_held_still_and_another_one_is_not() -> None:
    async def scenario(lab: Lab) -> None:
        lab.report(gpu(0, mig(1, "MIG-a")))
        path = store(lab)
        await settle()
        lab.report(gpu(0, mig(1, "MIG-b")))  # as after a reboot
        await settle()
        assert status(lab, path)["devices"][0]["uuid"] == "MIG-b"
        assert condition(lab, path, "Missing") == {}
        lab.report(gpu(0, mig(1, "MIG-c", profile="2g.20gb")))
        await settle()
        assert condition(lab, path, "Missing")["message"] == (
            "MIG-b (GPU-0 1/0) is gone from node gpu-1: MIG-c has taken its place"
        )
        assert status(lab, path)["devices"][0]["profile"] == "1g.10gb"

    keeping(scenario)


def test_a_hold_is_written_once_and_not_again() -> None:
    async def scenario(lab: Lab) -> None:
        lab.report(gpu(0, mig(1)))
        store(lab)
        await settle()
        before = lab.writes()
        for _ in range(5):
            lab.report(gpu(0, mig(1)))
        await settle(20)
        assert lab.writes() == before == 1

    keeping(scenario)
