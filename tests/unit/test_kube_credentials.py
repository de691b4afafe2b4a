import datetime as dt
import json
import pathlib
import sys
from typing import Any

import pytest
from kubernetes import client

from labquota.kube import credentials
from labquota.kube.errors import CredentialsError


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


def kubeconfig(folder: pathlib.Path, *users: dict[str, Any], cluster: dict[str, Any] | None = None) -> str:
    """Write a kubeconfig with one context for each user, named c0, c1, and so on."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c0",
        "clusters": [{"name": "lab", "cluster": cluster or {"server": "http://127.0.0.1:8001"}}],
        "users": [{"name": f"u{n}", "user": user} for n, user in enumerate(users)],
        "contexts": [
            {"name": f"c{n}", "context": {"cluster": "lab", "user": f"u{n}"}} for n in range(len(users))
        ],
    }
    path = folder / "config"
    path.write_text(json.dumps(content))
    return str(path)


async def test_a_kubeconfigs_current_context_decides(tmp_path: pathlib.Path) -> None:
    found = credentials.load(kubeconfig(tmp_path, {"token": "alice"}, {"token": "bob"}))

    assert found.server == "http://127.0.0.1:8001"
    assert found.tls is None
    assert await found.headers() == {"Authorization": "Bearer alice"}


async def test_a_named_context_decides(tmp_path: pathlib.Path) -> None:
    found = credentials.load(kubeconfig(tmp_path, {"token": "alice"}, {"token": "bob"}), "c1")
    assert await found.headers() == {"Authorization": "Bearer bob"}


async def test_several_files_are_merged_as_kubectl_does(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kubeconfig(tmp_path, {"token": "alice"})
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}:{first}")
    assert await credentials.load().headers() == {"Authorization": "Bearer alice"}


async def test_a_user_without_token_sends_no_header(tmp_path: pathlib.Path) -> None:
    assert await credentials.load(kubeconfig(tmp_path, {})).headers() == {}


def test_a_cluster_may_have_another_name_in_its_certificate(tmp_path: pathlib.Path) -> None:
    path = kubeconfig(
        tmp_path,
        {},
        cluster={
            "server": "https://10.0.0.1",
            "tls-server-name": "api.lab",
            "insecure-skip-tls-verify": True,
        },
    )
    found = credentials.load(path)
    assert found.server_name == "api.lab"
    assert found.tls is not None
    assert not found.tls.check_hostname


def test_a_proxy_is_used_unless_the_environment_exempts_the_host(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kubeconfig(tmp_path, {}, cluster={"server": "http://10.0.0.1", "proxy-url": "http://proxy:3128"})
    monkeypatch.setenv("no_proxy", "192.168.0.1")
    assert credentials.load(path).proxy == "http://proxy:3128"
    monkeypatch.setenv("no_proxy", "10.0.0.1")
    assert credentials.load(path).proxy is None


async def test_a_credential_plugin_is_run_again_when_its_token_has_expired(tmp_path: pathlib.Path) -> None:
    counter = tmp_path / "runs"
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import json, pathlib, datetime as dt\n"
        f"runs = pathlib.Path({str(counter)!r})\n"
        "runs.write_text((runs.read_text() if runs.exists() else '') + 'x')\n"
        "end = (dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=1)).strftime('%Y-%m-%dT%H:%M:%SZ')\n"
        "status = {'token': f'run-{len(runs.read_text())}', 'expirationTimestamp': end}\n"
        "version = 'client.authentication.k8s.io/v1'\n"
        "print(json.dumps({'apiVersion': version, 'kind': 'ExecCredential', 'status': status}))\n"
    )
    command = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(plugin)],
    }
    clock = Hand()
    found = credentials.load(
        kubeconfig(tmp_path, {"exec": {**command, "interactiveMode": "Never"}}), clock=clock
    )
    before = await found.headers()
    runs = counter.read_text()
    assert await found.headers() == before
    assert counter.read_text() == runs

    clock.seconds += credentials.REFRESH_SECONDS

    assert await found.headers() == {"Authorization": f"Bearer run-{len(runs) + 1}"}


async def test_a_failing_refresh_is_logged_and_the_old_token_used(caplog: pytest.LogCaptureFixture) -> None:
    settings = client.Configuration(host="http://127.0.0.1")
    settings.api_key["BearerToken"] = "Bearer old"
    clock = Hand()
    found = credentials.of_configuration(settings, clock=clock)

    def failing(_: client.Configuration) -> None:
        raise OSError("the token file is being replaced")

    settings.refresh_api_key_hook = failing  # type: ignore[assignment]  # its annotation says None alone
    clock.seconds += credentials.REFRESH_SECONDS

    assert await found.headers() == {"Authorization": "Bearer old"}
    assert "cannot refresh the API server's credentials, going on with the old ones" in caplog.messages


def test_without_any_cluster_it_says_what_to_do(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(
        CredentialsError, match=r"there is no kubeconfig at .*/missing\. Set KUBECONFIG or pass"
    ):
        credentials.load()


@pytest.mark.parametrize(
    "content",
    ["", "a: [", "[]", "{}", "clusters: 7", '{"current-context": "x", "contexts": [], "clusters": []}'],
)
def test_a_broken_kubeconfig_is_one_line_that_names_the_file(tmp_path: pathlib.Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(CredentialsError) as caught:
        credentials.load(str(path))
    assert str(caught.value).startswith(f"cannot use the credentials in {path}: ")
    assert "\n" not in str(caught.value)


def test_an_unknown_context_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CredentialsError, match="nowhere"):
        credentials.load(kubeconfig(tmp_path, {"token": "alice"}), "nowhere")
