"""One real GPU node, joined to a control plane: start it, restart parts of it, ask it, stop it."""

import http.client
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controlplane import ControlPlane, ControlPlaneError, Process
from node import image, machine, programs, settings
from node.box import Box
from nvml.node import Node

__all__ = ["RealNode"]

_HERE = Path(__file__).parent
PODRESOURCES = "/var/lib/kubelet/pod-resources/kubelet.sock"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


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
        self._work = plane.folder / name
        self.box = Box(self._work, plane.logs)

    def start(self) -> Self:
        """Start everything and return when the Node is ready and offers its devices: about ten seconds.

        Raises:
            ControlPlaneError: this machine forbids it, or something did not start.
        """
        self._programs = programs.find()
        folders = (
            Path(sys.prefix),
            Path(sys.base_prefix),
            _HERE,
            self._programs["kubelet"],
            self.plane.folder,
        )
        if (reason := machine.lacks(*folders)) is not None:
            raise ControlPlaneError(f"no real node on this machine: {reason}")
        self._work.mkdir()
        try:
            self.box.start()
            self._join()
            self._start_containerd()
            self._start_kubelet()
            self._start_plugin()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all of it at once; its logs stay among those of the control plane."""
        self.box.stop()
        shutil.rmtree(self._work, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Its parts

    @property
    def kubelet(self) -> Process:
        """The kubelet."""
        return self.box.processes["kubelet"]

    @property
    def plugin(self) -> Process:
        """NVIDIA's device plugin."""
        return self.box.processes["nvidia-device-plugin"]

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
        """What the kubelet says of devices: `held` (one entry a device) and `allocatable` (ids by resource)."""
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

    # How it starts

    def _join(self) -> None:
        for number, server in enumerate(self.plane.servers):
            port = server.rpartition(":")[2]
            argv = [sys.executable, "-I", "-S", str(_HERE / "relay.py"), str(self.box.first), port]
            self.box.outside(f"relay-{number}", argv).start()

    def _start_containerd(self) -> None:
        work, own = self._work, self._programs
        runc = work / "runc"
        runc.write_text(
            f'#!/bin/sh\nexec {sys.executable} -I -S {_HERE / "bare_runc.py"} {own["runc"]} "$@"\n'
        )
        runc.chmod(0o755)
        config = work / "containerd.toml"
        config.write_text(settings.containerd(work, own, runc))
        (work / "cni").mkdir()
        (work / "cni" / "10-box.conflist").write_text(settings.cni())
        env = {"PATH": f"{own['containerd'].parent}:{_PATH}"}
        socket = self.box.path(settings.CONTAINERD)
        argv = [str(own["containerd"]), "--config", str(config)]
        containerd = self.box.inside("containerd", argv, env, socket.exists)
        containerd.start()
        containerd.wait_ready()
        tar = work / "image.tar"
        image.write(own["box"], tar)
        argv = [
            str(own["ctr"]),
            "--address",
            str(socket),
            "--namespace",
            "k8s.io",
            "images",
            "import",
            "--local",
        ]
        done = subprocess.run(
            [*argv, "--snapshotter=native", str(tar)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ControlPlaneError(f"the image is not imported: {done.stderr.strip()}")

    def _start_kubelet(self) -> None:
        user = self.plane.user(f"system:node:{self.name}", ["system:nodes"], role=None)
        config = self._work / "kubelet.json"
        config.write_text(settings.kubelet(self.box.cgroup, self.plane.authority.certificate))
        argv = [
            str(self._programs["kubelet"]),
            f"--config={config}",
            f"--kubeconfig={user.kubeconfig}",
            f"--hostname-override={self.name}",
            f"--node-ip={settings.ADDRESS}",
        ]
        kubelet = self.box.inside("kubelet", argv, {"PATH": _PATH}, self._is_ready)
        kubelet.start()
        kubelet.wait_ready(60)

    def _is_ready(self) -> bool:
        try:
            self.podresources()  # after a restart the Node is called ready long before its kubelet is
            status, found = self.plane.client.call("GET", f"/api/v1/nodes/{self.name}")
        except (OSError, http.client.HTTPException, ControlPlaneError):
            return False
        conditions = found.get("status", {}).get("conditions", []) if status == 200 else []
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def _start_plugin(self) -> None:
        argv = [str(self._programs["nvidia-device-plugin"]), "--mig-strategy=mixed"]
        env = {"PATH": _PATH, **self.gpus.environment()}
        plugin = self.box.inside("nvidia-device-plugin", argv, env, lambda: bool(self.offered()))
        plugin.start()
        plugin.wait_ready()
