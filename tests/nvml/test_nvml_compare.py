"""The comparison with a real NVML: it finds what differs, shown here with ours in the real one's place."""

from pathlib import Path

import pytest

from nvml import R510, Node
from nvml.compare import answers, compare


def test_the_same_gpu_has_no_differences(tmp_path: Path) -> None:
    node = Node(tmp_path / "real.yaml", "H200").write()
    assert compare(answers(node.environment()), tmp_path) == []


def test_what_differs_is_named_with_both_answers(tmp_path: Path) -> None:
    node = Node(tmp_path / "real.yaml", "H200")
    node.gpus[0].memory = 143000
    node.gpus[0].errors["nvmlDeviceGetMigMode"] = 3
    found = compare(answers(node.write().environment(R510)), tmp_path)
    assert found[-2:] == ["MigMode: 'code 3', ours [0, 0]", "memory: 143000, ours 143771"]
    assert "GpuInstanceProfileInfo 0 v2: 'code 13', ours {'version': " in found[0]


def test_an_unknown_model_is_said_to_be_unknown(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"no model with the PCI device id 9999 in models\.py"):
        compare({"device": 0x9999}, tmp_path)
