"""Our NVML beside nvidia-ml-py, symbol by symbol: what is looked up is there, and what is missing is really missing."""

import ctypes
import json
from pathlib import Path

import pytest

from nvml import CURRENT, R470, R510, Library, Node, library
from nvml.asking import ask, run
from nvml.stubs import STUBS, looked_up, stubs, written

PLUGIN = """
Init_v2 Shutdown DeviceGetCount_v2 DeviceGetHandleByIndex_v2 DeviceGetHandleByUUID DeviceGetUUID DeviceGetName
DeviceGetMinorNumber DeviceGetCudaComputeCapability DeviceGetMemoryInfo DeviceGetPciInfo_v3 DeviceGetMigMode
DeviceGetMaxMigDeviceCount DeviceGetMigDeviceHandleByIndex DeviceIsMigDeviceHandle
DeviceGetDeviceHandleFromMigDeviceHandle DeviceGetAttributes_v2 DeviceGetGpuInstanceId DeviceGetComputeInstanceId
DeviceGetGpuInstanceById DeviceGetGpuInstanceProfileInfo DeviceGetSupportedEventTypes DeviceRegisterEvents
GpuInstanceGetInfo GpuInstanceGetComputeInstanceById GpuInstanceGetComputeInstanceProfileInfo
ComputeInstanceGetInfo_v2 EventSetCreate EventSetWait_v2 DeviceGetTopologyCommonAncestor
"""
"""What NVIDIA's device plugin 0.19 was seen to call."""


def _symbols(variant: Library) -> ctypes.CDLL:
    return ctypes.CDLL(str(library(variant) / "libnvidia-ml.so.1"))


def test_every_function_that_nvidia_ml_py_looks_up_is_there() -> None:
    names = looked_up()
    assert len(names) > 400
    there = _symbols(CURRENT)
    assert [name for name in sorted(names) if not hasattr(there, name)] == []


def test_the_list_of_stubs_is_that_of_the_installed_nvidia_ml_py() -> None:
    assert STUBS.read_text() == stubs(), "run: PYTHONPATH=operator:tests python -m nvml.stubs"


def test_what_nvidias_device_plugin_calls_is_no_stub() -> None:
    assert {f"nvml{name}" for name in PLUGIN.split()} - written() == set()


@pytest.mark.parametrize("variant", [R510, R470], ids=lambda each: each.name)
def test_what_an_older_library_lacks_cannot_be_found(variant: Library) -> None:
    there = _symbols(variant)
    assert [name for name in variant.without if hasattr(there, name)] == []
    assert set(variant.without) <= looked_up()
    kept = [name for name in looked_up() - set(variant.without) if not hasattr(there, name)]
    assert kept == []


def test_nothing_but_nvml_can_be_found_in_it() -> None:
    there = _symbols(CURRENT)
    assert [name for name in ("yaml_parse", "node_read", "enter", "models") if hasattr(there, name)] == []


def test_stubs_are_not_supported_once_nvml_is_open(tmp_path: Path) -> None:
    environment = Node(tmp_path / "node.yaml", "T4").write().environment()
    names = sorted(looked_up() - written())
    answers = ask(environment, f"[nv._nvmlGetFunctionPointer(name)() for name in {names!r}]")
    assert dict(zip(names, answers, strict=True)) == dict.fromkeys(names, 3)


def test_before_and_after_nvml_is_open_everything_is_uninitialized(tmp_path: Path) -> None:
    environment = Node(tmp_path / "node.yaml", "T4").write().environment()
    script = """
calls = (nv.nvmlDeviceGetCount, nv.nvmlSystemGetDriverVersion, nv.nvmlShutdown, nv.nvmlEventSetCreate)
nv._LoadNvmlLibrary()
before = [code(each) for each in calls]
nv.nvmlInit(); nv.nvmlInit(); nv.nvmlShutdown()
still = code(nv.nvmlDeviceGetCount)
nv.nvmlShutdown()
after = [code(each) for each in calls]
print(json.dumps([before, still, after]))
"""
    assert json.loads(run(environment, script).stdout) == [[1, 1, 1, 1], 0, [1, 1, 1, 1]]


def test_codes_have_the_words_of_nvidia_ml_py(tmp_path: Path) -> None:
    environment = Node(tmp_path / "node.yaml").write().environment()
    pairs = ask(
        environment,
        "known = {**nv.NVMLError._errcode_to_string}",
        "[[c, known[c], nv.nvmlErrorString(c)] for c in known if c not in (17, 18, 999)]",
    )
    assert [(code, said, ours) for code, said, ours in pairs if said != ours] == []
    assert len(pairs) > 15


def test_a_handle_that_nvml_never_gave_is_an_invalid_argument(tmp_path: Path) -> None:
    environment = Node(tmp_path / "node.yaml", "T4").write().environment()
    answers = ask(
        environment,
        "import ctypes",
        "good = ctypes.cast(nv.nvmlDeviceGetHandleByIndex(0), ctypes.c_void_p).value",
        "wrong = [None] + [ctypes.cast(v, nv.c_nvmlDevice_t) for v in (8, good + 1, good + 4096, 2**47)]",
        "[code(nv.nvmlDeviceGetUUID, each) for each in wrong]",
    )
    assert answers == [2] * 5
