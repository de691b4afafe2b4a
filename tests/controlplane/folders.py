"""Working folders, named after the process that owns them, so that what a killed run left can be told and removed."""

import os
import re
import shutil
import tempfile
from pathlib import Path

__all__ = ["keep", "make"]

_PREFIX = "labquota-controlplane"
_KEPT = "kept"


def make() -> Path:
    """A new folder with `logs` and `users` in it; folders of dead owners go, unless their logs were to be kept."""
    temporary = Path(tempfile.gettempdir())
    for old in temporary.glob(f"{_PREFIX}-*"):
        owner = re.fullmatch(rf"{_PREFIX}-(\d+)-.*", old.name)
        if owner and not (old / _KEPT).exists() and not Path(f"/proc/{owner[1]}").exists():
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getpid()}-"))
    for name in ("logs", "users"):
        (folder / name).mkdir()
    return folder


def keep(folder: Path) -> None:
    """Let a folder outlive its owner."""
    (folder / _KEPT).touch()
