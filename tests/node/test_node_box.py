"""The box in which a node runs: nothing in it reaches the machine, and nothing of it is left."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.process import wait_until
from node import cgroups, machine
from node.box import Box

TESTS = Path(__file__).parents[1]
SYSCTL = Path("/proc/sys/vm/overcommit_memory")
ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    work, logs = tmp_path / "work", tmp_path / "logs"
    work.mkdir()
    logs.mkdir()
    made = Box(work, logs)
    made.start()
    yield made
    made.stop()


def run(box: Box, script: str) -> str:
    """What a shell inside says, once it has ended."""
    process = box.inside("shell", ["/bin/sh", "-c", script], ENV)
    process.start()
    assert wait_until(lambda: not process.alive, 10)
    return process.log.read_text()


def test_what_a_kubelet_writes_into_the_kernel_does_not_reach_it(box: Box) -> None:
    before = SYSCTL.read_text()
    assert run(box, f"echo 2 > {SYSCTL}; cat {SYSCTL}") == "2\n"
    assert SYSCTL.read_text() == before


def test_its_folders_and_its_network_are_its_own(box: Box) -> None:
    mounts = Path("/proc/mounts").read_text()
    there = run(box, "echo here > /var/lib/proof; sed 1,2d /proc/net/dev | cut -d: -f1").split()
    assert sorted(there) == ["cni0", "lo"]
    assert box.path("/var/lib/proof").read_text() == "here\n"
    assert not Path("/var/lib/proof").exists()
    assert Path("/proc/mounts").read_text() == mounts


def test_its_end_ends_all_that_runs_in_it_and_removes_its_cgroup(box: Box) -> None:
    sleeping = box.inside("sleeping", ["/bin/sh", "-c", "sleep 600 & sleep 600"], ENV)
    sleeping.start()
    assert wait_until(lambda: len(box.pids()) == 4, 5), box.pids()
    pids = list(box.pids())
    box.stop()
    assert wait_until(lambda: not any(Path(f"/proc/{each}").exists() for each in pids), 5)
    assert not list(cgroups.ROOT.rglob(box.cgroup))


def test_who_is_killed_with_a_box_leaves_no_process_and_the_next_one_removes_its_cgroup(
    tmp_path: Path,
) -> None:
    for name in ("work", "logs"):
        (tmp_path / name).mkdir()
    script = (
        "import sys, time; from pathlib import Path; from node.box import Box\n"
        "box = Box(Path(sys.argv[1]), Path(sys.argv[2])); box.start()\n"
        "print(box.first, box.cgroup, flush=True); time.sleep(600)"
    )
    argv = [sys.executable, "-c", script, str(tmp_path / "work"), str(tmp_path / "logs")]
    with subprocess.Popen(argv, cwd=TESTS, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        first, cgroup = owner.stdout.readline().split()
        owner.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not Path(f"/proc/{first}").exists(), 5)
    cgroups.remove_left()
    assert not list(cgroups.ROOT.rglob(cgroup))


def test_a_machine_that_forbids_a_node_is_told_why_in_one_line() -> None:
    command = ["unshare", "--user", sys.executable, "-m", "node"]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "node: no real node on this machine: namespaces, mounts and cgroups of a node need root: run it as root\n"
    )


def test_programs_that_the_nodes_own_folders_would_hide_are_named() -> None:
    hidden = Path("/var/lib/ci/checkout")
    assert machine.lacks(hidden) == f"{hidden} lies where the node has folders of its own: put it elsewhere"
