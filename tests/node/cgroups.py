"""A cgroup of the node's own, below which its kubelet makes those of pods: in every hierarchy, of version 1 or 2.

Named after the process that owns it, so that what a killed run left can be told and removed.
"""

import contextlib
import os
import re
import secrets
import time
from pathlib import Path

__all__ = ["make", "remove", "remove_left"]

ROOT = Path("/sys/fs/cgroup")
_PREFIX = "labquota-node"


def make() -> str:
    """Make one and return its name below every hierarchy's root.

    Raises:
        OSError: this machine does not let us.
    """
    name = f"{_PREFIX}-{os.getpid()}-{secrets.token_hex(2)}"
    for root in _roots():
        folder = root / name
        folder.mkdir()
        if (root / "cpuset.cpus").exists() and (root / "tasks").exists():
            # In version 1 a group without these takes no process in.
            for file in ("cpuset.cpus", "cpuset.mems"):
                (folder / file).write_text((root / file).read_text())
        if (root / "cgroup.subtree_control").exists():
            # In version 2 each level hands controllers to the next one.
            for each in (root / "cgroup.controllers").read_text().split():
                for level in (root, folder):
                    (level / "cgroup.subtree_control").write_text(f"+{each}")
    return name


def remove(name: str, seconds: float = 10) -> None:
    """Remove one with all that is below it, once its processes have ended."""
    until = time.monotonic() + seconds
    for root in _roots():
        while (root / name).exists() and not _removed(root / name) and time.monotonic() < until:
            time.sleep(0.05)


def remove_left() -> None:
    """Remove those whose owner is gone."""
    for root in _roots():
        for each in root.glob(f"{_PREFIX}-*"):
            owner = re.fullmatch(rf"{_PREFIX}-(\d+)-.*", each.name)
            if owner and not Path(f"/proc/{owner[1]}").exists():
                _removed(each)


def _roots() -> list[Path]:
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return [each for each in sorted(ROOT.iterdir()) if each.is_dir() and not each.is_symlink()]


def _removed(folder: Path) -> bool:
    for path, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):  # a process is still ending in it
            Path(path).rmdir()
    return not folder.exists()
