"""What a scan makes of every failure, by the lines of the facts on NVML's codes and on what goes wrong in the field."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pynvml
import pytest

from labquota.agent import failures, nvml
from labquota.agent.scanning import remember
from labquota.api import GPU, MigDevice
from nvml import R470, Node
from nvml.asking import run
from nvml.scans import Scanning, scan

A100 = "A100-SXM4-40GB"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "node.yaml", A100, A100, A100)


# Fact: depend on nvidia-ml-py: it is NVIDIA's binding and provides the module pynvml.
def test_the_binding_is_nvidias_own() -> None:
    files = distribution("nvidia-ml-py").files or []
    assert "pynvml.py" in {str(each) for each in files}
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert any(each.startswith("nvidia-ml-py>=") for each in project["dependencies"])
    assert not any(each.startswith("pynvml") for each in project["dependencies"])


# Fact: it loads libnvidia-ml.so.1; setting LD_LIBRARY_PATH from inside does nothing.
def test_the_library_is_found_only_by_what_was_set_before_the_process_began(node: Node) -> None:
    script = """
import os
os.environ.update(json.loads(sys.argv[1]) if len(sys.argv) > 1 else given)
print(code(nv.nvmlInit))
"""
    inside = run({}, f"given = {node.write().environment()!r}\n{script}")
    before = run(node.environment(), "print(code(nv.nvmlInit))")
    assert (inside.stdout, before.stdout) == ("12\n", "0\n")


# Fact: codes to tell apart: 1 uninitialized, 4 no permission, 9 driver not loaded, 15 lost, 28 not found. None of them
# means "this node has no GPUs". New error codes appear: have a default branch.
@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (1, "NotInitialized", "Uninitialized"),
        (4, "NoPermission", "Insufficient Permissions"),
        (9, "DriverNotLoaded", "Driver Not Loaded"),
        (15, "GPULost", "GPU is lost"),
        (17, "NVMLError", "The operating system has blocked the request."),
        (28, "GPUNotFound", "No GPUs were found"),
        (999, "NVMLError", "Unknown Error"),
        (4711, "NVMLError", "Unknown Error"),
    ],
)
@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetCount", "nvmlSystemGetDriverVersion"])
def test_a_code_before_anything_is_known_is_no_inventory(
    node: Node, function: str, code: int, reason: str, words: str
) -> None:
    node.errors[function] = code
    assert scan(node.write().environment()).failure == (
        "Unavailable",
        reason,
        f"{function}: {words} (code {code})",
    )


# Fact: 12 library not found.
def test_without_the_library_there_is_no_inventory_until_it_is_there(node: Node, tmp_path: Path) -> None:
    folder = tmp_path / "driver"
    folder.mkdir()
    environment = node.write().environment()
    with Scanning({**environment, "LD_LIBRARY_PATH": str(folder)}) as scanning:
        missing = scanning.scan()
        library = Path(environment["LD_LIBRARY_PATH"]) / "libnvidia-ml.so.1"
        (folder / library.name).symlink_to(library)
        there = scanning.scan()
    assert missing.failure == (
        "Unavailable",
        "LibraryNotFound",
        "nvmlInit: NVML Shared Library Not Found (code 12)",
    )
    assert len(there.gpus) == 3


# Fact: driver missing or restarting.
@pytest.mark.parametrize("code", [1, 9])
def test_a_driver_that_goes_away_during_a_scan_is_no_inventory(node: Node, code: int) -> None:
    node.gpus[1].errors["nvmlDeviceGetUUID"] = code
    assert scan(node.write().environment()).failure[:2] == (
        "Unavailable",
        {1: "NotInitialized", 9: "DriverNotLoaded"}[code],
    )


def test_a_driver_that_comes_back_is_seen_by_the_same_process(node: Node) -> None:
    with Scanning(node.write().environment()) as scanning:
        before = scanning.scan()
        node.errors["*"] = 9
        node.write()
        without = scanning.scan()
        node.errors.clear()
        node.write()
        after = scanning.scan()
    assert without.failure == ("Unavailable", "DriverNotLoaded", "nvmlInit: Driver Not Loaded (code 9)")
    assert after == before


# Fact: nvmlShutdown leaves the library loaded: after a driver upgrade (code 18) exit the process.
@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetMigMode"])
def test_another_drivers_library_is_a_reason_to_start_again(node: Node, function: str) -> None:
    node.errors[function] = 18
    kind, reason, message = scan(node.write().environment()).failure
    assert (kind, reason) == ("DriverChanged", "DriverChanged")
    assert message == f"{function}: RM has detected an NVML/RM version mismatch. (code 18)"


def test_the_library_stays_loaded_and_is_not_open_between_scans(node: Node, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    environment = {**node.write().environment(), "LABQUOTA_NVML_CALLS": str(calls)}
    with Scanning(environment) as scanning:
        for _ in range(3):
            scanning.scan()
            functions = calls.read_text().split()
            # Fact: MIG reconfigured while in use: our agent opens NVML only for a scan.
            assert functions[0] == "nvmlInitWithFlags"
            assert functions[-1] == "nvmlShutdown"
            assert functions.count("nvmlInitWithFlags") == functions.count("nvmlShutdown")
        assert "libnvidia-ml.so.1" in Path(f"/proc/{scanning.pid}/maps").read_text()


def test_nvml_is_closed_after_a_scan_that_fails(node: Node, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    node.errors["nvmlDeviceGetCount"] = 999
    scan({**node.write().environment(), "LABQUOTA_NVML_CALLS": str(calls)})
    assert calls.read_text().split()[-1] == "nvmlShutdown"


def test_a_scan_only_asks(node: Node, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    node.cut(node.gpus[0], ["3g.20gb", "1g.5gb"])
    scan({**node.write().environment(), "LABQUOTA_NVML_CALLS": str(calls)})
    called = set(calls.read_text().split())
    assert "nvmlGpuInstanceGetInfo" in called
    others = {each for each in called if not re.match(r"nvml(System|Device|GpuInstance)Get", each)}
    assert others == {"nvmlInitWithFlags", "nvmlShutdown"}


# Fact: NVMLLibraryMismatchError is not an NVMLError; NVMLError is unhashable and cannot be compared with None.
def test_pynvmls_exceptions_are_as_awkward_as_they_are_said_to_be(node: Node) -> None:
    script = """
nv.nvmlInit()
gpu = nv.nvmlDeviceGetHandleByIndex(0)
try:
    nv.nvmlDeviceGetComputeRunningProcesses(gpu)
except nv.NVMLLibraryMismatchError as error:
    print(isinstance(error, nv.NVMLError))
for strange in (lambda: hash(nv.NVMLError(1)), lambda: nv.NVMLError(1) == None):
    try:
        strange()
    except (TypeError, AttributeError) as error:
        print(type(error).__name__)
print(type(nv.nvmlDeviceIsMigDeviceHandle(gpu)).__name__)
"""
    done = run(node.write().environment(R470), script)
    assert done.stdout.split() == ["False", "TypeError", "AttributeError", "c_uint"]


def test_pynvmls_own_mismatch_is_a_reason_to_start_again_too() -> None:
    def unversioned() -> None:
        raise pynvml.NVMLLibraryMismatchError("use a versioned function")

    with pytest.raises(failures.DriverChanged, match="unversioned: use a versioned function"):
        nvml.ask(unversioned)


def test_an_old_library_is_asked_in_its_own_words_and_is_no_change_of_driver(node: Node) -> None:
    seen = scan(node.write().environment(R470))
    assert (seen.failure, len(seen.gpus), seen.unlisted) == ((), 3, {})


# Fact: 15 GPU is lost; GPU falls off the bus (XID 79).
def test_a_lost_gpu_is_lost_and_the_others_are_not(node: Node) -> None:
    node.cut(node.gpus[1], ["3g.20gb"])
    with Scanning(node.write().environment()) as scanning:
        before = scanning.scan()
        node.xid(node.gpus[1], 79)
        node.write()
        after = scanning.scan()
    assert [each.health for each in after.gpus] == ["Healthy", "Lost", "Healthy"]
    assert after.gpus[1].message == "nvmlDeviceGetHandleByIndex: GPU is lost (code 15)"
    # What it was stays known, or nobody could say whose devices are lost.
    assert after.gpus[1].uuid == before.gpus[1].uuid
    assert after.gpus[1].mig_devices == before.gpus[1].mig_devices
    assert after.gpus[0] == before.gpus[0]


def test_a_gpu_that_is_lost_from_the_start_has_no_name(node: Node) -> None:
    node.gpus[1].lost = True
    gpu = scan(node.write().environment()).gpus[1]
    assert (gpu.index, gpu.uuid, gpu.health) == (1, "", "Lost")


def test_a_gpu_that_is_lost_while_it_is_read_is_lost(node: Node) -> None:
    node.gpus[1].errors["nvmlDeviceGetMemoryInfo"] = 15
    gpu = scan(node.write().environment()).gpus[1]
    assert (gpu.uuid, gpu.health) == (node.gpus[1].uuid, "Lost")


# Fact: XIDs 13, 31, 43, 45, 68, 109 are application errors and do not make a device unhealthy.
@pytest.mark.parametrize("code", [13, 31, 43, 45, 68, 109])
def test_an_xid_of_an_application_says_nothing_of_the_gpu(node: Node, code: int) -> None:
    with Scanning(node.write().environment()) as scanning:
        before = scanning.scan()
        node.xid(node.gpus[0], code)
        node.write()
        assert scanning.scan() == before


@pytest.mark.parametrize(
    ("rows", "health", "message"),
    [
        ("pending", "Healthy", ""),
        ("failed", "Unhealthy", "a bad memory row could not be replaced by a spare one"),
    ],
)
def test_a_gpu_without_spare_memory_rows_is_unhealthy(
    node: Node, rows: str, health: str, message: str
) -> None:
    node.gpus[0].rows = "pending" if rows == "pending" else "failed"
    gpu = scan(node.write().environment()).gpus[0]
    assert (gpu.health, gpu.message) == (health, message)


def test_a_gpu_that_needs_a_reset_is_unhealthy(node: Node) -> None:
    node.gpus[0].errors["nvmlDeviceGetMemoryInfo"] = 16
    gpu = scan(node.write().environment()).gpus[0]
    assert (gpu.health, gpu.message) == (
        "Unhealthy",
        "nvmlDeviceGetMemoryInfo: GPU requires restart (code 16)",
    )


@pytest.mark.parametrize(("code", "health"), [(4, "Unreadable"), (28, "Unreadable"), (4711, "Unreadable")])
def test_a_gpu_whose_handle_is_refused_is_unreadable_and_hides_no_other(
    node: Node, code: int, health: str
) -> None:
    node.gpus[0].errors["nvmlDeviceGetHandleByIndex"] = code
    seen = scan(node.write().environment())
    assert [each.health for each in seen.gpus] == [health, "Healthy", "Healthy"]


def test_what_is_remembered_never_makes_one_gpu_into_two() -> None:
    before = [GPU(index=0, uuid="GPU-a"), GPU(index=1, uuid="GPU-b")]
    # b has moved to index 0; whatever does not answer at index 1 is not b.
    now = [GPU(index=0, uuid="GPU-b"), GPU(index=1, uuid="", health="Lost")]
    assert [each.uuid for each in remember(now, before)] == ["GPU-b", ""]
    now = [GPU(index=0, uuid="GPU-a"), GPU(index=1, uuid="", health="Lost")]
    assert [each.uuid for each in remember(now, before)] == ["GPU-a", "GPU-b"]


def test_a_new_card_is_not_taken_for_the_one_in_whose_place_it_is() -> None:
    before = [GPU(index=0, uuid="GPU-a", model="NVIDIA A100")]
    now = [GPU(index=0, uuid="GPU-c", health="Unreadable")]
    assert remember(now, before) == tuple(now)


def test_a_lost_gpu_keeps_its_cut_at_the_index_that_it_has_now() -> None:
    slices = (MigDevice(uuid="MIG-1", gpu_instance=1, compute_instance=0, profile="3g.20gb"),)
    before = [GPU(index=1, uuid="GPU-b", minor=1, mig_mode="Enabled", memory=40960, mig_devices=slices)]
    now = [GPU(index=0, uuid="GPU-b", health="Lost", message="gone")]
    (kept,) = remember(now, before)
    assert (kept.index, kept.minor, kept.mig_mode, kept.memory) == (0, 1, "Enabled", 40960)
    assert (kept.health, kept.message, kept.mig_devices) == ("Lost", "gone", slices)


def test_what_answers_is_never_filled_in_from_what_was_known() -> None:
    before = [GPU(index=0, uuid="GPU-a", model="NVIDIA A100", message="old")]
    now = [GPU(index=0, uuid="GPU-a")]
    assert remember(now, before) == tuple(now)


def test_every_failure_is_one_of_three() -> None:
    kinds = {
        type(failures.of(code, "x", opening=opening)) for code in range(1000) for opening in (True, False)
    }
    assert kinds == set(failures.NVMLFailure.__subclasses__())


def test_a_scan_leaves_no_file_open(node: Node) -> None:
    with Scanning(node.write().environment()) as scanning:
        scanning.scan()
        before = _files(scanning)
        for _ in range(20):
            scanning.scan()
        assert _files(scanning) == before


def _files(scanning: Scanning) -> list[str]:
    return sorted(str(each.readlink()) for each in Path(f"/proc/{scanning.pid}/fd").iterdir())
