"""Writes the Go modules that pin a Kubernetes version: `python -m controlplane.pin 1.36.3 [ETCD]`.

Kubernetes replaces its own libraries by folders of its repository; outside it each needs the published version of the
same release. `go mod tidy` then writes a go.sum with the hash of every module that is built in. Without a version of
etcd, the one that this Kubernetes is itself built with.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from controlplane import binaries
from controlplane.errors import ControlPlaneError

__all__ = ["go_mod"]

GO = r"^go (\S+)"
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")


def main() -> int:
    """Write go.mod and go.sum; 1 with one line to stderr if that fails."""
    parser = argparse.ArgumentParser(prog="python -m controlplane.pin", description=__doc__)
    parser.add_argument("kubernetes", help="version of Kubernetes, such as 1.36.3")
    parser.add_argument("etcd", nargs="?", help="version of etcd, such as 3.6.16")
    chosen = parser.parse_args()
    try:
        pin(chosen.kubernetes.removeprefix("v"), chosen.etcd)
    except ControlPlaneError as error:
        print(f"pin: {error}", file=sys.stderr)
        return 1
    return 0


def pin(kubernetes: str, etcd: str | None) -> None:
    """Download the module's own go.mod, write ours, and let Go fill in the rest."""
    listed = json.loads(_go(Path.cwd(), "mod", "download", "-json", f"k8s.io/kubernetes@v{kubernetes}"))
    upstream = Path(listed["GoMod"]).read_text()
    folder = binaries.MODULES / ".".join(kubernetes.split(".")[:2])
    folder.mkdir(exist_ok=True)
    (folder / "go.mod").write_text(go_mod(upstream, kubernetes, etcd))
    _go(folder, "mod", "tidy")
    print(f"pin: wrote {folder}/go.mod and go.sum; `python -m controlplane build` builds from them")


def go_mod(upstream: str, kubernetes: str, etcd: str | None) -> str:
    """Our go.mod, before `go mod tidy`, for a version of Kubernetes whose own is `upstream`."""
    minor = ".".join(kubernetes.split(".")[:2])
    etcd = etcd or _find(r"go\.etcd\.io/etcd/client/v3 v(\S+)", upstream)
    staging = "v0." + kubernetes.split(".", 1)[1]
    replaced = sorted(set(re.findall(r"^\s*(k8s\.io/[\w.-]+) => \./staging", upstream, re.MULTILINE)))
    blocks: dict[str, list[str]] = {
        "tool": [*(f"k8s.io/kubernetes/cmd/{each}" for each in PROGRAMS), "go.etcd.io/etcd/server/v3"],
        "require": [f"k8s.io/kubernetes v{kubernetes}", f"go.etcd.io/etcd/server/v3 v{etcd}"],
        "replace": [f"{each} => {each} {staging}" for each in replaced],
    }
    head = (
        f"// Pins every byte of the Kubernetes {minor} control plane that demo, tests and benchmark run.\n"
        f"// Maintained by `python -m controlplane.pin {kubernetes} {etcd}`.\n"
        f"module labquota.dev/tests/controlplane/{minor}\n\ngo {_find(GO, upstream)}\n"
    )
    return head + "".join(f"\n{key} (\n\t" + "\n\t".join(lines) + "\n)\n" for key, lines in blocks.items())


def _find(pattern: str, text: str) -> str:
    match: Any = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise ControlPlaneError(
            f"the go.mod of Kubernetes has nothing like {pattern!r}; has its form changed?"
        )
    return str(match[1])


def _go(folder: Path, *args: str) -> str:
    done = subprocess.run(["go", *args], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ControlPlaneError(f"go {' '.join(args)} failed in {folder}: {done.stderr.strip()[-1000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
