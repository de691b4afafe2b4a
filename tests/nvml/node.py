"""A GPU node as our NVML sees it: made and changed in Python, written as the YAML file that the library reads."""

import itertools
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import NAMESPACE_DNS, uuid5

import yaml

from nvml import placing
from nvml.building import CURRENT, Library, library
from nvml.models import MODELS, Model

__all__ = ["Gpu", "Mig", "Node", "Process"]

Layout = Sequence[str | tuple[str, ...]]
"""Profiles by name, in the order of their creation; a tuple of names such as ("1c.3g.20gb", "2c.3g.20gb") are compute
instances that share one GPU instance."""


@dataclass
class Process:
    """A process on a GPU, or on one of its MIG devices."""

    pid: int
    memory: int | None = None
    """MiB; None: NVML cannot say."""
    gi: int = -1
    ci: int = -1
    kind: Literal["compute", "graphics", "mps"] = "compute"


@dataclass
class Mig:
    """One MIG device: a compute instance of a GPU instance."""

    profile: str
    """Of its GPU instance."""
    start: int
    gi: int
    uuid: str
    index: int
    """At which NVML gives a handle of it; the indices may have holes."""
    ci: int = 0
    slices: int = 0
    """Compute slices, where they are fewer than its GPU instance's; 0: all."""
    errors: dict[str, int] = field(default_factory=dict)
    """NVML function to the code that it answers for this device; "*": every function. 0: it answers although its GPU
    would not."""


@dataclass
class Gpu:
    """One GPU. The fields that start as None are the model's."""

    model: str
    uuid: str
    minor: int
    pci: str
    mig: bool = False
    pending: bool | None = None
    """The mode after the next reset; None: as now."""
    instances: list[Mig] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    """NVML function to the code that it answers for this GPU and its MIG devices; "*": every function."""
    lost: bool = False
    """Off the bus: every function answers 15 for it and its MIG devices."""
    rows: Literal["", "pending", "failed"] = ""
    """How the remapping of bad memory rows stands."""
    name: str | None = None
    device: int | None = None
    memory: int | None = None

    @property
    def known(self) -> Model:
        """Its model."""
        return MODELS[self.model]


class Node:
    """A node's driver and GPUs. Change what you like, then `write()`: the library sees all of it at once."""

    def __init__(self, path: Path, *models: str, name: str = "node") -> None:
        """Make a node of whole GPUs.

        Args:
            path: the YAML file to write.
            models: keys of `MODELS`, one for each GPU.
            name: tells its UUIDs from those of other nodes.
        """
        self.path = path
        self.name = name
        self.driver = "570.124.06"
        self.nvml = "12.570.124.06"
        self.cuda = 12080
        self.errors: dict[str, int] = {}
        """NVML function to the code that it answers, whatever it is asked about: {"nvmlInit": 9}."""
        self.gpus: list[Gpu] = []
        self.events: list[dict[str, Any]] = []
        self.old_mig_uuids = False
        """MIG-GPU-<uuid>/<gi>/<ci>, as drivers before R470 write them."""
        self._made = itertools.count()
        for model in models:
            self.add(model)

    def add(self, model: str, layout: Layout | None = None) -> Gpu:
        """One more GPU, cut as `layout` says; () is MIG mode without instances, None a whole GPU."""
        if model not in MODELS:
            raise ValueError(f"no model {model}; there are {', '.join(MODELS)}")
        index = len(self.gpus)
        gpu = Gpu(model, f"GPU-{self._uuid('gpu', index)}", index, f"00000000:{index * 16 + 7:02X}:00.0")
        self.gpus.append(gpu)
        if layout is not None:
            self.cut(gpu, layout)
        return gpu

    def cut(self, gpu: Gpu, layout: Layout) -> None:
        """Make all MIG devices of a GPU anew, with new UUIDs; ids and indices are used again.

        Raises:
            ValueError: NVIDIA's placement rules leave no place for all of them.
        """
        gpu.mig, gpu.pending, gpu.instances = True, None, []
        self.create(gpu, layout)

    def create(self, gpu: Gpu, layout: Layout) -> None:
        """More MIG devices beside those that are there, at the lowest free indices.

        Raises:
            ValueError: NVIDIA's placement rules leave no place for all of them.
        """
        family = gpu.known.family
        sharing = [(each,) if isinstance(each, str) else each for each in layout]
        profiles = [names[0].partition("c.")[2] or names[0] for names in sharing]
        there = {each.gi: (family.profile(each.profile), each.start) for each in gpu.instances}
        starts = placing.place(family, profiles, list(there.values()))
        for names, profile, start in zip(sharing, profiles, starts, strict=True):
            gi = placing.instance_id(family, family.profile(profile), start)
            for ci, name in enumerate(names):
                index = min(set(range(len(gpu.instances) + 1)) - {each.index for each in gpu.instances})
                slices = int(name.partition("c.")[0]) if "c." in name else 0
                uuid = self._mig_uuid(gpu, gi, ci)
                gpu.instances.append(Mig(profile, start, gi, uuid, index, ci, slices))

    def reboot(self) -> None:
        """What a reboot does: MIG mode stays, the MIG devices and the processes go, lost GPUs are back."""
        for gpu in self.gpus:
            gpu.mig = gpu.mig if gpu.pending is None else gpu.pending
            gpu.pending, gpu.instances, gpu.processes, gpu.lost = None, [], [], False

    def xid(self, gpu: Gpu, code: int, mig: Mig | None = None) -> None:
        """Tell whoever waits for events of an XID; 79 also takes the GPU off the bus."""
        number = max((each["id"] for each in self.events), default=0) + 1
        where = {} if mig is None else {"gi": mig.gi, "ci": mig.ci}
        self.events.append({"id": number, "gpu": gpu.uuid, "xid": code, **where})
        gpu.lost = gpu.lost or code == 79

    def write(self) -> "Node":
        """Publish, in one step."""
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}-")
        with os.fdopen(handle, "w") as file:
            yaml.safe_dump(self._document(), file, sort_keys=False, width=1_000_000)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(self.path)
        return self

    def environment(self, variant: Library = CURRENT) -> dict[str, str]:
        """What a process needs from its start on, so that its NVML is ours and shows this node."""
        return {"LD_LIBRARY_PATH": str(library(variant)), "LABQUOTA_NVML": str(self.path)}

    def _uuid(self, *what: object) -> str:
        return str(uuid5(NAMESPACE_DNS, "/".join(map(str, (self.name, *what)))))

    def _mig_uuid(self, gpu: Gpu, gi: int, ci: int) -> str:
        if self.old_mig_uuids:
            return f"MIG-{gpu.uuid}/{gi}/{ci}"
        return f"MIG-{self._uuid('mig', gpu.uuid, gi, ci, next(self._made))}"

    def _document(self) -> dict[str, Any]:
        return _filled(
            {
                "driver": self.driver,
                "nvml": self.nvml,
                "cuda": self.cuda,
                "errors": self.errors,
                "gpus": [_gpu(each) for each in self.gpus],
                "events": self.events,
            }
        )


def _gpu(gpu: Gpu) -> dict[str, Any]:
    cuttable = bool(gpu.known.family.profiles)
    pending = gpu.mig if gpu.pending is None else gpu.pending
    return _filled(
        {
            "model": gpu.model,
            "uuid": gpu.uuid,
            "minor": gpu.minor,
            "pci": gpu.pci,
            "mig": _mode(gpu.mig) if cuttable else None,
            "pendingMig": _mode(pending) if cuttable else None,
            "lost": gpu.lost or None,
            "rows": gpu.rows or None,
            "name": gpu.name,
            "device": None if gpu.device is None else f"{gpu.device:04X}",
            "memory": gpu.memory,
            "errors": gpu.errors,
            "instances": [_filled(vars(each)) for each in gpu.instances],
            "processes": [_filled(vars(each)) for each in gpu.processes],
        }
    )


def _mode(enabled: bool) -> str:  # noqa: FBT001 - the one thing it is about
    return "Enabled" if enabled else "Disabled"


def _filled(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None and value not in ({}, [])}
