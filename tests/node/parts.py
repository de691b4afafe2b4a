"""The programs of a node, made into processes in its box; none is started here but those that lend it ports."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from controlplane import ControlPlane, ControlPlaneError, Process
from node import image, settings
from node.box import Box
from nvml import Node

__all__ = ["containerd", "kubelet", "load_image", "plugin", "relays"]

PLUGIN = "nvidia-device-plugin"
_HERE = Path(__file__).parent
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Programs = dict[str, Path]


def relays(box: Box, plane: ControlPlane) -> None:
    """Let the node reach every API server where it is reached out here."""
    for number, server in enumerate(plane.servers):
        port = server.rpartition(":")[2]
        argv = [sys.executable, "-I", "-S", str(_HERE / "relay.py"), str(box.first), port]
        box.outside(f"relay-{number}", argv).start()


def containerd(box: Box, programs: Programs) -> Process:
    """A containerd that starts containers by runc, without seccomp profiles."""
    runc = box.work / "runc"
    script = f'exec {sys.executable} -I -S {_HERE / "bare_runc.py"} {programs["runc"]} "$@"'
    runc.write_text(f"#!/bin/sh\n{script}\n")
    runc.chmod(0o755)
    config = box.work / "containerd.toml"
    config.write_text(settings.containerd(box.work, programs, runc))
    (box.work / "cni").mkdir()
    (box.work / "cni" / "10-box.conflist").write_text(settings.cni())
    env = {"PATH": f"{programs['containerd'].parent}:{_PATH}"}  # where its shim is
    argv = [str(programs["containerd"]), "--config", str(config)]
    return box.inside("containerd", argv, env, box.path(settings.CONTAINERD).exists)


def load_image(box: Box, programs: Programs) -> None:
    """Import the one image into a containerd that runs.

    Raises:
        ControlPlaneError: it takes it not.
    """
    tar = box.work / "image.tar"
    image.write(programs["box"], tar)
    client = [str(programs["ctr"]), "--address", str(box.path(settings.CONTAINERD)), "--namespace", "k8s.io"]
    argv = [*client, "images", "import", "--local", "--snapshotter=native", str(tar)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ControlPlaneError(f"the image is not imported: {done.stderr.strip()}")


def kubelet(
    box: Box, programs: Programs, plane: ControlPlane, name: str, ready: Callable[[], bool]
) -> Process:
    """A kubelet that registers the Node of that name."""
    user = plane.user(f"system:node:{name}", ["system:nodes"], role=None)
    config = box.work / "kubelet.json"
    config.write_text(settings.kubelet(box.cgroup, plane.authority.certificate))
    argv = [
        str(programs["kubelet"]),
        f"--config={config}",
        f"--kubeconfig={user.kubeconfig}",
        f"--hostname-override={name}",
        f"--node-ip={settings.ADDRESS}",
    ]
    return box.inside("kubelet", argv, {"PATH": _PATH}, ready)


def plugin(
    box: Box, programs: Programs, gpus: Node, ready: Callable[[], bool], strategy: str, sharing: Sequence[str]
) -> Process:
    """NVIDIA's device plugin.

    Args:
        box: where it runs.
        programs: all programs by name.
        gpus: what it sees.
        ready: whether it offers devices.
        strategy: for MIG devices: `mixed` or `single`.
        sharing: resources each of whose devices it offers as two replicas.
    """
    written: dict[str, Any] = {"version": "v1", "flags": {"migStrategy": strategy}}
    if sharing:
        replicas = [{"name": name, "replicas": 2} for name in sharing]
        written["sharing"] = {"timeSlicing": {"resources": replicas}}
    config = box.work / "plugin.json"
    config.write_text(json.dumps(written))
    argv = [str(programs[PLUGIN]), f"--config-file={config}"]
    return box.inside(PLUGIN, argv, {"PATH": _PATH, **gpus.environment()}, ready)
