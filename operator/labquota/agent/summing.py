"""What the columns of `kubectl get gpunodes` show of a status. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from labquota.api import GPU, DeviceHolder, DeviceProcess, GPUNodeSummary
from labquota.quota.deviceids import DeviceKey


def summary(
    gpus: Sequence[GPU],
    holders: Iterable[DeviceHolder],
    unaccounted: Sequence[DeviceProcess],
    troubles: Sequence[str],
) -> GPUNodeSummary:
    """The columns.

    Args:
        gpus: The inventory.
        holders: Who holds what.
        unaccounted: Processes that nobody accounts for.
        troubles: What is wrong with the looking itself, in a word or two each.
    """
    usable = _usable(gpus)
    held = {DeviceKey(each.gpu, each.gpu_instance, each.compute_instance) for each in holders}
    models = Counter(each.model or "unknown" for each in gpus)
    return GPUNodeSummary(
        models=", ".join(f"{count} x {model}" for model, count in models.items()),
        devices=", ".join(_cut(gpus)),
        held=f"{len(held & usable)}/{len(usable)}",
        problems=", ".join([*_problems(gpus, unaccounted), *troubles]),
    )


def _usable(gpus: Iterable[GPU]) -> set[DeviceKey]:
    """What can be held: a GPU in MIG mode is what it is cut into, even if that is nothing."""
    found = set()
    for gpu in gpus:
        if gpu.mig_mode == "Enabled":
            found |= {
                DeviceKey(gpu.uuid, each.gpu_instance, each.compute_instance) for each in gpu.mig_devices
            }
        elif gpu.uuid:
            found.add(DeviceKey(gpu.uuid))
    return found


def _cut(gpus: Sequence[GPU]) -> list[str]:
    whole = sum(each.mig_mode != "Enabled" for each in gpus)
    profiles = Counter(mig.profile for each in gpus for mig in each.mig_devices)
    slices = [f"{count} x {profile}" for profile, count in sorted(profiles.items())]
    return [f"{whole} whole", *slices] if whole else slices


def _problems(gpus: Iterable[GPU], unaccounted: Sequence[DeviceProcess]) -> list[str]:
    gpus = list(gpus)
    health = Counter(each.health.lower() for each in gpus if each.health != "Healthy")
    found = [f"{count} {word}" for word, count in sorted(health.items())]
    if due := sum(each.pending_mig_mode != each.mig_mode for each in gpus):
        found.append(f"{due} to reset")
    if unaccounted:
        found.append(f"{len(unaccounted)} unaccounted")
    return found
