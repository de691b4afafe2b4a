"""The node's programs: built from pinned Go modules into the cache in which the control plane's lie.

Nothing is downloaded as a finished program. runc and NVIDIA's plugin are part C: they need a C compiler.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from controlplane import ControlPlaneError, binaries
from controlplane.build import Stamp

__all__ = ["find"]

GO = Path(__file__).with_name("go")
_CONTAINERD = ("containerd", "containerd-shim-runc-v2", "ctr", "bridge", "host-local", "loopback")
_MODULES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "runc": ("github.com/opencontainers/runc", ("runc",)),
    "plugin": ("github.com/NVIDIA/k8s-device-plugin", ("nvidia-device-plugin",)),
    "containerd": ("github.com/containerd/containerd/v2", _CONTAINERD),
    "kubelet": ("k8s.io/kubernetes", ("kubelet",)),
    "own": ("k8s.io/kubelet", ("box", "podresources")),
}
"""By folder: the module whose version names the build, and the programs that come out of it."""


def find() -> dict[str, Path]:
    """Every program by name; builds what is in no cache, which takes minutes the first time.

    Raises:
        ControlPlaneError: a build failed; the compiler's last words are in the message.
    """
    found: dict[str, Path] = {}
    for folder, (product, names) in _MODULES.items():
        source = GO / folder
        found |= binaries.built(
            source, names, _stamp(source, product), _compiler() if _is_c(folder) else None
        )
    return found


def _is_c(folder: str) -> bool:
    return folder in ("runc", "plugin")


def _compiler() -> dict[str, str]:
    """What lets Go compile C, too.

    NVIDIA's own way of linking leaves NVML's functions open until the library is loaded.
    """
    flags = "-Wl,--export-dynamic -Wl,--unresolved-symbols=ignore-in-object-files"
    return {
        "CGO_ENABLED": "1",
        "CC": _cc(),
        "CGO_LDFLAGS": flags,
        "CGO_LDFLAGS_ALLOW": "-Wl,--unresolved-symbols=.*",
    }


def _cc() -> str:
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return found
    raise ControlPlaneError("runc and NVIDIA's device plugin need a C compiler: install gcc or clang")


def _stamp(source: Path, product: str) -> Stamp:
    text = (source / "go.mod").read_text()
    version = re.search(rf"^\s*(?:require )?{re.escape(product)} v(\S+)", text, re.MULTILINE)
    go = re.search(r"^go (\S+)", text, re.MULTILINE)
    if version is None or go is None:
        raise ControlPlaneError(f"{source}/go.mod names no version of {product} or no Go version")
    return Stamp(f"{source.name}-{version[1]}", f"v{version[1]}", go[1])
