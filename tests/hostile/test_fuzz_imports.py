"""Whatever a folder holds, `labquota import` writes all of it or nothing, and says what is wrong a line at a time."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import labquota_process
from hostile import cases
from labquota import imports
from labquota.api import ResourceLimitGroup, ResourceLimitOverride
from labquota.cli.main import cli
from labquota.quota import compiling

KEPT = {path.name: path for path in sorted((cases.CORPUS / "imports").iterdir())}
LIMITS = "resource-limits.yaml"
FILES = [
    LIMITS,
    "user-overrides.yaml",
    "group-overrides.txt",
    "lifecycle-exemptions.yaml",
    "groups/student.members",
]
TEXTS = [path.read_bytes() for folder in KEPT.values() for path in folder.rglob("*") if path.is_file()]
TEXTS = [text for text in TEXTS if len(text) < 4_000]
TOKENS = [
    *(
        b": ",
        b"\n",
        b"  ",
        b"- ",
        b"---\n",
        b"#",
        b"&a ",
        b"*a",
        b"<<: ",
        b"<<: *a\n",
        b"? ",
        b"!!x ",
        b"!!map ",
        b"|\n",
    ),
    *(
        b"[" * 200,
        b"{" * 200,
        b"'",
        b'"',
        b"%",
        b"@",
        b"`",
        b"\x00",
        b"\x1b[31m",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\t",
        b"\r",
    ),
    *(
        b'"\\ud800"',
        b'"\\n"',
        b'"\\e"',
        b'"\\0"',
        "\u2028".encode(),
        "\u0085".encode(),
        "\ufeff".encode(),
        b"~",
        b"=",
        b"null",
    ),
    *(
        b"max_cpus: 3\n",
        b"aggregate: {gpu_limit: 3}\n",
        b"groups:\n",
        b"members: [a]\n",
        b"1e999999999",
        b".inf",
        b"-1",
        b"9" * 50,
    ),
    *(
        b"policies:\n",
        b"default_group: x\n",
        b"user_overrides:\n  x:\n",
        b"2001-01-01",
        b"0x1",
        b"1:30",
        b"yes",
        b"2.0",
    ),
]


def outcome(folder: Path, *options: str) -> tuple[int, str, list[str]]:
    """The exit code, standard output and the lines of standard error, after what holds of every run."""
    done = CliRunner().invoke(cli, ["import", str(folder), *options], standalone_mode=False)
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    lines = done.stderr.split("\n")
    assert lines.pop() == "", "the last line is whole"
    assert all(line.isprintable() for line in lines), "a line of a terminal is one line, and steers nothing"
    assert all(len(line) < 1_000 for line in lines)
    if done.exit_code == 2:
        assert done.stdout == "", "with a problem nothing is written"
        *problems, last = lines
        assert last == f"{len(problems)} problem{'s' if len(problems) > 1 else ''}; nothing was imported"
        assert problems
        assert all(line.startswith(f"{folder}/") for line in problems)
        assert len(set(problems)) == len(problems)
        assert options or not imports.convert(folder).manifests
    else:
        assert done.exit_code == 0
        assert lines[-1].startswith("Imported ")
        acceptable(done.stdout)
    return done.exit_code, done.stdout, lines


def acceptable(text: str) -> None:
    """What is written is what labquota itself reads without a complaint."""
    manifests = list(yaml.safe_load_all(text))
    assert manifests
    names = [(each["kind"], each["metadata"]["name"]) for each in manifests]
    assert len(set(names)) == len(names)
    for each in manifests:
        if each["kind"] == "ResourceLimitGroup":
            assert compiling.group(msgspec.convert(each, ResourceLimitGroup)).problems == ()
        else:
            assert compiling.override(msgspec.convert(each, ResourceLimitOverride)).problems == ()


def loaded(path: Path) -> None:
    """`--config` of the other commands takes the same folders, and manifests too."""
    problems = ["none"]
    try:
        imports.load(path)
    except imports.LoadError as error:
        problems = error.problems
    assert problems
    assert all(line.isprintable() and len(line) < 1_000 for line in problems)


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_folder_is_imported_whole_or_refused_line_by_line(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(KEPT[name], tmp_path / "kept")
    code, text, _ = outcome(folder)
    assert (code, text) == outcome(folder)[:2]
    for option in ("--allow-unknown", "--gpu-limit-unit=equivalents", "--override-semantics=code"):
        outcome(folder, option)
    loaded(folder)


@pytest.mark.parametrize("name", ["newer", "older"])
def test_a_sound_folder_is_imported(name: str) -> None:
    assert outcome(KEPT[name], "--allow-unknown")[0] == 0


@settings(max_examples=250 * cases.SCALE, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(FILES), cases.bytes_like(TEXTS, TOKENS) | st.sampled_from(TEXTS), min_size=1
    ),
    st.booleans(),
)
def test_a_folder_of_any_bytes_is_imported_whole_or_refused_line_by_line(
    files: dict[str, bytes],
    unknown: bool,  # noqa: FBT001  drawn
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "groups").mkdir()
        for file, raw in files.items():
            (folder / file).write_bytes(raw)
        with cases.keeping(b"\n=====\n".join(f"{file}\n".encode() + raw for file, raw in files.items())):
            outcome(folder, *(["--allow-unknown"] if unknown else []))
            loaded(folder)
            for file in files:
                if file.endswith("yaml"):
                    loaded(folder / file)
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            {"groups", *(file for file in files if "/" not in file)}
        ), "nothing is written into the folder"


def truncated(path: Path) -> None:
    """A file of 16 GB that takes no room."""
    with path.open("wb") as file:
        file.truncate(1 << 34)


def no_folder(path: Path) -> None:
    path.rmdir()
    path.write_bytes(b"student: alice\n")


def nowhere(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("nowhere")


STRANGE: list[tuple[str, Callable[[Path], object]]] = [
    ("user-overrides.yaml", Path.mkdir),
    ("user-overrides.yaml", lambda path: path.symlink_to(path.name)),
    ("user-overrides.yaml", lambda path: path.symlink_to("/dev/zero")),
    ("group-overrides.txt", truncated),
    ("lifecycle-exemptions.yaml", os.mkfifo),
    (LIMITS, nowhere),
    ("groups", no_folder),
    ("groups/student.members", Path.mkdir),
    ("groups/student.members", nowhere),
    ("groups/a\nb\x1b[31m.members", Path.touch),
    ("groups/\udcff\udcfe.members", Path.touch),
]


def strange_folder(folder: Path, name: str, make: Callable[[Path], object]) -> Path:
    """A sound folder with one thing in it that is no file, or that has a name of its own kind."""
    (folder / "groups").mkdir()
    (folder / LIMITS).write_bytes((KEPT["older"] / LIMITS).read_bytes())
    make(folder / name)
    return folder


@pytest.mark.parametrize(("name", "make"), STRANGE, ids=ascii)
def test_what_is_no_file_or_has_a_strange_name_is_named(
    name: str, make: Callable[[Path], object], tmp_path: Path
) -> None:
    code, _, lines = outcome(strange_folder(tmp_path, name, make))
    assert code == 2
    assert any(ascii(name)[1:-1].removeprefix("groups/")[:4] in line for line in lines)
    loaded(tmp_path)


def test_the_process_itself_says_the_same_without_a_traceback(tmp_path: Path) -> None:
    """Streams of a real process encode what a test's do not."""
    strange = strange_folder(tmp_path, *STRANGE[-1])
    for folder in (KEPT["control-characters"], KEPT["surrogates"], strange):
        done = labquota_process.run("import", str(folder), env={"LC_ALL": "C.UTF-8"})
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr
        assert done.stderr.split("\n")[-2].endswith("nothing was imported")


@pytest.mark.parametrize(
    "text",
    [
        *(
            b"groups: " + b"[" * 10_000,
            b"groups: " + b"{" * 10_000,
            b"- " * 50_000,
            b"a: " * 50_000,
            b"&a " * 50_000,
        ),
        *(
            b"groups: {s: {" + b"max_cpus: 1, " * 5_000 + b"}}",
            b"groups:\n" + b"  s:\n" * 5_000,
            b"---\n" * 10_000,
        ),
        b"groups: {s: {" + b", ".join(b"max_cpuz%d: 1" % n for n in range(2_000)) + b"}}",
        b"? " + b"k" * 500_000 + b"\n: 1\n",
        b"a: &a\n  <<: [" + b"*a, " * 5_000 + b"]\n",
        b"a0: &a0 {x: 1}\n"
        + b"".join(b"a%d: &a%d {<<: [*a%d, *a%d]}\n" % (n, n, n - 1, n - 1) for n in range(1, 500)),
        b"default_group: s\ngroups: {s: *x}\n",
        b"x" * (1 << 20),
        b'"' + b"\\n" * 500_000 + b'"',
    ],
    ids=lambda text: ascii(text[:24].decode()),
)
def test_a_bomb_of_a_file_is_refused_in_seconds(text: bytes, tmp_path: Path) -> None:
    (tmp_path / LIMITS).write_bytes(text)
    began = time.process_time()
    assert outcome(tmp_path)[0] == 2
    assert time.process_time() - began < 20
