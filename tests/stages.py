"""Runs the stages of `make test` in order, and ends with what passed, failed and was skipped, and the time of each.

`python tests/stages.py [STAGE...]`: all of them (but `node`), or those named. A skipped test is a failure: it proves
nothing, and nobody looks at it again.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TESTS = Path(__file__).parent
ROOT = TESTS.parent
BIN = Path(sys.executable).parent

LINTERS = (
    ["ruff", "check", "--quiet", "."],
    ["ruff", "format", "--check", "--quiet", "."],
    ["mypy", "operator", "tests"],
    ["lint-imports"],
)


@dataclass
class Result:
    """What one stage came to."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Result") -> "Result":
        return Result(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.seconds + other.seconds,
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def lint() -> Result:
    """Every linter as one test; its output is printed if it finds something."""
    result = Result()
    for command in LINTERS:
        done = subprocess.run(
            [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
        )
        print(f"{'FAILED' if done.returncode else 'ok':7} {' '.join(command)}", flush=True)
        if done.returncode:
            print(done.stdout + done.stderr, flush=True)
        result += Result(failed=1) if done.returncode else Result(passed=1)
    return result


def control_plane() -> Result:
    """Build or find the control plane before the tests that need it, so that its progress is seen."""
    done = subprocess.run([sys.executable, "-m", "controlplane", "build"], cwd=TESTS, check=False)
    return Result(failed=1) if done.returncode else Result(passed=1)


def node() -> Result:
    """A real GPU node: first whether this machine lets us, and its programs; then the tests on it."""
    done = subprocess.run([sys.executable, "-m", "node"], cwd=TESTS, check=False)
    return Result(failed=1) if done.returncode else pytest("node")


def pytest(*folders: str, options: Iterable[str] = ()) -> Result:
    """The tests in some folders of tests/. None at all counts as a failure."""
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "report.xml"
        paths = [str(TESTS / folder) for folder in folders]
        command = [sys.executable, "-m", "pytest", "--quiet", f"--junitxml={report}", *options, *paths]
        code = subprocess.run(
            command, cwd=ROOT, check=False, stdout=_TOLD.get(), stderr=_TOLD.get()
        ).returncode
        return _read(report, code)


def _read(report: Path, code: int) -> Result:
    if not report.exists():
        return Result(failed=1)
    suites = list(ET.parse(report).getroot().iter("testsuite"))
    count = {
        key: sum(int(suite.get(key, 0)) for suite in suites)
        for key in ("tests", "failures", "errors", "skipped")
    }
    failed = count["failures"] + count["errors"]
    if code and not failed:
        failed = 1  # interrupted, or nothing collected
    return Result(max(0, count["tests"] - failed - count["skipped"]), failed, count["skipped"])


_ON_A_PLANE = ("controlplane", "harness", "cluster")
STAGES: dict[str, Callable[[], Result]] = {
    "lint": lint,
    "unit": lambda: pytest("unit"),
    "property": lambda: pytest("property"),
    "nvml": lambda: pytest("nvml"),
    "simulation": lambda: pytest("simulation"),
    "mutants": lambda: pytest("mutants"),
    "differential": lambda: pytest("differential"),
    "control-plane": control_plane,
    "cluster": lambda: pytest(*_ON_A_PLANE, options=["--planes=shared"]),
    "planes": lambda: pytest(
        *_ON_A_PLANE, options=["--planes=own"]
    ),  # on control planes of their own, or none
    "hostile": lambda: pytest("hostile"),
    "storm": lambda: pytest("storm"),
    "node": node,
}
ALONE = ("node",)
"""Not among all: they need more than Python and a package registry."""

BESIDE = ("unit", "property", "nvml", "simulation", "mutants", "differential", "planes")
"""Run one after the other on the second core while `FIRST` runs on the first."""
FIRST = ("control-plane", "cluster")
_TOLD: ContextVar[IO[bytes] | None] = ContextVar("told", default=None)


def main() -> int:
    """Run the stages; 1 if a test failed or was skipped."""
    # Whoever runs this in the background has us ignore Ctrl-C, and all our children with us; some tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__)
    about = f"one of {', '.join(STAGES)}; default all but {', '.join(ALONE)}"
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=about)
    chosen = parser.parse_args().stages or [name for name in STAGES if name not in ALONE]
    unknown = [name for name in chosen if name not in STAGES]
    if unknown:
        parser.error(f"no stage {', '.join(unknown)}; there are {', '.join(STAGES)}")
    results: dict[str, Result] = {}
    began = time.monotonic()
    first, beside = [[name for name in chosen if name in lane] for lane in (FIRST, BESIDE)]
    for name in chosen:
        if name in results:
            continue
        if first and beside and name in (*first, *beside):
            results.update(_side_by_side(first, beside))
        else:
            results[name] = _timed(name)
    return _sum_up({name: results[name] for name in chosen}, time.monotonic() - began)


def _timed(name: str, told: IO[bytes] | None = None) -> Result:
    if told is None:
        print(f"\n== {name} ==", flush=True)
    else:
        told.write(f"\n== {name}, beside the others ==\n".encode())
        told.flush()
    began = time.monotonic()
    result = STAGES[name]()
    result.seconds = time.monotonic() - began
    return result


def _side_by_side(first: list[str], beside: list[str]) -> dict[str, Result]:
    """Two lanes of stages at once; what the second says is shown when both have ended."""
    with tempfile.TemporaryFile() as told, ThreadPoolExecutor() as lane:

        def run_beside() -> dict[str, Result]:
            _TOLD.set(told)
            return {name: _timed(name, told) for name in beside}

        print(f"beside the next ones: {', '.join(beside)}", flush=True)
        running = lane.submit(run_beside)
        results = {name: _timed(name) for name in first}
        results.update(running.result())
        told.seek(0)
        print(told.read().decode(errors="replace"), flush=True)
    return results


def _sum_up(results: dict[str, Result], seconds: float) -> int:
    print("\n== summary ==")
    for name, result in results.items():
        print(f"{name:14} {_clock(result.seconds):>6}   {result}")
    total = sum(results.values(), Result())
    print(f"{'all':14} {_clock(seconds):>6}")
    if total.skipped:
        print("A skipped test counts as a failure.")
    print(f"\n{total}", flush=True)
    return 1 if total.failed or total.skipped else 0


def _clock(seconds: float) -> str:
    return "{}:{:02d}".format(*divmod(round(seconds), 60))


if __name__ == "__main__":
    sys.exit(main())
