"""How the library is built: once for the same sources, and by whatever compiler there is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nvml import CURRENT, R470, Library, building, library
from nvml.asking import PATHS


def _build(tmp_path: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "from nvml import library; print(library())"],
        env={**os.environ, "PYTHONPATH": PATHS, "XDG_CACHE_HOME": str(tmp_path), **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_same_sources_are_built_once_and_other_variants_beside_them() -> None:
    assert library() == library(CURRENT)
    assert library(R470) != library()
    assert library(Library("current", ("nvmlDeviceGetUUID",))) != library()


def test_without_a_compiler_and_a_registry_it_says_what_to_install(tmp_path: Path) -> None:
    done = _build(tmp_path, PATH=str(tmp_path), PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    assert done.returncode
    assert (
        "no C compiler: install gcc or clang from your distribution or let pip reach a registry"
        in done.stderr
    )


def test_a_compiler_that_cannot_compile_is_none(tmp_path: Path) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    done = _build(tmp_path, PATH=str(tmp_path), PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    assert "nvml: no C compiler here; installing ziglang" in done.stderr


def test_sources_that_do_not_compile_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "x.c").write_text("int x = y;\n")
    monkeypatch.setattr(building, "SOURCE", source)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(building.BuildError, match=r"does not compile:\n(.|\n)*x\.c:1"):
        library()
    assert not [each for each in (tmp_path / "labquota" / "nvml").iterdir() if each.is_dir()]
