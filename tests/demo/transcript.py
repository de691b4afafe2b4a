"""What the demo looks like: headings with the time, prose, commands with a prompt, and their output."""

import os
import textwrap
import time
from typing import TextIO

__all__ = ["Transcript"]

_WIDTH = 100
_BOLD, _DIM, _RED, _GREEN = "1", "2", "31", "32"


class Transcript:
    """Writes line by line, flushed, so that it can be followed and piped.

    Args:
        out: where to; colours only if it is a terminal and NO_COLOR is not set.
    """

    def __init__(self, out: TextIO) -> None:
        self._out, self._began = out, time.monotonic()
        self._coloured = out.isatty() and "NO_COLOR" not in os.environ
        self._acts = 0

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self._began

    def progress(self, text: str) -> None:
        """One thing of the setting up is done or begins."""
        self._line(f"{self._paint(_DIM, self._clock())}  {text}")

    def act(self, title: str) -> None:
        """The heading of the next act."""
        self._acts += 1
        text = f"{self._acts}. {title} "
        self._line("")
        self._line(
            f"{self._paint(_BOLD, text)}{'─' * (_WIDTH - len(text) - 10)} {self._paint(_DIM, self._clock())}"
        )

    def blank(self) -> None:
        """An empty line."""
        self._line("")

    def say(self, text: str) -> None:
        """A sentence for the reader, as a comment in a shell is."""
        for line in textwrap.wrap(text, _WIDTH - 2):
            self._line(self._paint(_DIM, f"# {line}"))

    def command(self, who: str, line: str) -> None:
        """A command as somebody types it."""
        self._line(f"{self._paint(_GREEN, f'{who}$')} {self._paint(_BOLD, line)}")

    def output(self, text: str, *, failed: bool = False) -> None:
        """What a command printed, unchanged."""
        for line in text.rstrip("\n").splitlines():
            self._line(self._paint(_RED, line) if failed else line)

    def wrong(self, where: str, expected: str, came: str) -> None:
        """The last words of a demo that went wrong."""
        self._line("")
        self._line(self._paint(_RED, f'demo: "{where}" did not go as it should, after {self.seconds:.1f} s'))
        self._line(f"  expected: {expected}")
        self._line(f"  came:     {came}")

    def _clock(self) -> str:
        return f"{self.seconds:6.1f} s"

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._coloured else text

    def _line(self, text: str) -> None:
        print(text, file=self._out, flush=True)
