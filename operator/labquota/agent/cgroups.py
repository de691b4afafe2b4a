"""In which pod and container a process runs, by the path of its cgroup.

    v2, systemd   /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<UID>.slice/cri-containerd-<ID>.scope
    v2, cgroupfs  /kubepods/burstable/pod<UID>/<ID>
    v1            the same, once for each controller
    a namespace   the same behind `/../..`: relative to the cgroup of whoever reads it
    below it      the same with more behind it, made by the container itself

systemd's names have "_" for the "-" of a UID. A static pod's UID is a hash without "-".
"""

import re
from typing import Final, NamedTuple

_UID: Final = "[0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32}"
_POD: Final = re.compile(rf"[-/]pod({_UID})(?:\.slice)?(?=[/:]|$)")
_CONTAINER: Final = re.compile(r"[/:](?:[a-z-]+[-:])?([0-9a-f]{64})(?:\.scope)?(?=/|$)")
_PREFERRED: Final = ("", "devices", "memory", "pids", "cpu,cpuacct", "name=systemd")
"""Whose path counts in v1, best first; "" is v2's. `cpuset` and others may be missing in a container."""


class Run(NamedTuple):
    """A pod and its container; the container's id at the runtime is empty where the path does not say it."""

    pod: str
    container: str = ""


class Place(NamedTuple):
    """Where a process runs.

    Attributes:
        path: Of its cgroup; empty where that cannot be read.
        runs: The pods that the path names, outermost first. More than one: a kubelet that runs in a pod itself, or a
            container that gives a cgroup below its own such a name. So the first that exists is meant.
    """

    path: str = ""
    runs: tuple[Run, ...] = ()


def place(text: str) -> Place:
    """Read a process's `cgroup` file in /proc."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if number.isdecimal() and colon:
            paths.setdefault(controllers, path)
    found = [of_path(path) for path in _sorted(paths)]
    return next((each for each in found if each.runs), found[0] if found else Place())


def of_path(path: str) -> Place:
    """What one path says."""
    runs = []
    for pod in _POD.finditer(path):
        container = _CONTAINER.match(path, pod.end())
        runs.append(Run(pod[1].replace("_", "-"), container[1] if container else ""))
    return Place(path, tuple(runs))


def _sorted(paths: dict[str, str]) -> list[str]:
    first = [paths[each] for each in _PREFERRED if each in paths]
    return first + [path for controllers, path in paths.items() if controllers not in _PREFERRED]
