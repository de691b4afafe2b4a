"""The demo, played as `make demo` plays it, and played on a labquota that was broken on purpose."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo import acts, gpunodes, gpus
from demo.__main__ import main
from demo.stage import Stage

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _logs_of_broken_demos_go_with_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_the_demo_plays_the_main_job_and_stays_until_ctrl_c_if_it_is_kept(tmp_path: Path) -> None:
    with _demo(tmp_path, KEEP="1") as demo:
        told = _lines_until(demo, "export KUBECONFIG=")
        env = dict(word.split("=", 1) for word in told[-1].split()[1:])
        kubectl = [env["PATH"].partition(":")[0] + "/kubectl", f"--kubeconfig={env['KUBECONFIG']}"]
        table = subprocess.check_output([*kubectl, "get", "ownerusage"], text=True)
        more = [*kubectl, "--context=rita", "-n", "vision", "run", "more", "--image=none"]
        refused = subprocess.run(more, capture_output=True, text=True, check=False)
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=60)
    assert demo.returncode == 0, out + err
    out = "".join([*told, out])
    for line in (
        "all acts went as they should",
        "100 x created",
        "100 x 403 AGGREGATE_GPU_QUOTA_EXCEEDED",
        "USER_AT_LIMIT: user:frank asked gpu 5 for one pod, at most 4 GPU units each",
        "GPU_NOT_REQUESTED: container peek sets NVIDIA_VISIBLE_DEVICES",
        "Missing no longer holds: InInventory",
    ):
        assert line in out
    for line in _shown_in_readme():
        assert line in " ".join(out.split()), f"README shows {line!r}, and the demo no longer does"
    assert "user:sam" in table
    assert "REQUEST_REQUIRED: requests.cpu is limited for user:rita" in refused.stderr
    assert out.rstrip().endswith("everything is stopped")
    assert err == ""
    assert "\x1b" not in out, "colours are for terminals"
    assert _left(tmp_path) == []


def test_a_demo_that_is_not_kept_ends_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([acts.groups]) == 0
    out = capsys.readouterr().out
    assert "all acts went as they should" in out
    assert out.rstrip().endswith("everything is stopped")


def test_a_demo_without_a_webhook_says_what_it_expected_and_what_came(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def breaks(stage: Stage) -> None:
        for number in range(2):
            stage.installed.webhook(number).kill()

    assert main([acts.groups, breaks, acts.student]) == 1
    out = capsys.readouterr().out
    assert 'demo: "student" did not go as it should' in out
    assert "expected: alice's `kubectl -n vision create -f evaluate.yaml` to be refused and to say" in out
    assert "came:     exit code 0, without 'denied the request'" in out


def test_a_demo_that_gives_nothing_back_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    def breaks(stage: Stage) -> None:
        stage.wait_used("user:alice", "3/3")
        stage.installed.operator().kill()

    assert main([acts.groups, acts.student, breaks, acts.deletion]) == 1
    out = capsys.readouterr().out
    assert "expected: the budget of user:alice to show 2/3 GPUs within 3 s" in out
    assert "came:     it shows 3/3" in out


def test_a_demo_whose_agent_is_gone_does_not_find_the_drift_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def breaks(stage: Stage) -> None:
        stage.gpu_nodes[gpunodes.WHOLE].process.kill()

    assert main([acts.groups, gpus.nodes, gpus.one_gpu, gpus.holders, breaks, gpus.drift]) == 1
    out = capsys.readouterr().out
    assert 'demo: "drift" did not go as it should' in out
    assert "--for=condition=Missing` to succeed and to say 'condition met'" in out
    assert "timed out waiting for the condition" in out


@contextmanager
def _demo(folder: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m demo` with all that it writes in `folder`."""
    paths = os.pathsep.join([str(ROOT / "operator"), str(ROOT / "tests")])
    env = {**os.environ, "PYTHONPATH": paths, "TMPDIR": str(folder), **env}
    command = [sys.executable, "-m", "demo"]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        try:
            yield demo
        finally:
            demo.kill()


def _lines_until(demo: subprocess.Popen[str], text: str) -> list[str]:
    assert demo.stdout is not None
    told = []
    for line in demo.stdout:
        told.append(line)
        if text in line:
            return told
    raise AssertionError(f"no line with {text!r} in:\n{''.join(told)}")


def _shown_in_readme() -> list[str]:
    """The lines of README's transcript, in parts where ids are left out, without the age that ends a table's row."""
    section = (ROOT / "README.md").read_text().split("## What it looks like")[1].split("\n## ")[0]
    lines = [" ".join(line.split()) for line in section.splitlines() if line.startswith("    ")]
    assert len(lines) > 10
    whole = [re.sub(r" \d+s$", "", line) for line in lines]
    return [part.strip() for line in whole for part in line.split("…") if part.strip()]


def _left(folder: Path) -> list[str]:
    """Processes that still run with a file of `folder` in their arguments, and folders of planes and nodes in it."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        found = [each.name for kind in ("labquota-controlplane-*", "lq-*") for each in folder.glob(kind)]
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                argv = each.read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(folder) in argv:
                found.append(argv.replace("\0", " "))
        if not found:
            return []
        time.sleep(0.1)
    return found
