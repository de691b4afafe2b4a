"""What a machine must have and allow for a node in a box, said in one line where it does not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from node import cgroups

__all__ = ["lacks"]

_HIDDEN = (Path("/run"), Path("/var/lib"), Path("/var/log"))
"""Folders that are the node's own inside its namespaces."""


def lacks(*needed: Path) -> str | None:
    """Why no node can run here, in one line; None where one can.

    Args:
        needed: folders that must stay visible inside its namespaces.
    """
    if sys.platform != "linux":
        return f"a kubelet runs on Linux, and this is {sys.platform}"
    if os.geteuid() != 0:
        return "namespaces, mounts and cgroups of a node need root: run it as root"
    missing = [each for each in ("mount", "unshare") if shutil.which(each) is None]
    if missing:
        return f"no program {' and '.join(missing)} here: install util-linux"
    hidden = [each for each in needed for top in _HIDDEN if each.resolve().is_relative_to(top)]
    if hidden:
        return f"{hidden[0]} lies where the node has folders of its own: put it elsewhere"
    return _namespaces() or _cgroups()


def _namespaces() -> str | None:
    flags = ["--mount", "--net", "--pid", "--fork", "--mount-proc"]
    done = subprocess.run(["unshare", *flags, "true"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    said = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
    return f"root may not make namespaces and mounts here: {said}"


def _cgroups() -> str | None:
    try:
        cgroups.remove_left()
        cgroups.remove(cgroups.make())
    except OSError as error:
        return f"root may not make cgroups here: {error}"
    return None
