"""What a device plugin offers of a made-up node: resource names and ids, in every form that one of them uses."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal

from nvml.node import Gpu, Mig, Node

__all__ = ["FORMS", "Form", "offers"]

Form = Literal["uuid", "old", "gke", "index"]
FORMS: tuple[Form, ...] = ("uuid", "old", "gke", "index")


def offers(
    node: Node,
    *,
    form: Form = "uuid",
    strategy: Literal["mixed", "single"] = "mixed",
    replicas: int = 1,
    names: Mapping[str, str] | None = None,
) -> dict[str, list[str]]:
    """Ids by resource name.

    Args:
        node: whose GPUs; those in MIG mode are offered as what they are cut into.
        form: how ids are written: by UUID, as before R470, as GKE does, by index.
        strategy: `single` calls every MIG device `nvidia.com/gpu`.
        replicas: above 1: how many share each device.
        names: other names for resources, by those that they have otherwise.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for index, gpu in enumerate(node.gpus):
        if gpu.lost:
            continue
        if not gpu.mig:
            found["nvidia.com/gpu"].append(_whole(gpu, index, form))
        for mig in gpu.instances:
            name = "nvidia.com/gpu" if strategy == "single" else _resource(mig)
            found[name].append(_slice(gpu, index, mig, form))
    return {
        (names or {}).get(name, name): [each for device in ids for each in _replicas(device, replicas)]
        for name, ids in found.items()
    }


def _resource(mig: Mig) -> str:
    part = f"{mig.slices}c." if mig.slices else ""
    return f"nvidia.com/mig-{part}{mig.profile.replace('+', '.')}"


def _whole(gpu: Gpu, index: int, form: Form) -> str:
    return {"gke": f"nvidia{gpu.minor}", "index": str(index)}.get(form, gpu.uuid)


def _slice(gpu: Gpu, index: int, mig: Mig, form: Form) -> str:
    return {
        "old": f"MIG-{gpu.uuid}/{mig.gi}/{mig.ci}",
        "gke": f"nvidia{gpu.minor}/gi{mig.gi}",
        "index": f"{index}:{mig.index}",
    }.get(form, mig.uuid)


def _replicas(device: str, replicas: int) -> list[str]:
    return [device] if replicas == 1 else [f"{device}::{number}" for number in range(replicas)]
