"""The configuration files of the node's programs, with the reason for what is not a default."""

import json
from pathlib import Path
from typing import Any

from node import image

__all__ = ["ADDRESS", "CONTAINERD", "cni", "containerd", "kubelet"]

ADDRESS = "10.254.77.1"
"""The node's address, which only its own namespace knows: a kubelet takes none of loopback."""
CONTAINERD = "/run/containerd/containerd.sock"


def kubelet(cgroup: str, authority: Path) -> str:
    """A KubeletConfiguration for the cgroup below which pods get theirs."""
    config: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(authority)}},
        "readOnlyPort": 0,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "failCgroupV1": False,
        "enforceNodeAllocatable": [],
        # What is scarce here is the machine's own business.
        "evictionHard": dict.fromkeys(
            (
                "memory.available",
                "nodefs.available",
                "nodefs.inodesFree",
                "imagefs.available",
                "imagefs.inodesFree",
            ),
            "0%",
        ),
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "localStorageCapacityIsolation": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "resolvConf": "",
        # Ten seconds and a minute in a real cluster: tests wait for what it reports.
        "nodeStatusUpdateFrequency": "1s",
        "syncFrequency": "5s",
        "logging": {"verbosity": 2},
    }
    return json.dumps(config, indent=1)


def containerd(work: Path, programs: dict[str, Path], runc: Path) -> str:
    """A containerd 2 that keeps everything in `work` and starts containers by `runc`."""
    own = programs["containerd"].parent
    # `native` copies where others stack: it works on any file system, and the one image is small.
    return f"""
version = 3
root = "{work}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]

[grpc]
address = "{CONTAINERD}"

[plugins.'io.containerd.cri.v1.images']
snapshotter = "native"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{image.NAME}"

[plugins.'io.containerd.cri.v1.runtime']
disable_apparmor = true
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["{own}"]
conf_dir = "{work}/cni"

[plugins.'io.containerd.transfer.v1.local']
[[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
platform = "linux"
snapshotter = "native"
"""


def cni() -> str:
    """Pods on the bridge that the node has from the start; nothing leads further."""
    subnet = ADDRESS.rpartition(".")[0] + ".0/24"
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": subnet, "gateway": ADDRESS}]]},
    }
    return json.dumps({"cniVersion": "1.0.0", "name": "box", "plugins": [bridge]})
