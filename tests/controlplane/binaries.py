"""Where the control plane's programs come from: KUBEBUILDER_ASSETS, else a cache, else built from pinned modules.

Nothing is downloaded as a finished program. The Go modules in `go/<version>/` pin every byte of the source by
go.sum; what is built from them lies in the user's cache folder under the hash of these files, outside the checkout.
"""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from controlplane import build
from controlplane.errors import ControlPlaneError

__all__ = ["Binaries", "built", "cache_folder", "find", "pinned"]

MODULES = Path(__file__).with_name("go")
KUBERNETES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
KWOK = ("kwok",)
DEFAULT_VERSION = "1.36"


@dataclass(frozen=True)
class Binaries:
    """Programs by name, and the minor version of their Kubernetes (36 for 1.36)."""

    paths: dict[str, Path]
    minor: int


def find() -> Binaries:
    """All programs of one control plane; builds what is in no cache, which takes minutes the first time.

    Environment:
        KUBEBUILDER_ASSETS: a folder with etcd, kube-apiserver and kubectl (the convention of envtest), and perhaps
            the others; what it lacks is built.
        LABQUOTA_KUBERNETES: which version to run, 1.34, 1.35 or 1.36 (the default). Not used for what
            KUBEBUILDER_ASSETS has.

    Raises:
        ControlPlaneError: a named folder or version is not there, or the build failed.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    given = _assets(Path(assets)) if assets else {}
    version = _version_of(given["kube-apiserver"]) if given else os.environ.get("LABQUOTA_KUBERNETES", "")
    version = version or DEFAULT_VERSION
    paths = dict(given)
    if not set(KUBERNETES) <= set(paths):
        # An API server newer or older than what is pinned here gets the default's controllers.
        source = version if not given or (MODULES / version).is_dir() else DEFAULT_VERSION
        paths = {**_built(source, KUBERNETES), **given}
    if "kwok" not in paths:
        paths |= _built("kwok", KWOK)
    return Binaries(paths, int(version.split(".")[1]))


def pinned() -> list[str]:
    """The Kubernetes versions with modules of their own, oldest first."""
    return sorted(each.name for each in MODULES.iterdir() if re.fullmatch(r"\d+\.\d+", each.name))


def cache_folder() -> Path:
    """Where built programs and the Go toolchain are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "labquota" / "controlplane"


def _built(module: str, names: tuple[str, ...]) -> dict[str, Path]:
    source = MODULES / module
    if not (source / "go.sum").is_file():
        raise ControlPlaneError(
            f"LABQUOTA_KUBERNETES={module}: no such version is pinned here; there are {', '.join(pinned())}"
        )
    return built(source, names, build.stamp(source))


def built(
    source: Path, names: tuple[str, ...], stamp: build.Stamp, env: Mapping[str, str] | None = None
) -> dict[str, Path]:
    """Programs of the Go module in `source`, from the cache or built into it.

    Args:
        source: a folder with go.mod, go.sum and perhaps Go files: by all of these they are kept.
        names: what its tools are called.
        stamp: what the build is called.
        env: more of the compiler's environment.
    """
    digest = sha256(platform.machine().encode())
    for file in sorted(each for each in source.rglob("*") if each.is_file()):
        digest.update(file.read_bytes())
    folder = cache_folder() / f"{stamp.name}-{digest.hexdigest()[:12]}"
    if not folder.is_dir():
        build.build(source, folder, names, stamp, env)
    return {name: folder / name for name in names}


def _assets(folder: Path) -> dict[str, Path]:
    found = {name: folder / name for name in (*KUBERNETES, *KWOK) if os.access(folder / name, os.X_OK)}
    missing = [name for name in ("etcd", "kube-apiserver", "kubectl") if name not in found]
    if missing:
        raise ControlPlaneError(
            f"KUBEBUILDER_ASSETS={folder}: no program {', '.join(missing)} there; "
            "name the folder that `setup-envtest use -p path` prints, or unset it to build them"
        )
    return found


def _version_of(apiserver: Path) -> str:
    """`1.36` of "Kubernetes v1.36.3"."""
    answer = subprocess.run([apiserver, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"v(\d+\.\d+)", answer)
    if match is None:
        raise ControlPlaneError(f"{apiserver} --version does not name a version: {answer.strip()!r}")
    return match[1]
