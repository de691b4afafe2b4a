"""How `labquota webhook` and `labquota operator` start, or say why not."""

import dataclasses
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from labquota.settings import Settings
from labquota_process import PROGRAM, environment, error, run


def kubeconfig(folder: Path) -> str:
    path = folder / "config"
    cluster = {"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "a", "context": {"cluster": "a"}}
    path.write_text(yaml.safe_dump({"clusters": [cluster], "contexts": [context], "current-context": "a"}))
    return str(path)


@pytest.mark.parametrize("name", ["webhook", "operator"])
def test_every_setting_is_a_flag(name: str) -> None:
    text = run(name, "--help").stdout
    for field in dataclasses.fields(Settings):
        assert f"--{field.name.replace('_', '-')} " in text
        assert f"LABQUOTA_{field.name.upper()}" in text


def test_what_cannot_be_used_ends_in_one_line_and_2(tmp_path: Path) -> None:
    wrong = tmp_path / "x.pem"
    wrong.write_text("no certificate")
    assert error("operator", code=2, env={"LABQUOTA_PORT": "x"}) == 'LABQUOTA_PORT="x" is not a whole number'
    assert error("operator", "--log-format", "xml", code=2) == 'LABQUOTA_LOG_FORMAT="xml" is not json or text'
    assert error("operator", code=2).startswith("no cluster to talk to: ")
    assert error("webhook", code=2) == "[Errno 2] No such file or directory: '/tls/tls.crt'"
    line = error("webhook", "--tls-cert", str(wrong), "--tls-key", str(wrong), code=2)
    assert line.startswith(f"cannot serve with certificate {wrong} and key {wrong}: ")


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(
            *("operator", "--metrics-host", "127.0.0.1", "--metrics-port", port),
            env={"KUBECONFIG": kubeconfig(tmp_path)},
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "Error: [Errno 98] error while attempting to bind on address"
    )
    assert port in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(number: signal.Signals, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    env = environment({"KUBECONFIG": kubeconfig(tmp_path)})
    options = ("--metrics-host", "127.0.0.1", "--metrics-port", str(port), "--log-format", "text")
    with subprocess.Popen([*PROGRAM, "operator", *options], stderr=subprocess.PIPE, env=env) as process:
        wait_for(f"http://127.0.0.1:{port}/healthz")
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said.decode()
    assert b"Traceback" not in said


def wait_for(url: str) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                assert answer.read() == b"ok\n"
                return
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < until, f"{url} does not answer"
            time.sleep(0.05)
