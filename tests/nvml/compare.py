"""Our NVML beside the real one: what both answer about a GPU of the same model, field by field.

`PYTHONPATH=operator:tests python -m nvml.compare`, on a machine with a GPU and its driver, which it only asks. It
prints each field that differs, and ends with 1 if one does. What a single card has of its own (UUIDs, addresses, what
is used of its memory) is left out.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nvml.asking import run
from nvml.models import MODELS
from nvml.node import Node

__all__ = ["answers", "compare", "differences"]

_SCRIPT = """
def fields(struct):
    found = {name: getattr(struct, name) for name, *_ in struct._fields_}
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in found.items()}

def answer(call, *arguments, **named):
    try:
        value = call(*arguments, **named)
    except nv.NVMLError as error:
        return f"code {error.value}"
    return fields(value) if hasattr(value, "_fields_") else getattr(value, "value", value)

nv.nvmlInit()
gpu = nv.nvmlDeviceGetHandleByIndex(0)
seen = {"device": nv.nvmlDeviceGetPciInfo(gpu).pciDeviceId >> 16}
for name in '''Name MigMode MaxMigDeviceCount CudaComputeCapability SupportedEventTypes RemappedRows Attributes
    GpuInstanceId ComputeInstanceId'''.split():
    seen[name] = answer(getattr(nv, f"nvmlDeviceGet{name}"), gpu)
seen["IsMigDeviceHandle"] = answer(nv.nvmlDeviceIsMigDeviceHandle, gpu)
seen["memory"] = nv.nvmlDeviceGetMemoryInfo(gpu).total // 2**20
for version in (1, 2):
    for number in range(nv.NVML_GPU_INSTANCE_PROFILE_COUNT):
        key = f"GpuInstanceProfileInfo {number} v{version}"
        seen[key] = answer(nv.nvmlDeviceGetGpuInstanceProfileInfo, gpu, number, version=version)
for index in (0, 8):
    seen[f"MigDeviceHandleByIndex {index}"] = str(answer(nv.nvmlDeviceGetMigDeviceHandleByIndex, gpu, index))[:7]
seen["HandleByIndex 99"] = str(answer(nv.nvmlDeviceGetHandleByIndex, 99))
seen["HandleByUUID"] = str(answer(nv.nvmlDeviceGetHandleByUUID, "GPU-none"))
for code in range(31):
    seen[f"ErrorString {code}"] = nv.nvmlErrorString(code)
nv.nvmlShutdown()
seen["closed"] = answer(nv.nvmlDeviceGetCount)
print(json.dumps(seen))
"""


def answers(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the NVML of an environment says of its first GPU; an empty one is the machine's own."""
    seen: dict[str, Any] = json.loads(run(environment, _SCRIPT).stdout)
    return seen


def differences(real: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """Where ours is another, a line each."""
    found = []
    for key in sorted(real.keys() | ours.keys()):
        one, other = real.get(key), ours.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += [f"{key}: {line}" for line in differences(one, other)]
        elif one != other:
            found.append(f"{key}: {one!r}, ours {other!r}")
    return found


def compare(real: Mapping[str, Any], folder: Path) -> list[str]:
    """The real one's answers beside ours for the same model, in the same MIG mode.

    Raises:
        LookupError: the model is not in our table.
    """
    known = [key for key, model in MODELS.items() if model.device == real["device"]]
    if not known:
        raise LookupError(f"no model with the PCI device id {real['device']:04X} in models.py")
    node = Node(folder / "node.yaml", known[0])
    if real["MigMode"] == [1, 1]:
        node.cut(node.gpus[0], ())
    return differences(real, answers(node.write().environment()))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        lines = compare(answers({}), Path(name))
    print("\n".join(lines) or "no difference")
    sys.exit(1 if lines else 0)
