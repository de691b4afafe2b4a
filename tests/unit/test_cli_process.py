"""How the program behaves as a process: flags, errors, pipes, colours, completion."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness import manifests
from labquota_process import PROGRAM, SAMPLES, environment, error, run


def kubeconfig(folder: Path, server: str = "http://127.0.0.1:1") -> dict[str, str]:
    """The environment of a person whose cluster is nowhere."""
    path = folder / "config"
    cluster = {"name": "a", "cluster": {"server": server}}
    context = {"name": "a", "context": {"cluster": "a"}}
    path.write_text(yaml.safe_dump({"clusters": [cluster], "contexts": [context], "current-context": "a"}))
    return {"KUBECONFIG": str(path)}


@pytest.mark.parametrize("command", [("limits",), ("usage",), ("explain", "train")])
def test_without_a_cluster_commands_end_with_one_line_and_3(command: tuple[str, ...], tmp_path: Path) -> None:
    assert error(*command, code=3) == (
        "no cluster to talk to: there is no kubeconfig at ~/.kube/config. Set KUBECONFIG or pass --kubeconfig."
    )
    assert error(*command, code=3, env=kubeconfig(tmp_path)) == (
        "the API server http://127.0.0.1:1 does not answer: [Errno 111] Connection refused"
    )
    wrong = error(*command, "--context", "b", code=3, env=kubeconfig(tmp_path))
    assert wrong.startswith(f"cannot use the credentials in {tmp_path}/config: ")


def test_a_server_that_never_answers_is_given_up_after_the_request_timeout(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        line = error("limits", "--request-timeout", "500ms", code=3, env=kubeconfig(tmp_path, url))
    assert line == f"the API server {url} does not answer within 0.5 s"


def test_as_group_needs_as() -> None:
    assert (
        error("limits", "--as-group", "x", code=2) == "--as-group needs --as: say which user is in the group"
    )


def test_version_needs_no_cluster() -> None:
    assert run("version", "--client").stdout == "labquota 0.1.0 (labquota.dev/v1alpha1)\n"
    done = run("version")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].startswith("cluster: unknown: no cluster to talk to")


def test_under_kubectl_the_usage_line_says_so(tmp_path: Path) -> None:
    plugin = tmp_path / "kubectl-labquota"
    plugin.write_text("from labquota.cli.main import main\nmain()\n")
    done = subprocess.run(
        [sys.executable, str(plugin), "limits", "--help"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=60,
    )
    assert done.stdout.startswith("Usage: kubectl labquota limits [OPTIONS] [OWNER]")


def test_a_closed_pipe_is_quiet() -> None:
    with subprocess.Popen(
        [*PROGRAM, "limits", "alice", "--config", SAMPLES],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")


def test_ctrl_c_is_quiet(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = kubeconfig(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
        with subprocess.Popen(
            [*PROGRAM, "usage"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(env)
        ) as process:
            accepted, _ = silent.accept()  # it is waiting for an answer now
            process.send_signal(signal.SIGINT)
            out, said = process.communicate(timeout=30)
            accepted.close()
    assert (process.returncode, out, said.strip()) == (130, b"", b"")


def test_there_is_no_colour_without_a_terminal() -> None:
    pod = yaml.safe_dump(manifests.pod("train", cpu=1, memory="1Gi", gpu=9))
    done = run("explain", "-f", "-", "--config", SAMPLES, "--as", "alice", stdin=pod)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colour_unless_no_color_is_set(no_color: str, coloured: bool) -> None:  # noqa: FBT001  a table's column
    pod = yaml.safe_dump(manifests.pod("train", cpu=1, memory="1Gi", gpu=9))
    ours, theirs = os.openpty()
    done = subprocess.run(
        [*PROGRAM, "explain", "-f", "-", "--config", SAMPLES, "--as", "alice"],
        input=pod.encode(),
        stdout=theirs,
        stderr=subprocess.PIPE,
        check=False,
        env=environment({"TERM": "xterm", "NO_COLOR": no_color, "COLUMNS": "200"}),
        timeout=60,
    )
    text = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 1
    assert "Would be refused" in text
    assert ("\x1b[1;31m" in text) is coloured


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_completion_script(shell: str) -> None:
    done = run("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_LABQUOTA_COMPLETE={shell}_complete" in done.stdout


def test_words_are_completed(tmp_path: Path) -> None:
    words = {"_LABQUOTA_COMPLETE": "bash_complete", "COMP_WORDS": "labquota li", "COMP_CWORD": "1"}
    assert run(env=words).stdout == "plain,limits\n"
    script = tmp_path / "kubectl_complete-labquota"
    script.write_text(run("completion", "kubectl").stdout)
    program = tmp_path / "labquota"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m labquota "$@"\n')
    program.chmod(0o755)
    env = environment()
    done = subprocess.run(
        ["sh", str(script), "limits", "--as"],
        capture_output=True,
        text=True,
        check=False,
        env={**env, "PATH": f"{tmp_path}:{env['PATH']}"},
        timeout=60,
    )
    assert done.stdout == "--as\n--as-group\n:0\n"


@pytest.mark.parametrize(
    "name", ["limits", "usage", "explain", "version", "completion", "import", "webhook", "operator"]
)
def test_every_command_teaches_its_exit_codes(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert "Exit codes:\n    0  " in done.stdout
