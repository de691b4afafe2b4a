"""Scans in a process of their own, as the agent makes them, one after the other while the node changes."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import msgspec

from labquota.agent.scanning import GpuProcess
from labquota.api import GPU
from nvml.asking import PATHS

__all__ = ["Scanning", "Seen", "scan"]

_SCRIPT = """
import json, sys
import msgspec
from labquota.agent import failures, scanning

gpus = ()
for line in sys.stdin:
    try:
        seen = scanning.scan(gpus)
    except failures.NVMLFailure as failure:
        answer = {"failure": [type(failure).__name__, failure.reason, str(failure)]}
    else:
        gpus = seen.gpus
        answer = msgspec.to_builtins(seen._asdict())
    print(json.dumps(answer), flush=True)
"""


@dataclass(frozen=True)
class Seen:
    """What a scan came to."""

    gpus: tuple[GPU, ...] = ()
    processes: tuple[GpuProcess, ...] = ()
    driver: str = ""
    nvml: str = ""
    unlisted: Mapping[str, str] | None = None
    failure: tuple[str, ...] = ()
    """Kind, reason and message, if there is no inventory."""


class Scanning:
    """A process that scans whenever it is asked to."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        env = {**os.environ, "PYTHONPATH": PATHS, **environment}
        command = [sys.executable, "-W", "error", "-c", _SCRIPT]
        self._process = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def scan(self) -> Seen:
        """Scan once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "failure" in answer:
            return Seen(failure=tuple(answer["failure"]))
        return Seen(
            gpus=msgspec.convert(answer["gpus"], tuple[GPU, ...]),
            processes=msgspec.convert(answer["processes"], tuple[GpuProcess, ...]),
            driver=answer["driver_version"],
            nvml=answer["nvml_version"],
            unlisted=answer["unlisted"],
        )


def scan(environment: Mapping[str, str]) -> Seen:
    """One scan in a process of its own."""
    with Scanning(environment) as one:
        return one.scan()
