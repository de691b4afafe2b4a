"""Namespaces in which a node's programs run: begun once, entered by each, and ended with all that is in them."""

import itertools
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from controlplane import ControlPlaneError, Process
from controlplane.process import wait_until
from node import cgroups, settings

__all__ = ["Box"]

_HERE = Path(__file__).parent
_OWN = {"run": "/run", "lib": "/var/lib", "log": "/var/log"}
"""Folders of the node's own, and where they lie inside: the paths of some sockets cannot be chosen."""
_SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What a kubelet writes into the kernel of its machine: here into files that lie over them."""


class Box:
    """Mounts, network and processes of a node's own, and a cgroup for its pods.

    Args:
        work: an empty folder for everything that is written.
        logs: the folder for the logs of what runs in it.

    Attributes:
        cgroup: the name of its cgroup, in every hierarchy.
        processes: those that were made here, in order.
    """

    def __init__(self, work: Path, logs: Path) -> None:
        self.work, self._logs = work, logs
        self.cgroup = ""
        self.processes: dict[str, Process] = {}

    def start(self) -> None:
        """Begin the namespaces and furnish them.

        Raises:
            ControlPlaneError: they are not furnished in time, with the reason.
        """
        self.cgroup = cgroups.make()
        ready = self.work / "ready"
        spec = {"binds": self._binds(), "address": settings.ADDRESS, "ready": str(ready)}
        flags = ["--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
        first = [sys.executable, "-I", "-S", str(_HERE / "inside.py"), json.dumps(spec)]
        argv = [_program("unshare"), *flags, *first]
        outer = self.outside("node", argv, ready=ready.exists)
        outer.start()
        outer.wait_ready(20)
        if not wait_until(lambda: bool(_children(outer.pid)), 5):
            raise ControlPlaneError(f"the node's first process is not to be found; see {outer.log}")
        self.first = _children(outer.pid)[0]

    def stop(self) -> None:
        """End everything in it at once, and remove its cgroup."""
        for process in reversed(self.processes.values()):
            process.kill()
        self.processes.clear()
        if self.cgroup:
            cgroups.remove(self.cgroup)

    def outside(self, name: str, argv: list[str], ready: Callable[[], bool] = lambda: True) -> Process:
        """A process that belongs to the node and runs outside of it; not started yet."""
        self.processes[name] = Process(name, argv, logs=self._logs, ready=ready)
        return self.processes[name]

    def inside(
        self, name: str, argv: list[str], env: Mapping[str, str], ready: Callable[[], bool] = lambda: True
    ) -> Process:
        """A process in the namespaces; not started yet."""
        outer = [sys.executable, "-I", "-S", str(_HERE / "enter.py"), str(self.first), *argv]
        self.processes[name] = Process(name, outer, logs=self._logs, env=env, ready=ready)
        return self.processes[name]

    def path(self, inside: str) -> Path:
        """Where a file of the node's own folders lies outside."""
        for name, where in _OWN.items():
            if inside.startswith(f"{where}/"):
                return self.work / name / inside.removeprefix(f"{where}/")
        return Path(inside)

    def child(self, name: str) -> int:
        """The id out here of a program in the namespaces, which is a child of what entered them."""
        return _children(self.processes[name].pid)[0]

    def pids(self) -> dict[int, int]:
        """Every process of the node and of its pods: its id out here, and in the node's own numbering."""
        namespace = Path(f"/proc/{self.first}/ns/pid").readlink()
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self._is_ours(entry, namespace):
                    lines = (entry / "status").read_text().splitlines()
                    found[int(entry.name)] = int(
                        next(each for each in lines if each.startswith("NSpid:")).split()[2]
                    )
            except OSError:  # it has just ended
                continue
        return found

    def _is_ours(self, process: Path, namespace: Path) -> bool:
        """A container's processes have a namespace of their own, below ours, and a cgroup below ours."""
        if (process / "ns/pid").readlink() == namespace:
            return True
        return f"/{self.cgroup}/" in (process / "cgroup").read_text()

    def _binds(self) -> list[tuple[str, str]]:
        for name in _OWN:
            (self.work / name).mkdir()
        binds = [(str(self.work / name), where) for name, where in _OWN.items()]
        for name, value in _SYSCTLS.items():
            target = Path("/proc/sys") / name
            if target.exists():
                file = self.work / name.replace("/", "-")
                file.write_text(f"{value}\n")
                binds.append((str(file), str(target)))
        driver = self.work / "driver"
        (driver / "nvidia-caps").mkdir(parents=True)
        (driver / "nvidia-caps" / "mig-minors").write_text(_mig_minors())
        return [*binds, (str(driver), "/proc/driver")]


def _mig_minors() -> str:
    """The driver's list of device numbers for all that a GPU may ever be cut into, in use or not."""
    names = ["config", "monitor"]
    for gpu, instance in itertools.product(range(8), range(15)):
        where = f"gpu{gpu}/gi{instance}"
        names += [f"{where}/access", *(f"{where}/ci{number}/access" for number in range(8))]
    return "".join(f"{name} {number}\n" for number, name in enumerate(names, start=1))


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "stat").read_text().rpartition(")")[2].split()[1] == str(
                pid
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ControlPlaneError(f"no program {name} here")
    return found
