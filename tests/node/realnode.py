"""One real GPU node, joined to a control plane: start it, restart parts of it, ask it, stop it."""

import http.client
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controlplane import ControlPlane, ControlPlaneError, Process
from controlplane.process import wait_until
from node import machine, parts, programs
from node.box import Box
from nvml import Node

__all__ = ["RealNode"]

PODRESOURCES = "/var/lib/kubelet/pod-resources/kubelet.sock"


class RealNode:
    """A kubelet, containerd and NVIDIA's device plugin in strategy `mixed`.

    Args:
        plane: the control plane that it joins; it runs.
        gpus: its GPUs; what is changed and written there is what the plugin sees.
        name: the Node's name.

    Attributes:
        box: the namespaces, with every process by name.
    """

    def __init__(self, plane: ControlPlane, gpus: Node, name: str = "real-node") -> None:
        self.plane, self.gpus, self.name = plane, gpus, name
        self.box = Box(plane.folder / name, plane.logs)

    def start(self) -> Self:
        """Start everything and return when the Node is ready and offers its devices: two seconds.

        Raises:
            ControlPlaneError: this machine forbids it, or something did not start.
        """
        self._programs = programs.find()
        visible = (Path(sys.prefix), Path(sys.base_prefix), Path(__file__), self._programs["kubelet"])
        if (reason := machine.lacks(*visible, self.plane.folder)) is not None:
            raise ControlPlaneError(f"no real node on this machine: {reason}")
        self.box.work.mkdir()
        try:
            self.box.start()
            parts.relays(self.box, self.plane)
            _run(parts.containerd(self.box, self._programs))
            parts.load_image(self.box, self._programs)
            _run(parts.kubelet(self.box, self._programs, self.plane, self.name, self._is_ready))
            self._start_plugin()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all of it at once; its logs stay among those of the control plane."""
        self.box.stop()
        shutil.rmtree(self.box.work, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def kubelet(self) -> Process:
        """The kubelet."""
        return self.box.processes["kubelet"]

    @property
    def plugin(self) -> Process:
        """NVIDIA's device plugin."""
        return self.box.processes[parts.PLUGIN]

    @contextmanager
    def offering(
        self, strategy: str = "mixed", *, sharing: Sequence[str] = (), layout: Sequence[str] | None = None
    ) -> Iterator[None]:
        """Let the plugin offer devices in another way for a while; nobody may hold any before and after.

        Args:
            strategy: for MIG devices.
            sharing: resources each of whose devices it offers as two replicas.
            layout: how all GPUs are cut meanwhile; as they are by default.
        """
        before = self.offered()
        kept = [(gpu, gpu.mig, gpu.instances) for gpu in self.gpus.gpus]
        self.plugin.stop()
        try:
            for gpu in self.gpus.gpus if layout is not None else ():
                self.gpus.cut(gpu, layout or ())
            self.gpus.write()
            self._start_plugin(strategy, sharing)
            yield
        finally:
            self.plugin.stop()
            for gpu, mig, instances in kept:
                gpu.mig, gpu.instances = mig, instances
            self.gpus.write()
            self._start_plugin()
            if not wait_until(lambda: self.offered() == before, 30, every=0.1):
                raise ControlPlaneError(f"the node offers {self.offered()}, and {before} is expected")

    def node(self) -> dict[str, Any]:
        """The Node, as the API server has it."""
        found: dict[str, Any] = self.plane.client.get(f"/api/v1/nodes/{self.name}")
        return found

    def offered(self) -> dict[str, int]:
        """What the Node offers of the plugin's resources, without those that it has no more."""
        allocatable = self.node().get("status", {}).get("allocatable", {})
        counts = {key: int(value) for key, value in allocatable.items() if key.startswith("nvidia.com/")}
        return {key: count for key, count in counts.items() if count}

    def podresources(self) -> dict[str, Any]:
        """What the kubelet says of devices: `held` (one entry a device) and `allocatable` (ids by resource).

        Raises:
            ControlPlaneError: it says nothing.
        """
        program = str(self._programs["podresources"])
        done = subprocess.run(
            [program, str(self.box.path(PODRESOURCES))],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        if done.returncode:
            raise ControlPlaneError(f"the kubelet's PodResources: {done.stderr.strip()}")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _start_plugin(self, strategy: str = "mixed", sharing: Sequence[str] = ()) -> None:
        def offers() -> bool:
            return bool(self.offered())

        _run(parts.plugin(self.box, self._programs, self.gpus, offers, strategy, sharing))

    def _is_ready(self) -> bool:
        try:
            self.podresources()  # after a restart the Node is called ready long before its kubelet is
            status, found = self.plane.client.call("GET", f"/api/v1/nodes/{self.name}")
        except (OSError, http.client.HTTPException, ControlPlaneError):
            return False
        conditions = found.get("status", {}).get("conditions", []) if status == 200 else []
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _run(process: Process) -> None:
    process.start()
    process.wait_ready(60)
