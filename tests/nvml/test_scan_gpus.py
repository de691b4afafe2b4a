"""What a scan says of GPUs and MIG devices, by the lines of the facts on NVML through nvidia-ml-py."""

from pathlib import Path

import pytest

from nvml import MODELS, R470, R510, Node
from nvml.building import CURRENT, Library
from nvml.scans import Scanning, scan

A100 = "A100-SXM4-40GB"
PRO = "RTX PRO 6000 Blackwell Server Edition"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "node.yaml", A100, "T4")


def test_versions_and_everything_about_a_whole_gpu(node: Node) -> None:
    node.driver, node.nvml = "580.65.06", "13.580.65.06"
    seen = scan(node.write().environment())
    assert (seen.driver, seen.nvml) == ("580.65.06", "13.580.65.06")
    first = seen.gpus[0]
    assert (first.index, first.uuid, first.minor) == (0, node.gpus[0].uuid, 0)
    assert (first.pci_address, first.device_id) == ("00000000:07:00.0", "20B0")
    assert (first.model, first.memory) == ("NVIDIA A100-SXM4-40GB", 40960)
    assert (first.health, first.message, first.mig_devices) == ("Healthy", "", ())


# Fact: `nvmlDeviceGetMigMode` gives [current, pending]; raises NotSupported without MIG.
def test_without_mig_the_mode_is_unsupported_and_with_it_disabled(node: Node) -> None:
    modes = [(each.mig_mode, each.pending_mig_mode) for each in scan(node.write().environment()).gpus]
    assert modes == [("Disabled", "Disabled"), ("Unsupported", "Unsupported")]


# Fact: different values mean a reset is due.
def test_a_pending_mode_is_told_beside_the_one_that_holds(node: Node) -> None:
    node.cut(node.gpus[0], ["7g.40gb"])
    node.gpus[0].pending = False
    gpu = scan(node.write().environment()).gpus[0]
    assert (gpu.mig_mode, gpu.pending_mig_mode, len(gpu.mig_devices)) == ("Enabled", "Disabled", 1)


def test_everything_about_a_mig_device(node: Node) -> None:
    node.cut(node.gpus[0], ["1g.5gb", "3g.20gb"])
    made = node.gpus[0].instances[1]
    (_, seen) = scan(node.write().environment()).gpus[0].mig_devices
    assert (seen.uuid, seen.gpu_instance, seen.compute_instance) == (made.uuid, made.gi, 0)
    assert (seen.profile, seen.memory, seen.index) == ("3g.20gb", 19968, 1)
    assert (seen.gpu_slices, seen.compute_slices, seen.start, seen.size) == (3, 3, 4, 4)


def test_compute_instances_of_one_gpu_instance_are_devices_of_their_own(node: Node) -> None:
    node.cut(node.gpus[0], [("1c.3g.20gb", "2c.3g.20gb")])
    devices = scan(node.write().environment()).gpus[0].mig_devices
    assert [each.profile for each in devices] == ["1c.3g.20gb", "2c.3g.20gb"]
    assert [(each.gpu_instance, each.compute_instance) for each in devices] == [(1, 0), (1, 1)]
    assert [(each.gpu_slices, each.compute_slices, each.memory) for each in devices] == [
        (3, 1, 19968),
        (3, 2, 19968),
    ]


# Fact: MIG handles are sparse: loop to GetMaxMigDeviceCount and go on past NotFound.
def test_holes_among_the_handles_hide_nothing_behind_them(node: Node) -> None:
    node.cut(node.gpus[0], ["1g.5gb"] * 7)
    instances = node.gpus[0].instances
    node.gpus[0].instances = [instances[1], instances[3], instances[6]]
    gpu = scan(node.write().environment()).gpus[0]
    assert [each.index for each in gpu.mig_devices] == [1, 3, 6]
    assert (gpu.health, gpu.message) == ("Healthy", "")


# Fact: ... and InvalidArgument.
@pytest.mark.parametrize("code", [2, 6])
def test_an_index_that_is_answered_with_invalid_argument_is_a_hole_as_well(node: Node, code: int) -> None:
    node.cut(node.gpus[0], ["1g.5gb"] * 3)
    node.gpus[0].instances[1].errors["nvmlDeviceGetMigDeviceHandleByIndex"] = code
    gpu = scan(node.write().environment()).gpus[0]
    assert [each.index for each in gpu.mig_devices] == [0, 2]
    assert (gpu.health, gpu.message) == ("Healthy", "")


@pytest.mark.parametrize(
    "function", ["nvmlDeviceGetGpuInstanceId", "nvmlDeviceGetAttributes", "nvmlDeviceGetUUID"]
)
def test_a_device_that_is_destroyed_while_it_is_read_is_no_device_and_no_fault(
    node: Node, function: str
) -> None:
    node.cut(node.gpus[0], ["1g.5gb"] * 3)
    node.gpus[0].instances[1].errors[function] = 2
    gpu = scan(node.write().environment()).gpus[0]
    assert [each.index for each in gpu.mig_devices] == [0, 2]
    assert (gpu.health, gpu.message) == ("Healthy", "")


# Fact: One broken handle must not hide the others.
@pytest.mark.parametrize("function", ["nvmlDeviceGetMigDeviceHandleByIndex", "nvmlDeviceGetUUID"])
def test_one_broken_mig_handle_hides_no_other_and_is_told(node: Node, function: str) -> None:
    node.cut(node.gpus[0], ["1g.5gb"] * 3)
    node.gpus[0].instances[1].errors[function] = 999
    gpu = scan(node.write().environment()).gpus[0]
    assert [each.index for each in gpu.mig_devices] == [0, 2]
    assert gpu.health == "Healthy"
    assert gpu.message == f"MIG device 1: {function}: Unknown Error (code 999)"


# Fact: MIG enabled without instances is capacity 0, not a whole GPU.
def test_mig_without_instances_is_a_gpu_that_is_cut_into_nothing(node: Node) -> None:
    node.cut(node.gpus[0], ())
    gpu = scan(node.write().environment()).gpus[0]
    assert (gpu.mig_mode, gpu.mig_devices, gpu.health) == ("Enabled", (), "Healthy")


# Fact: code 4 masks "no MIG rights".
def test_mig_devices_that_may_not_be_seen_are_not_taken_for_none(node: Node) -> None:
    node.cut(node.gpus[0], ["1g.5gb"] * 2)
    for each in node.gpus[0].instances:
        each.errors["*"] = 4
    gpu = scan(node.write().environment()).gpus[0]
    assert (gpu.health, gpu.mig_mode, gpu.mig_devices) == ("Unreadable", "Enabled", ())
    assert gpu.message == (
        "MIG device 0: nvmlDeviceGetMigDeviceHandleByIndex: Insufficient Permissions (code 4)"
    )


def test_a_mode_that_may_not_be_read_is_not_taken_for_a_whole_gpu(node: Node) -> None:
    node.gpus[0].errors["nvmlDeviceGetMigMode"] = 4
    first, second = scan(node.write().environment()).gpus
    assert (first.health, first.uuid) == ("Unreadable", node.gpus[0].uuid)
    assert first.message == "nvmlDeviceGetMigMode: Insufficient Permissions (code 4)"
    assert second.health == "Healthy"


# Fact: runs unprivileged where the driver allows: GPU instances are for processes with rights on MIG.
def test_without_rights_on_gpu_instances_only_the_place_is_unknown(node: Node) -> None:
    node.cut(node.gpus[0], ["1g.5gb+me", ("1c.3g.20gb",)])
    node.gpus[0].errors["nvmlDeviceGetGpuInstanceById"] = 4
    devices = scan(node.write().environment()).gpus[0].mig_devices
    assert [(each.profile, each.start, each.size) for each in devices] == [
        ("1g.5gb+me", -1, 0),
        ("1c.3g.20gb", -1, 0),
    ]


def test_a_part_that_is_refused_costs_that_part_alone(node: Node) -> None:
    node.gpus[0].errors |= {"nvmlDeviceGetName": 999, "nvmlDeviceGetPciInfo": 3}
    gpu = scan(node.write().environment()).gpus[0]
    assert (gpu.model, gpu.pci_address, gpu.memory, gpu.health) == ("", "", 40960, "Healthy")
    assert gpu.message == "nvmlDeviceGetName: Unknown Error (code 999)"


# Fact: profile information defaults to struct version 2; on an old library the symbol is missing: retry with version 1.
# Fact: MIG handles refuse many calls.
@pytest.mark.parametrize("variant", [CURRENT, R510, R470], ids=lambda each: each.name)
@pytest.mark.parametrize("model", [A100, "A100-SXM4-80GB", "A30", "H200", "GB300", PRO])
def test_every_profile_of_a_model_has_its_name_with_old_and_new_libraries(
    tmp_path: Path, model: str, variant: Library
) -> None:
    """Where the library does not give the name, slices, memory and the profile's constant make it."""
    node = Node(tmp_path / "node.yaml", name="names")
    profiles = MODELS[model].family.profiles
    for profile in profiles:
        node.add(model, [profile.name]).errors["nvmlDeviceGetName"] = 0 if variant is CURRENT else 3
    seen = scan(node.write().environment(variant))
    assert [[each.profile for each in gpu.mig_devices] for gpu in seen.gpus] == [
        [each.name] for each in profiles
    ]
    assert [gpu.mig_devices[0].memory for gpu in seen.gpus] == [each.memory for each in profiles]


@pytest.mark.parametrize(
    "function", ["nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetGpuInstanceProfileInfoV", "nvmlDeviceGetName"]
)
@pytest.mark.parametrize("code", [13, 25])
def test_a_newer_version_that_the_driver_refuses_is_asked_in_the_older_one(
    node: Node, function: str, code: int
) -> None:
    node.cut(node.gpus[0], ["3g.20gb"])
    node.gpus[0].instances[0].errors["nvmlDeviceGetName"] = 3
    node.gpus[0].errors[function] = code
    gpu = scan(node.write().environment()).gpus[0]
    assert (gpu.memory, [each.profile for each in gpu.mig_devices]) == (40960, ["3g.20gb"])


def test_a_model_that_nobody_knows_is_told_as_nvml_tells_it(node: Node) -> None:
    gpu = node.gpus[0]
    gpu.name, gpu.device, gpu.memory = "NVIDIA X1000", 0x9999, 500_000
    seen = scan(node.write().environment()).gpus[0]
    assert (seen.model, seen.device_id, seen.memory) == ("NVIDIA X1000", "9999", 500_000)


def test_mig_is_reconfigured_between_two_scans_of_one_process(node: Node) -> None:
    with Scanning(node.write().environment()) as scanning:
        assert scanning.scan().gpus[0].mig_devices == ()
        node.cut(node.gpus[0], ["3g.20gb", "3g.20gb"])
        node.write()
        before = scanning.scan().gpus[0].mig_devices
        node.cut(node.gpus[0], ["3g.20gb", "3g.20gb"])
        node.write()
        after = scanning.scan().gpus[0].mig_devices
    # Fact: UUID changes, ids reused.
    assert [(each.gpu_instance, each.compute_instance) for each in before] == [(1, 0), (2, 0)]
    assert [(each.gpu_instance, each.compute_instance) for each in after] == [(1, 0), (2, 0)]
    assert not {each.uuid for each in before} & {each.uuid for each in after}


# Fact: reboot: MIG mode stays, instances go, UUIDs change.
def test_after_a_reboot_the_mode_is_there_and_the_devices_are_not(node: Node) -> None:
    node.cut(node.gpus[0], ["7g.40gb"])
    with Scanning(node.write().environment()) as scanning:
        before = scanning.scan().gpus[0]
        node.reboot()
        node.write()
        between = scanning.scan().gpus[0]
        node.cut(node.gpus[0], ["7g.40gb"])
        node.write()
        after = scanning.scan().gpus[0]
    assert (between.uuid, between.mig_mode, between.mig_devices) == (before.uuid, "Enabled", ())
    assert after.mig_devices[0].gpu_instance == before.mig_devices[0].gpu_instance
    assert after.mig_devices[0].uuid != before.mig_devices[0].uuid


def test_uuids_of_old_drivers_are_taken_as_they_are(node: Node) -> None:
    node.old_mig_uuids = True
    node.cut(node.gpus[0], ["3g.20gb"])
    uuid = scan(node.write().environment()).gpus[0].mig_devices[0].uuid
    assert uuid == f"MIG-{node.gpus[0].uuid}/1/0"


def test_no_gpus_are_none_where_nvml_counts_none(tmp_path: Path) -> None:
    assert scan(Node(tmp_path / "node.yaml").write().environment()).gpus == ()
