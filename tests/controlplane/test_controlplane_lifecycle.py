"""Starting and stopping: what was started is gone afterwards, whatever happened in between."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from controlplane import ControlPlane, ControlPlaneError
from controlplane.process import Process, wait_until

TESTS = Path(__file__).parents[1]


def processes_with(text: str) -> list[str]:
    """Command lines of running processes that name `text`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        if text in line:
            found.append(line)
    return found


def start_elsewhere() -> tuple[subprocess.Popen[str], Path]:
    """`python -m controlplane up` in a process of its own, and the folder of what it started."""
    owner = subprocess.Popen(
        [sys.executable, "-m", "controlplane", "up", "--nodes=1"],
        cwd=TESTS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert owner.stdout is not None
    line = owner.stdout.readline()
    assert line.startswith("export KUBECONFIG="), owner.communicate()
    return owner, Path(line.strip().partition("=")[2]).parents[1]


def test_a_stopped_control_plane_leaves_no_process_and_no_file() -> None:
    with ControlPlane(nodes=1) as plane:
        folder = plane.folder
        assert len(processes_with(str(folder))) == 5, "etcd, API server, controllers, scheduler and kwok run"
    assert processes_with(str(folder)) == []
    assert not folder.exists()


def test_killing_the_owner_ends_every_process() -> None:
    owner, folder = start_elsewhere()
    with owner:
        assert len(processes_with(str(folder))) == 5
        owner.send_signal(signal.SIGKILL)
        owner.communicate()
    assert wait_until(lambda: processes_with(str(folder)) == [], 5)
    assert folder.exists(), "nobody was left to remove it"
    with ControlPlane():
        assert not folder.exists(), "the next one removes what a killed one left"


def test_ctrl_c_ends_every_process_in_order() -> None:
    owner, folder = start_elsewhere()
    with owner:
        owner.send_signal(signal.SIGINT)
        _, errors = owner.communicate(timeout=10)
    assert owner.returncode == 0
    assert "controlplane: stopped" in errors
    assert "Traceback" not in errors
    assert processes_with(str(folder)) == []
    assert not folder.exists()


def test_two_at_once_do_not_see_each_other() -> None:
    with ControlPlane() as one, ControlPlane() as other:
        one.client.create("/api/v1/namespaces", {"metadata": {"name": "only-in-one"}})
        names = [each["metadata"]["name"] for each in other.client.get("/api/v1/namespaces")["items"]]
        assert "only-in-one" not in names
        assert set(one.servers).isdisjoint(other.servers)


def test_a_failed_start_says_which_program_and_keeps_its_log(capsys: pytest.CaptureFixture[str]) -> None:
    plane = ControlPlane(apiserver_flags=["--no-such-flag"])
    with pytest.raises(
        ControlPlaneError, match=r"(?s)kube-apiserver-0 ended with code 1; its log is .*no-such-flag"
    ):
        plane.start()
    kept = Path(capsys.readouterr().err.strip().rpartition(" ")[2])
    assert "no-such-flag" in (kept / "kube-apiserver-0.log").read_text()
    assert processes_with(str(kept.parent)) == []
    shutil.rmtree(kept.parent)


def test_a_process_outlives_the_thread_that_restarted_it(tmp_path: Path) -> None:
    process = Process("sleep", ["/bin/sleep", "60"], logs=tmp_path)

    def start_and_linger() -> None:
        process.start()
        time.sleep(0.5)  # until the launcher has asked to die with its parent

    thread = Thread(target=start_and_linger)
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert process.alive
    process.kill()
    assert process.returncode == -signal.SIGKILL
