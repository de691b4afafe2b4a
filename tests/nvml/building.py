"""Our `libnvidia-ml.so.1`: compiled once by the system's C compiler, else by the one in the PyPI package `ziglang`.

It lies in the user's cache folder under the hash of its sources, in a folder of its own, for LD_LIBRARY_PATH.
"""

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from nvml import table

__all__ = ["CURRENT", "R470", "R510", "BuildError", "Library", "library"]

SOURCE = Path(__file__).with_name("source")
ZIGLANG = "0.15.1"
FLAGS = (
    "-shared", "-fPIC", "-O2", "-std=c11", "-D_GNU_SOURCE", "-fvisibility=hidden", "-Wall", "-Wextra",
)  # fmt: skip


class BuildError(Exception):
    """There is no C compiler, or it does not take the sources."""


@dataclass(frozen=True)
class Library:
    """Which driver's library to be."""

    name: str
    without: tuple[str, ...] = ()
    """Functions that it does not have: a look-up of their names finds nothing."""


CURRENT = Library("current")
R510 = Library(
    "R510",
    (
        "nvmlDeviceGetGpuInstanceProfileInfoV",
        "nvmlDeviceGetGpuInstanceProfileInfoByIdV",
        "nvmlGpuInstanceGetComputeInstanceProfileInfoV",
    ),
)
"""Profiles in version 1 alone: without their names."""
R470 = Library(
    "R470",
    (
        *R510.without,
        "nvmlDeviceGetMemoryInfo_v2",
        "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlDeviceGetGraphicsRunningProcesses_v3",
        "nvmlDeviceGetMPSComputeRunningProcesses_v3",
    ),
)
"""Older still: memory in version 1 and processes in version 2 alone."""


def library(variant: Library = CURRENT) -> Path:
    """The folder with `libnvidia-ml.so.1`; builds it if it is in no cache, in about a second.

    Raises:
        BuildError: nothing here can compile it.
    """
    source = {
        path.name: path.read_bytes()
        for path in sorted(SOURCE.iterdir())
        if path.suffix in {".c", ".h", ".inc"}
    }
    source["models.inc"] = table.models().encode()
    source["exports.map"] = _exports(variant).encode()
    digest = sha256(platform.machine().encode())
    for name, text in source.items():
        digest.update(name.encode() + b"\0" + text + b"\0")
    digest.update(" ".join(FLAGS).encode())
    cache = _cache_folder()
    folder = cache / f"{variant.name}-{digest.hexdigest()[:12]}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "building.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                _build(source, folder)
    return folder


def _build(source: dict[str, bytes], folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as name:
        work = Path(name)
        for file, text in source.items():
            (work / file).write_bytes(text)
        built = work / "built"
        built.mkdir()
        done = subprocess.run(
            [
                *_compiler(folder.parent),
                *FLAGS,
                "-Wl,-soname,libnvidia-ml.so.1",
                "-Wl,--version-script,exports.map",
                *sorted(file for file in source if file.endswith(".c")),
                "-o",
                str(built / "libnvidia-ml.so.1"),
                "-lpthread",
            ],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildError(f"the NVML library does not compile:\n{done.stderr.strip()[-4000:]}")
        built.rename(folder)


def _compiler(cache: Path) -> list[str]:
    """The first of the system's compilers that works, with headers and linker; else ziglang's."""
    for name in ("cc", "gcc", "clang"):
        if (found := shutil.which(name)) and _works(found):
            return [found]
    root = cache / f"ziglang-{ZIGLANG}"
    if not root.is_dir():
        _install(root)
    return [str(root / "ziglang" / "zig"), "cc"]


def _works(compiler: str) -> bool:
    command = [compiler, *FLAGS, "-x", "c", "-", "-o", "/dev/null"]
    return not subprocess.run(
        command, input=b"#include <pthread.h>\n", capture_output=True, check=False
    ).returncode


def _install(root: Path) -> None:
    print(f"nvml: no C compiler here; installing ziglang {ZIGLANG}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".installing-") as name:
        target = Path(name) / "root"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
        done = subprocess.run(
            [*pip, "--no-compile", "--target", str(target), f"ziglang=={ZIGLANG}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildError(
                "no C compiler: install gcc or clang from your distribution or let pip reach a registry with "
                f"ziglang {ZIGLANG}; pip said:\n{done.stderr.strip()[-2000:]}"
            )
        target.rename(root)


def _exports(variant: Library) -> str:
    """A linker's version script: all NVML functions but those that the variant lacks."""
    hidden = "".join(f" {name};" for name in variant.without)
    return f"{{ global: nvml*; local:{hidden} *; }};\n"


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "labquota" / "nvml"
