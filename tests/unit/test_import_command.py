"""`labquota import` as a person runs it: what goes where, and the exit code."""

import subprocess
import sys
from pathlib import Path

import yaml

import older_config


def run(*arguments: str, program: tuple[str, ...] = ("-m", "labquota")) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "operator")},
    )


def test_objects_go_to_stdout_and_the_report_to_stderr(tmp_path: Path) -> None:
    older_config.write(tmp_path, older_config.ONE_GROUP + "    shm_size: 1g\n", members_student="alice")
    done = run("import", str(tmp_path))
    assert done.returncode == 0
    assert [each["kind"] for each in yaml.safe_load_all(done.stdout)] == ["ResourceLimitGroup"]
    assert done.stderr.splitlines() == [
        "Never imported:",
        (
            f"  shm_size ({tmp_path}/resource-limits.yaml:5): "
            "a pod mounts an emptyDir of medium Memory, which counts as its memory"
        ),
        "Imported 1 group and 0 overrides; GPU limits count slots.",
    ]


def test_with_problems_nothing_goes_to_stdout_and_the_exit_code_is_2(tmp_path: Path) -> None:
    older_config.write(tmp_path, older_config.ONE_GROUP + "    colour: red\n", members_student="a b")
    done = run("import", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        (
            f'{tmp_path}/groups/student.members:1: "a b" is not a valid user name: '
            "letters, digits and . _ @ + - are allowed, no space"
        ),
        f"{tmp_path}/resource-limits.yaml:5: groups.student.colour: unknown key (--allow-unknown ignores it)",
        "2 problems; nothing was imported",
    ]


def test_the_options_reach_the_import(tmp_path: Path) -> None:
    older_config.write(
        tmp_path, older_config.ONE_GROUP + "    colour: red\n", user_overrides="alice: {max_cpus: 1}"
    )
    options = ("--allow-unknown", "--gpu-limit-unit", "equivalents", "--override-semantics", "code")
    done = run("import", str(tmp_path), *options)
    assert done.returncode == 0
    group, override = yaml.safe_load_all(done.stdout)
    assert group["spec"]["aggregate"] == {"gpu-equivalents": "3"}
    assert override["spec"]["aggregate"] == {"gpu-equivalents": "unlimited"}
    assert "colour: unknown key, ignored" in done.stderr


def test_a_folder_that_does_not_exist_is_a_usage_error() -> None:
    done = run("import", "/nowhere/at/all")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Directory '/nowhere/at/all' does not exist." in done.stderr


def test_help_teaches_and_needs_no_command_loaded() -> None:
    done = run("import", "--help")
    assert done.returncode == 0
    assert "labquota import config | kubectl apply -f -" in done.stdout
    loaded = run(
        "import sys, click\n"
        "from labquota.cli import main\n"
        "print(main.cli.get_help(click.Context(main.cli)))\n"
        "print(sorted({'yaml', 'kopf', 'kubernetes', 'aiohttp'} & set(sys.modules)))",
        program=("-c",),
    )
    assert "import" in loaded.stdout
    assert loaded.stdout.splitlines()[-1] == "[]", loaded.stderr
