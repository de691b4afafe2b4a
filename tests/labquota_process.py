"""The command line as a real process: what a person types, and what comes back."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = (sys.executable, "-m", "labquota")
SAMPLES = str(ROOT / "config" / "samples")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without anybody's kubeconfig."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "SYSTEMROOT") if key in os.environ}
    return {**kept, "HOME": "/nonexistent", "PYTHONPATH": str(ROOT / "operator"), **(extra or {})}


def run(
    *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `labquota` to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(env),
    )


def error(*arguments: str, code: int, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
    """The one line of a command that must fail with a code and print nothing else."""
    done = run(*arguments, stdin=stdin, env=env)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0].removeprefix("Error: ")
