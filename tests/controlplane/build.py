"""Builds the programs of one pinned Go module into a cache folder: once, whole or not at all, with progress.

A cold build of Kubernetes takes about ten minutes on two cores; a few lines a minute say how far it is.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from controlplane import toolchain
from controlplane.errors import ControlPlaneError

__all__ = ["Stamp", "build", "stamp"]

EVERY = 15.0
"""Seconds between two lines of progress."""


class Stamp(NamedTuple):
    """What a build is called and which version its programs say they are."""

    name: str
    version: str
    go: str


def stamp(source: Path) -> Stamp:
    """Read name, version ("v1.36.3") and the least Go ("1.26.0") from a go.mod."""
    text = (source / "go.mod").read_text()
    product = "k8s.io/kubernetes" if "k8s.io/kubernetes/cmd" in text else "sigs.k8s.io/kwok"
    version = re.search(rf"^\s*{re.escape(product)} (v\S+)", text, re.MULTILINE)
    go = re.search(r"^go (\S+)", text, re.MULTILINE)
    if version is None or go is None:
        raise ControlPlaneError(f"{source}/go.mod names no version of {product} or no Go version")
    return Stamp(f"{product.rsplit('/', 1)[1]}-{version[1].removeprefix('v')}", version[1], go[1])


def build(
    source: Path,
    folder: Path,
    names: tuple[str, ...],
    what: Stamp,
    more: Mapping[str, str] | None = None,
) -> None:
    """Build the tools of the module in `source` into `folder`, unless another process has just done so.

    `more` is added to the compiler's environment.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_name(f"{folder.name}.lock"), what.name):
        if folder.is_dir():
            return
        began = time.monotonic()
        _say(f"building {what.name} from Go modules; once, then it is kept in {folder.parent}")
        go, env = toolchain.find(what.go, folder.parent)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as name:
            out = Path(name) / folder.name
            _compile(go, {**env, **(more or {})}, source, out, what)
            if (out / "server").exists():
                (out / "server").rename(out / "etcd")  # etcd's main package is called server
            missing = [each for each in names if not (out / each).exists()]
            if missing:
                raise ControlPlaneError(f"building {what.name}: {', '.join(missing)} did not come out of it")
            out.rename(folder)
        _say(f"built {what.name} in {_clock(began)}")


def _compile(go: Path, env: dict[str, str], source: Path, out: Path, what: Stamp) -> None:
    flags = ["-trimpath", "-buildvcs=false", "-mod=readonly"]
    command = [str(go), "build", "-v", *flags, "-ldflags", _ldflags(what), "-o", f"{out}{os.sep}", "tool"]
    out.mkdir()
    began = last = time.monotonic()
    fetched = compiled = 0
    tail: list[str] = []
    with subprocess.Popen(command, cwd=source, env=env, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            tail = [*tail[-19:], line.rstrip()]
            fetched += line.startswith("go: downloading")
            compiled += not line.startswith("go: ")
            if time.monotonic() - last > EVERY:
                last = time.monotonic()
                _say(f"  {_clock(began)}  {fetched} modules fetched, {compiled} packages compiled")
    if running.returncode:
        raise ControlPlaneError(f"building {what.name} failed; go said:\n" + "\n".join(tail))


def _ldflags(what: Stamp) -> str:
    """Version stamps: without them kubectl and clients fail on "v0.0.0-master+$Format:%H$"."""
    major, minor = what.version.removeprefix("v").split(".")[:2]
    values = {
        "gitVersion": what.version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    packages = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]
    if not what.name.startswith("kube"):
        packages, values = [], {}
    stamps = [f"-X {package}.{key}={value}" for package in packages for key, value in values.items()]
    return " ".join(["-s", "-w", *stamps])


@contextmanager
def _alone(lock: Path, what: str) -> Iterator[None]:
    with lock.open("wb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            _say(f"another process is building {what}; waiting for it")
            fcntl.flock(held, fcntl.LOCK_EX)
        for left in lock.parent.glob(".building-*"):  # of a build that was killed
            if left.joinpath(lock.stem).exists():
                shutil.rmtree(left, ignore_errors=True)
        yield


def _clock(began: float) -> str:
    return "{}:{:02d}".format(*divmod(int(time.monotonic() - began), 60))


def _say(line: str) -> None:
    print(f"controlplane: {line}", file=sys.stderr, flush=True)
