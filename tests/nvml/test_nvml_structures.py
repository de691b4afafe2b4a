"""Field by field: what our NVML writes into the structures of nvidia-ml-py is what the node has, and no byte more."""

from pathlib import Path
from typing import Any

import pytest

from nvml import MODELS, Gpu, Node, Process
from nvml.asking import ask

A100 = "A100-SXM4-40GB"
MIB = 1024 * 1024

FIELDS = """
def fields(struct):
    found = {}
    for name, *_ in struct._fields_:
        value = getattr(struct, name)
        value = value.decode() if isinstance(value, bytes) else value
        found[name] = fields(value) if hasattr(value, "_fields_") else value
    return found
"""
GUARD = """
import ctypes
def guarded(struct, name, *before, version=None):
    "The structure, and whether a call wrote all of it and not one byte behind it."
    kept = []
    for pattern in (0x00, 0xFF):
        raw = (ctypes.c_ubyte * (ctypes.sizeof(struct) + 64))(*([pattern] * (ctypes.sizeof(struct) + 64)))
        filled = ctypes.cast(raw, ctypes.POINTER(struct)).contents
        if version is not None:
            filled.version = version
        assert nv._nvmlGetFunctionPointer(name)(*before, raw) == 0, name
        assert bytes(raw[ctypes.sizeof(struct):]) == bytes([pattern] * 64), name
        kept.append(bytes(raw[:ctypes.sizeof(struct)]))
    return struct.from_buffer_copy(kept[0]), all(
        kept[0][at.offset:at.offset + at.size] == kept[1][at.offset:at.offset + at.size]
        for at in (getattr(struct, field[0]) for field in struct._fields_)
    )
"""


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path / "node.yaml", A100)
    node.cut(node.gpus[0], ["1g.5gb", ("1c.3g.20gb", "2c.3g.20gb")])
    node.gpus[0].processes = [Process(10, 100, gi=2, ci=0), Process(11, gi=2, ci=1)]
    return node.write()


def _gpu(node: Node) -> Gpu:
    return node.gpus[0]


def _ask(node: Node, *lines: str) -> Any:
    setup = ("gpu = nv.nvmlDeviceGetHandleByIndex(0)", "mig = nv.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 2)")
    return ask(node.environment(), FIELDS, GUARD, *setup, *lines)


def test_pci_information(node: Node) -> None:
    assert _ask(node, "fields(nv.nvmlDeviceGetPciInfo_v3(gpu))") == {
        "busIdLegacy": "0000:07:00.0",
        "domain": 0,
        "bus": 7,
        "device": 0,
        "pciDeviceId": 0x20B010DE,
        "pciSubSystemId": 0x134F10DE,
        "busId": "00000000:07:00.0",
    }


# Fact: Memory: nvmlMemory_v2 separates `reserved`.
def test_memory_in_both_versions(node: Node) -> None:
    first = _ask(node, "fields(nv.nvmlDeviceGetMemoryInfo(gpu))")
    second = _ask(node, "fields(nv.nvmlDeviceGetMemoryInfo(gpu, version=nv.nvmlMemory_v2))")
    assert first["total"] == second["total"] == 40960 * MIB
    assert second["used"] == 100 * MIB
    assert second["reserved"] == 320 * MIB
    assert second["free"] == second["total"] - second["used"] - second["reserved"]
    assert first == {"total": first["total"], "free": second["free"], "used": 420 * MIB}
    assert second["version"] == 0x02000028


def test_memory_of_a_mig_device_is_that_of_its_gpu_instance(node: Node) -> None:
    memory = _ask(node, "fields(nv.nvmlDeviceGetMemoryInfo(mig, version=nv.nvmlMemory_v2))")
    assert (memory["total"], memory["used"]) == (19968 * MIB, 100 * MIB)


def test_a_wrong_version_of_a_structure_is_a_mismatch(node: Node) -> None:
    assert _ask(node, "[code(nv.nvmlDeviceGetMemoryInfo, gpu, v) for v in (0x01000028, 0x02000020)]") == [
        25,
        25,
    ]


@pytest.mark.parametrize("profile", MODELS[A100].family.profiles, ids=lambda each: each.name)
def test_profiles_of_gpu_instances_in_both_versions(node: Node, profile: Any) -> None:
    expected = {
        "id": profile.id,
        "isP2pSupported": 0,
        "sliceCount": profile.slices,
        "instanceCount": profile.most,
        "multiprocessorCount": profile.processors,
        "copyEngineCount": profile.slices,
        "decoderCount": profile.slices // 2 + profile.media,
        "encoderCount": 0,
        "jpegCount": profile.media,
        "ofaCount": profile.media,
        "memorySizeMB": profile.memory,
    }
    call = "nv.nvmlDeviceGetGpuInstanceProfileInfo"
    first = _ask(node, f"fields({call}(gpu, {profile.ordinal}, version=1))")
    second = _ask(node, f"fields({call}(gpu, {profile.ordinal}, version=2))")
    third = _ask(node, f"fields(nv.nvmlDeviceGetGpuInstanceProfileInfoById(gpu, {profile.id}))")
    assert first == expected
    assert second == third == {"version": 0x02000098, **expected, "name": f"MIG {profile.name}"}


def test_a_mig_device_by_its_handle(node: Node) -> None:
    made = _gpu(node).instances[2]
    assert _ask(
        node,
        "[nv.nvmlDeviceGetUUID(mig), nv.nvmlDeviceGetName(mig), nv.nvmlDeviceGetIndex(mig),"
        " nv.nvmlDeviceGetGpuInstanceId(mig), nv.nvmlDeviceGetComputeInstanceId(mig),"
        " nv.nvmlDeviceIsMigDeviceHandle(mig).value, nv.nvmlDeviceIsMigDeviceHandle(gpu).value]",
    ) == [made.uuid, "NVIDIA A100-SXM4-40GB MIG 2c.3g.20gb", 2, 2, 1, 1, 0]


def test_attributes_of_a_mig_device(node: Node) -> None:
    assert _ask(node, "fields(nv.nvmlDeviceGetAttributes(mig))") == {
        "multiprocessorCount": 28,
        "sharedCopyEngineCount": 3,
        "sharedDecoderCount": 1,
        "sharedEncoderCount": 0,
        "sharedJpegCount": 0,
        "sharedOfaCount": 0,
        "gpuInstanceSliceCount": 3,
        "computeInstanceSliceCount": 2,
        "memorySizeMB": 19968,
    }


# Fact: MIG handles refuse many calls (utilisation, clocks, power).
def test_mig_handles_refuse_what_only_gpus_have(node: Node) -> None:
    calls = (
        "nvmlDeviceGetUtilizationRates nvmlDeviceGetPowerUsage nvmlDeviceGetMinorNumber nvmlDeviceGetPciInfo "
        "nvmlDeviceGetMigMode nvmlDeviceGetMaxMigDeviceCount nvmlDeviceGetSupportedEventTypes"
    )
    assert _ask(node, f"[code(getattr(nv, name), mig) for name in {calls.split()!r}]") == [3] * 7


def test_instances_lead_to_each_other(node: Node) -> None:
    found = _ask(
        node,
        "instance = nv.nvmlDeviceGetGpuInstanceById(gpu, 2)",
        "info = nv.nvmlGpuInstanceGetInfo(instance)",
        "compute = nv.nvmlGpuInstanceGetComputeInstanceById(instance, 1)",
        "inner = nv.nvmlComputeInstanceGetInfo(compute)",
        "address = lambda each: ctypes.cast(each, ctypes.c_void_p).value",
        "[address(info.device) == address(gpu), info.id, info.profileId, info.placement.start,"
        " info.placement.size, address(inner.device) == address(gpu),"
        " address(inner.gpuInstance) == address(instance), inner.id, inner.profileId,"
        " inner.placement.start, inner.placement.size,"
        " nv.nvmlDeviceGetUUID(nv.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(mig))]",
    )
    assert found == [True, 2, 9, 4, 4, True, True, 1, 1, 1, 2, _gpu(node).uuid]


def test_profiles_of_compute_instances_in_both_versions(node: Node) -> None:
    call = "nv.nvmlGpuInstanceGetComputeInstanceProfileInfo"
    first, second = _ask(
        node,
        "instance = nv.nvmlDeviceGetGpuInstanceById(gpu, 2)",
        f"[fields({call}(instance, 1, 0, version=version)) for version in (1, 2)]",
    )
    assert first == {
        "id": 1,
        "sliceCount": 2,
        "instanceCount": 1,
        "multiprocessorCount": 28,
        "sharedCopyEngineCount": 3,
        "sharedDecoderCount": 1,
        "sharedEncoderCount": 0,
        "sharedJpegCount": 0,
        "sharedOfaCount": 0,
    }
    assert second == {"version": 0x02000088, **first, "name": "MIG 2c.3g.20gb"}
    assert _ask(
        node,
        "instance = nv.nvmlDeviceGetGpuInstanceById(gpu, 2)",
        f"[code({call}, instance, n, 0) for n in range(9)]",
    ) == [0, 0, 0, 3, 3, 3, 3, 3, 3]


def test_instances_by_profile_and_what_else_fits(node: Node) -> None:
    found = _ask(
        node,
        "profiles = {19: '1g.5gb', 20: '1g.5gb+me', 15: '1g.10gb', 14: '2g.10gb', 9: '3g.20gb', 5: '4g.20gb', 0: '7g'}",
        "array, count = (nv.c_nvmlGpuInstance_t * 7)(), ctypes.c_uint()",
        "nv.nvmlDeviceGetGpuInstances(gpu, 9, array, ctypes.byref(count))",
        "places, number = (nv.c_nvmlGpuInstancePlacement_t * 8)(), ctypes.c_uint(8)",
        "nv.nvmlDeviceGetGpuInstancePossiblePlacements(gpu, 14, places, ctypes.byref(number))",
        "[count.value, nv.nvmlGpuInstanceGetInfo(array[0]).id,"
        " {profiles[i]: nv.nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, i) for i in profiles},"
        " [[p.start, p.size] for p in places[:number.value]]]",
    )
    # 1g.5gb lies on slot 0, 3g.20gb on slots 4 to 7.
    left = {"1g.5gb": 3, "1g.5gb+me": 1, "1g.10gb": 1, "2g.10gb": 1, "3g.20gb": 0, "4g.20gb": 0, "7g": 0}
    assert found == [1, 2, left, [[0, 2], [2, 2], [4, 2]]]


def test_processes(node: Node) -> None:
    found = _ask(
        node,
        "[[vars(p) for p in nv.nvmlDeviceGetComputeRunningProcesses_v3(h)] for h in (gpu, mig)]",
    )
    first = {"pid": 10, "usedGpuMemory": 100 * MIB, "gpuInstanceId": 2, "computeInstanceId": 0}
    second = {"pid": 11, "usedGpuMemory": None, "gpuInstanceId": 2, "computeInstanceId": 1}
    assert found == [[first, second], [second]]


@pytest.mark.parametrize(
    "call",
    [
        "nv.nvmlPciInfo_t, 'nvmlDeviceGetPciInfo_v3', gpu",
        "nv.c_nvmlMemory_t, 'nvmlDeviceGetMemoryInfo', gpu",
        "nv.c_nvmlMemory_v2_t, 'nvmlDeviceGetMemoryInfo_v2', gpu, version=nv.nvmlMemory_v2",
        "nv.c_nvmlDeviceAttributes, 'nvmlDeviceGetAttributes_v2', mig",
        "nv.c_nvmlGpuInstanceProfileInfo_t, 'nvmlDeviceGetGpuInstanceProfileInfo', gpu, 0",
        (
            "nv.c_nvmlGpuInstanceProfileInfo_v2_t, 'nvmlDeviceGetGpuInstanceProfileInfoV', gpu, 0, "
            "version=nv.nvmlGpuInstanceProfileInfo_v2"
        ),
        "nv.c_nvmlGpuInstanceInfo_t, 'nvmlGpuInstanceGetInfo', instance",
        "nv.c_nvmlComputeInstanceProfileInfo_t, 'nvmlGpuInstanceGetComputeInstanceProfileInfo', instance, 0, 0",
        (
            "nv.c_nvmlComputeInstanceProfileInfo_v2_t, 'nvmlGpuInstanceGetComputeInstanceProfileInfoV', "
            "instance, 0, 0, version=nv.nvmlComputeInstanceProfileInfo_v2"
        ),
        "nv.c_nvmlComputeInstanceInfo_t, 'nvmlComputeInstanceGetInfo_v2', compute",
        "nv.c_nvmlProcessInfo_v3_t, 'nvmlDeviceGetComputeRunningProcesses_v3', mig, ctypes.byref(ctypes.c_uint(1))",
    ],
    ids=lambda each: each.split("'")[1],
)
def test_a_structure_is_filled_whole_and_nothing_behind_it(node: Node, call: str) -> None:
    assert _ask(
        node,
        "instance = nv.nvmlDeviceGetGpuInstanceById(gpu, 2)",
        "compute = nv.nvmlGpuInstanceGetComputeInstanceById(instance, 1)",
        f"struct, whole = guarded({call})",
        "whole",
    )


def test_handles_by_uuid_and_by_address(node: Node) -> None:
    uuids = [_gpu(node).uuid, _gpu(node).instances[0].uuid]
    assert _ask(
        node,
        f"same = [nv.nvmlDeviceGetUUID(nv.nvmlDeviceGetHandleByUUID(each)) for each in {uuids!r}]",
        "there = nv.nvmlDeviceGetUUID(nv.nvmlDeviceGetHandleByPciBusId('00000000:07:00.0'))",
        "[same, there, code(nv.nvmlDeviceGetHandleByUUID, 'GPU-no'), code(nv.nvmlDeviceGetHandleByIndex, 1)]",
    ) == [uuids, _gpu(node).uuid, 6, 2]


def test_versions_and_capability(node: Node) -> None:
    assert _ask(
        node,
        "[nv.nvmlSystemGetDriverVersion(), nv.nvmlSystemGetNVMLVersion(), nv.nvmlSystemGetCudaDriverVersion_v2(),"
        " nv.nvmlDeviceGetCudaComputeCapability(gpu), nv.nvmlDeviceGetMinorNumber(gpu)]",
    ) == ["570.124.06", "12.570.124.06", 12080, [8, 0], 0]


def test_two_gpus_are_as_far_apart_as_can_be(tmp_path: Path) -> None:
    pair = Node(tmp_path / "pair.yaml", A100, A100)
    pair.cut(pair.gpus[0], ["1g.5gb", "1g.5gb", "1g.5gb"])
    pair.write()
    far = "nvmlDeviceGetTopologyCommonAncestor"
    assert _ask(
        pair,
        "other = nv.nvmlDeviceGetHandleByIndex(1)",
        f"[nv.{far}(gpu, other), nv.{far}(gpu, gpu), code(nv.{far}, gpu, mig)]",
    ) == [50, 0, 3]


def test_handles_of_a_device_that_was_made_again_are_invalid(node: Node) -> None:
    again = Node(node.path.with_name("again.yaml"), A100)
    again.cut(again.gpus[0], ["7g.40gb"])
    again.write()
    assert _ask(
        node,
        "before = code(nv.nvmlDeviceGetUUID, mig)",
        "import os",
        f"os.replace({str(again.path)!r}, {str(node.path)!r})",
        "[before, code(nv.nvmlDeviceGetUUID, mig), code(nv.nvmlDeviceGetUUID, gpu)]",
    ) == [0, 2, 0]
