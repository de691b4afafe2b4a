"""What each key of the older configuration becomes, or why it becomes nothing.

a key as written ──ALIASES──► its meaning ──TARGETS──► a field of ResourceLimitGroup or ResourceLimitOverride
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from labquota.imports import values
from labquota.imports.values import Amount


class Unit(StrEnum):
    """What a GPU limit counts: devices of any size, or parts of a whole GPU."""

    SLOTS = "slots"
    EQUIVALENTS = "equivalents"

    @property
    def target(self) -> str:
        """Where a person's total goes."""
        return "aggregate.gpu" if self is Unit.SLOTS else "aggregate.gpu-equivalents"

    def read(self, text: str) -> Amount:
        """A person's total in this unit."""
        if self is Unit.EQUIVALENTS:
            return values.equivalents(text)
        try:
            return values.count(text)
        except values.BadValueError as error:
            if "whole" not in str(error):
                raise
            raise values.BadValueError(
                f"{text} is not a whole number of slots; if it counts GPU equivalents, "
                "add --gpu-limit-unit equivalents"
            ) from None


GPU_CAP: Final = "the person's GPUs"
GPU_LIMIT: Final = "aggregate.gpu_limit"
WHOLE_GPU: Final = "allow_full_gpu"

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    GPU_CAP: ("max_gpu_equivalents", "max_gpu_slots", "max_gpus_per_user", "max_mig_instances"),
    "GPUs of a container": (
        "max_gpu_slots_per_container",
        "max_mig_per_container",
        "max_gpus_per_container",
    ),
}
"""One meaning, several names through the years: the newest first."""

MEANING: Final[Mapping[str, str]] = {name: meaning for meaning, names in ALIASES.items() for name in names}

NEWER: Final = frozenset({"max_gpu_equivalents", "max_gpu_slots_per_container"})
"""A configuration with one of these counts GPU equivalents."""

OLDER: Final = frozenset(MEANING) - NEWER
"""A configuration with only these counts slots."""

TARGETS: Final[Mapping[str, str]] = {
    "GPUs of a container": "perPod.gpu",
    WHOLE_GPU: "allowWholeGPU",
    "max_cpus": "perPod.requests.cpu",
    "memory": "perPod.requests.memory",
    "max_containers_per_user": "aggregate.pods",
    "aggregate.cpu_quota": "aggregate.requests.cpu",
    "aggregate.memory_max": "aggregate.requests.memory",
}
"""Besides GPU_CAP and GPU_LIMIT, whose target is the unit's."""

READERS: Final[Mapping[str, Callable[[str], Amount]]] = {
    "GPUs of a container": values.count,
    "max_cpus": values.cpus,
    "memory": values.memory,
    "max_containers_per_user": values.count,
    "aggregate.cpu_quota": values.percent,
    "aggregate.memory_max": values.memory,
}

ORDER: Final = (
    "aggregate.gpu",
    "aggregate.gpu-equivalents",
    "aggregate.requests.cpu",
    "aggregate.requests.memory",
    "aggregate.pods",
    "perPod.gpu",
    "perPod.requests.cpu",
    "perPod.requests.memory",
    "allowWholeGPU",
)
"""The order in which fields are written and reported."""

_TIMES: Final = ("max_runtime", "idle_timeout", "gpu_hold_after_stop", "container_hold_after_stop")
LATER: Final = frozenset({*_TIMES, *(f"{time}_h" for time in _TIMES), "sigterm_grace_s", "policies"})
"""Idle, runtime and hold times and what decides about them: labquota has no lifecycle rules yet."""

LATER_OF_A_USER: Final = frozenset({"reservation_start", "reservation_end", "reserved_gpus", "expires"})
"""Of a user's override alone. `spec.notBefore` and `spec.expiresAt` can say the times, by hand."""

LATER_SECTIONS: Final = frozenset({"policies", "container_types"})
"""Of the whole configuration."""

_STORAGE: Final = "disk space is limited by the storage system's own quotas"
_IO: Final = "Kubernetes has no such limit for a pod"
_HOST: Final = "guards the Docker host; in a cluster that is the work of RBAC and admission"
NEVER: Final[Mapping[str, str]] = {
    "memory_swap": "swap belongs to the node's kubelet",
    "shm_size": "a pod mounts an emptyDir of medium Memory, which counts as its memory",
    "pids_limit": "the kubelet's podPidsLimit limits processes",
    "max_tasks": "the kubelet's podPidsLimit limits tasks",
    "aggregate.tasks_max": "the kubelet's podPidsLimit limits tasks",
    "aggregate.memory_high": "a soft limit of systemd; labquota warns from 80 % on",
    "storage_workspace": _STORAGE,
    "storage_data": _STORAGE,
    "storage_tmp": _STORAGE,
    "gpu_memory": "a MIG slice bounds its memory itself",
    "io_read_bps": _IO,
    "io_write_bps": _IO,
    "ulimit_nofile": _IO,
    "priority": "ordered a queue of its own; PriorityClasses order pods",
}
"""What has no place in labquota, and the reason."""

NEVER_SECTIONS: Final[Mapping[str, str]] = {
    "gpu_allocation": "the scheduler and the device plugin choose devices",
    "monitoring": "labquota has metrics of its own",
    "bare_metal_access": _HOST,
    "access_control": _HOST,
    "enforcement.cgroup_driver": "a setting of the container runtime",
    "advanced": "settings of Docker",
    "wizard": "texts of the older command line",
}
"""The same, of the whole configuration."""


LIMITS: Final = frozenset({*TARGETS, *MEANING, GPU_LIMIT}) - frozenset(ALIASES)
"""Keys as they are written that limit something; one inside an aggregate section begins with `aggregate.`."""

WRITTEN: Final = frozenset({*LIMITS, *LATER, *NEVER, "aggregate"})
"""Every key that may stand in a section of limits."""


def nearest(key: str, known: Iterable[str]) -> str:
    """A hint at the key that was probably meant, or nothing."""
    close = difflib.get_close_matches(key[:80], sorted({*known} - {key}), n=1)
    return f"; did you mean {close[0]}?" if close else ""
