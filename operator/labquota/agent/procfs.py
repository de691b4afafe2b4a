"""Processes of the node, as its /proc shows them to anybody."""

from pathlib import Path
from typing import NamedTuple

from labquota.agent.cgroups import Place, place


class Running(NamedTuple):
    """A process that runs."""

    command: str
    place: Place


class Processes:
    """The node's processes.

    Args:
        folder: Where the host's /proc is; the agent's own shows them where it runs in the host's PID namespace.
    """

    def __init__(self, folder: str = "/proc") -> None:
        self._folder = Path(folder)

    def find(self, pid: int) -> Running | None:
        """A process; None where there is none of that id any more."""
        own = self._folder / str(pid)
        command = _read(own / "comm")
        cgroup = _read(own / "cgroup")
        if command is None and cgroup is None:
            return Running("", Place()) if own.exists() else None
        return Running((command or "").strip(), place(cgroup or ""))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has ended, or a mount hides the processes of others (hidepid)
        return None
