"""Asks NVML in a process of its own: LD_LIBRARY_PATH counts only when a process starts."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["PATHS", "ask", "run"]

PATHS = os.pathsep.join(str(Path(__file__).parents[2] / name) for name in ("operator", "tests"))

_HEAD = """
import json, sys
import pynvml as nv

def code(call, *arguments):
    try:
        call(*arguments)
    except nv.NVMLError as error:
        return error.value
    return 0

"""


def run(
    environment: Mapping[str, str], script: str, *, check: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Run a script with `nv` (the real pynvml) and `code(call, *arguments)`, which gives a call's error code."""
    env = {**os.environ, "PYTHONPATH": PATHS, **environment}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _HEAD + script],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if check and done.returncode:
        raise AssertionError(f"the process ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def ask(environment: Mapping[str, str], *lines: str) -> Any:
    """What the last line's expression is, after those before it; NVML is open."""
    script = "nv.nvmlInit()\n" + "\n".join(lines[:-1]) + f"\nprint(json.dumps({lines[-1]}))\n"
    return json.loads(run(environment, script).stdout)
