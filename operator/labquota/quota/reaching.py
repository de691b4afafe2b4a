"""The ways by which a container reaches a GPU that it does not ask for, as far as its pod shows them.

Each says which container, which field and what to do. What is baked into an image does not show here: a variable there
is a matter for the agent, which sees the processes.
"""

from collections.abc import Iterator
from typing import Final

from labquota.quota import doors, environments, verdict
from labquota.quota.access import Access, Container
from labquota.quota.environments import ASK, shown
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.lookups import Facts, Lookup
from labquota.quota.verdict import Refused

_MOUNTS: Final = ["var", "run", "nvidia-container-devices"]
"""Whatever is mounted in this folder names a GPU to NVIDIA's container runtime, where that is switched on."""


def of(
    access: Access, namespace: str, settings: GPUSettings, facts: Facts, *, asks: bool
) -> Iterator[Refused | Lookup]:
    """What keeps a pod from passing, or has to be read before that can be told.

    Args:
        access: What may lead out of the pod.
        namespace: Its namespace.
        settings: The administrator's word on GPUs.
        facts: What was read already.
        asks: Whether some container of it asks for a GPU.
    """
    yield from _runtime(access.runtime_class, settings, facts, asks=asks)
    for key, text in access.annotations.items():
        if _names_gpus(text):
            why = f"annotation {key} gives containers {shown(text)}; leave it out and {ASK}"
            yield Refused(verdict.NOT_REQUESTED, why, f"metadata.annotations[{key}]")
    for volume in access.volumes:
        path = "" if volume.host_path is None else volume.host_path.path
        if leads_to_gpus(path):
            why = f"volume {volume.name} is {shown(path)} of the node, with its GPUs; leave it out and {ASK}"
            yield Refused(verdict.NOT_REQUESTED, why, f"spec.volumes[{volume.name}].hostPath.path")
    yield from environments.of(access, namespace, settings, facts)
    for each in access.containers:
        yield from _rights(each)


def leads_to_gpus(path: str) -> bool:
    """Whether a folder or file of a node is, or holds, the device files of GPUs."""
    parts = _parts(path)
    if parts[:2] == ["var", "run"]:  # a link to /run
        parts = parts[1:]
    match parts:
        case [] | ["dev"] | ["run"] | ["dev", "char", *_] | ["run", "nvidia", *_]:
            return True
        case ["dev", name, *_]:
            return name.startswith("nvidia")
        case ["proc", _, *more]:  # the root folder, or an open file, of whatever runs there
            return bool(more)
    return False


def _parts(path: str) -> list[str]:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return parts


def _runtime(name: str, settings: GPUSettings, facts: Facts, *, asks: bool) -> Iterator[Refused | Lookup]:
    if not name or asks:  # where NVIDIA's runtime is not every container's, who asks for a GPU has to name it
        return
    if not doors.gives_gpus(settings, name):
        lookup = Lookup("runtimeclasses", "", name)
        if lookup not in facts:
            yield lookup
            return
        if not doors.gives_gpus(settings, facts[lookup].handler):
            return
    why = (
        f"runtime class {name} gives images the GPUs that they name, and no container of the pod asks for any; "
        f"leave spec.runtimeClassName out, or {ASK}"
    )
    yield Refused(verdict.NOT_REQUESTED, why, "spec.runtimeClassName")


def _rights(container: Container) -> Iterator[Refused]:
    place = f"spec.{container.field}[{container.name}]"
    if container.security_context.privileged:
        why = (
            f"container {container.name} is privileged and so reaches every GPU of its node; leave "
            "securityContext.privileged out, or have an administrator trust the namespace"
        )
        yield Refused(verdict.NOT_REQUESTED, why, f"{place}.securityContext.privileged")
    for mount in container.volume_mounts:
        if _parts(mount.mount_path)[: len(_MOUNTS)] == _MOUNTS:
            why = (
                f"container {container.name} mounts {mount.name} at {shown(mount.mount_path)}, which names GPUs "
                f"to NVIDIA's container runtime; leave it out and {ASK}"
            )
            yield Refused(verdict.NOT_REQUESTED, why, f"{place}.volumeMounts[{mount.name}]")


def _names_gpus(text: str) -> bool:
    """Whether the devices of an annotation are GPUs: of CDI (`vendor/class=name`), or files (`/dev/x:/dev/y:rw`)."""
    if any(leads_to_gpus(each.strip().partition(":")[0]) for each in text.split(",") if "/dev" in each):
        return True
    kinds = (device.partition("=")[0].strip() for device in text.split(","))
    return any(kind.endswith("gpu") or "nvidia.com/" in kind for kind in kinds)
