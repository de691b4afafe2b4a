"""Paths of cgroups as hosts show them, and the pods and containers that they name."""

from pathlib import Path

import pytest

from labquota.agent import cgroups, procfs
from labquota.agent.cgroups import Place, Run

UID = "3a7b1a7e-0c1d-4f6b-9d2e-5f8a1b2c3d4e"
FLAT = UID.replace("-", "_")
STATIC = "0123456789abcdef0123456789abcdef"
OTHER = "ffffffff-0c1d-4f6b-9d2e-5f8a1b2c3d4e"
BOX = "8c" * 32
SLICE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{FLAT}.slice"


@pytest.mark.parametrize(
    ("path", "runs"),
    [
        (f"{SLICE}/cri-containerd-{BOX}.scope", [Run(UID, BOX)]),
        (f"{SLICE}/crio-{BOX}.scope/container", [Run(UID, BOX)]),
        (f"{SLICE}/docker-{BOX}.scope", [Run(UID, BOX)]),
        (f"/kubepods.slice/kubepods-pod{FLAT}.slice/cri-containerd-{BOX}.scope", [Run(UID, BOX)]),
        (f"/kubepods/burstable/pod{UID}/{BOX}", [Run(UID, BOX)]),
        (f"/kubepods/pod{UID}/{BOX}", [Run(UID, BOX)]),
        (f"/kubepods/besteffort/pod{UID}/crio-{BOX}", [Run(UID, BOX)]),
        (f"/kubepods/besteffort/pod{STATIC}/{BOX}", [Run(STATIC, BOX)]),
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/cri-containerd-{BOX}.scope",
            [Run(STATIC, BOX)],
        ),
        # containerd told to use cgroupfs under a kubelet that uses systemd
        (
            f"/system.slice/containerd.service/kubepods-besteffort-pod{FLAT}.slice:cri-containerd:{BOX}",
            [Run(UID, BOX)],
        ),
        # an agent in a cgroup namespace of its own sees others relative to itself
        (
            f"/../../../kubepods-burstable.slice/kubepods-burstable-pod{FLAT}.slice/cri-containerd-{BOX}.scope",
            [Run(UID, BOX)],
        ),
        (f"/../../pod{UID}/{BOX}", [Run(UID, BOX)]),
        # --cgroup-root=/lab
        (
            f"/lab.slice/lab-kubepods.slice/lab-kubepods-burstable.slice/lab-kubepods-burstable-pod{FLAT}.slice/cri-containerd-{BOX}.scope",
            [Run(UID, BOX)],
        ),
        # systemd in the container
        (f"{SLICE}/cri-containerd-{BOX}.scope/system.slice/job.service", [Run(UID, BOX)]),
        # a kubelet in a pod, and a container that names a cgroup of its own like another pod's
        (f"/kubepods/pod{UID}/{BOX}/kubepods/pod{OTHER}/{BOX}", [Run(UID, BOX), Run(OTHER, BOX)]),
        (f"/kubepods/pod{UID}/pod{OTHER}", [Run(UID), Run(OTHER)]),
        (SLICE, [Run(UID)]),
        ("/", []),
        ("/user.slice/user-1000.slice/session-4.scope", []),
        ("/system.slice/docker-" + BOX + ".scope", []),
        (f"/kubepods/burstable/pod{UID}x/{BOX}", []),
        ("/kubepods/burstable/pod1234/main", []),
        ("/user.slice/podman-1234.scope", []),
    ],
)
def test_a_path_names_the_pod_and_the_container(path: str, runs: list[Run]) -> None:
    assert cgroups.of_path(path) == Place(path, tuple(runs))


def test_in_the_first_version_the_hierarchies_say_the_same_and_one_with_a_pod_counts() -> None:
    path = f"/kubepods/burstable/pod{UID}/{BOX}"
    lines = "12:cpuset:/", f"11:memory:{path}", "10:devices:/", f"4:cpu,cpuacct:{path}", "0::/system.slice"
    text = "\n".join([*lines, f"1:name=systemd:{path}", ""])
    assert cgroups.place(text) == Place(path, (Run(UID, BOX),))


def test_in_the_second_version_there_is_one_line() -> None:
    path = f"{SLICE}/cri-containerd-{BOX}.scope"
    assert cgroups.place(f"0::{path}\n") == Place(path, (Run(UID, BOX),))


def test_a_process_outside_of_pods_keeps_its_path_as_evidence() -> None:
    assert cgroups.place("0::/user.slice/user-1000.slice\n") == Place("/user.slice/user-1000.slice")


@pytest.mark.parametrize("text", ["", "\n", "nonsense\n", "x:y\n"])
def test_what_is_no_cgroup_file_names_nothing(text: str) -> None:
    assert cgroups.place(text) == Place()


def test_processes_are_read_where_the_hosts_proc_is_mounted(tmp_path: Path) -> None:
    own = tmp_path / "4242"
    own.mkdir()
    (own / "comm").write_text("python3\n")
    (own / "cgroup").write_text(f"0::{SLICE}/cri-containerd-{BOX}.scope\n")
    found = procfs.Processes(str(tmp_path)).find(4242)
    assert found is not None
    assert found.command == "python3"
    assert found.place.runs == (Run(UID, BOX),)


def test_a_process_that_has_ended_is_none_and_one_that_is_hidden_is_nameless(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    processes = procfs.Processes(str(tmp_path))
    assert processes.find(8) is None
    assert processes.find(7) == procfs.Running("", Place())
