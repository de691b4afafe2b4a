"""One command as one person: typed, run, shown and checked."""

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from demo.transcript import Transcript

__all__ = ["Outcome", "Shell", "Unexpected"]

_SECONDS = 60


class Unexpected(Exception):  # noqa: N818  names what is wrong
    """A step did something else than the transcript says.

    Attributes:
        expected: what should have happened.
        came: what did.
    """

    def __init__(self, expected: str, came: str) -> None:
        super().__init__(f"expected {expected}, came {came}")
        self.expected, self.came = expected, came


class Outcome(NamedTuple):
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it printed."""
        return self.out + self.err


class Shell:
    """A person at a prompt.

    Args:
        who: their name, as the API server calls them.
        folder: where they are, so that files have the short names that people type.
        env: their environment: KUBECONFIG, and a PATH with kubectl and labquota.
        transcript: what their commands are shown on.
    """

    def __init__(self, who: str, folder: Path, env: Mapping[str, str], transcript: Transcript) -> None:
        self.who, self.folder = who, folder
        self._env, self._transcript = {**os.environ, **env}, transcript

    def run(self, line: str, *, says: tuple[str, ...] = (), refused: bool = False) -> Outcome:
        """Type a command, show what it prints, and check that it ended as it should.

        Args:
            line: the command with its arguments.
            says: what its output must hold, each.
            refused: whether it must end with an error instead of with exit code 0.

        Raises:
            Unexpected: it did not.
        """
        self._transcript.command(self.who, line)
        outcome = self.quietly(line)
        self._transcript.output(outcome.out)
        self._transcript.output(outcome.err, failed=bool(outcome.code))
        missing = [each for each in says if each not in outcome.text]
        if bool(outcome.code) != refused or missing:
            raise Unexpected(_wanted(self.who, line, says, refused=refused), _told(outcome, missing))
        return outcome

    def quietly(self, line: str) -> Outcome:
        """Run a command without showing it."""
        argv = shlex.split(line)
        try:
            done = subprocess.run(
                argv,
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unexpected(f"`{line}` to end", f"it still ran after {_SECONDS} s") from None
        except OSError as error:
            raise Unexpected(f"`{line}` to run", str(error)) from None
        return Outcome(done.returncode, done.stdout, done.stderr)


def _wanted(who: str, line: str, says: tuple[str, ...], *, refused: bool) -> str:
    how = "to be refused" if refused else "to succeed"
    words = f" and to say {', '.join(map(repr, says))}" if says else ""
    return f"{who}'s `{line}` {how}{words}"


def _told(outcome: Outcome, missing: list[str]) -> str:
    lines = outcome.text.strip().splitlines() or ["(nothing)"]
    lacking = f", without {', '.join(map(repr, missing))}" if missing else ""
    return f"exit code {outcome.code}{lacking}: {lines[-1]}"
