"""What an import found, by weight: problems stop it, warnings and what was left out are told.

Everything names the place it is about, so that an editor can jump there.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

_LONGEST_KEY: Final = 200
_LONGEST_TEXT: Final = 600


class Where(msgspec.Struct, frozen=True, order=True):
    """A place in the files: `config/resource-limits.yaml:12: groups.student.max_cpus`."""

    file: str
    line: int = 0
    """1-based; 0 where the whole file is meant."""
    key: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {_cut(self.key, _LONGEST_KEY)}" if self.key else self.place

    @property
    def place(self) -> str:
        """File and line without the key."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def at(self, line: int, key: str) -> "Where":
        """A key further inside, at a line of its own."""
        return Where(self.file, line, f"{self.key}.{key}" if self.key else key)


class Findings:
    """Collects while the files are read; a thing reported twice, as through an alias, is told once."""

    def __init__(self) -> None:
        self._problems: dict[tuple[Where, str], None] = {}
        self._warnings: dict[tuple[Where, str], None] = {}
        self._later: dict[str, list[Where]] = {}
        self._never: dict[tuple[str, str], list[Where]] = {}
        self.readings: list[str] = []
        """Lines on the users for whom the two readings of overrides differ."""

    def problem(self, where: Where, text: str) -> None:
        """Something that makes the import impossible."""
        self._problems[where, text] = None

    def warn(self, where: Where, text: str) -> None:
        """Something that the administrator should look at; the import goes on."""
        self._warnings[where, text] = None

    def later(self, where: Where, what: str) -> None:
        """Something that labquota does not import yet."""
        self._later.setdefault(what, []).append(where)

    def never(self, where: Where, what: str, reason: str) -> None:
        """Something that has no place in labquota, and why."""
        self._never.setdefault((what, reason), []).append(where)

    @property
    def problems(self) -> list[str]:
        """One line each, in the order of the files."""
        return _lines(self._problems)

    @property
    def warnings(self) -> list[str]:
        """One line each, in the order of the files."""
        return _lines(self._warnings)

    def report(self) -> Iterator[str]:
        """The report's sections that have something to say, line by line."""
        yield from map(_plain, self._sections())

    def _sections(self) -> Iterator[str]:
        if self._warnings:
            yield "Warnings:"
            yield from (f"  {line}" for line in self.warnings)
        if self._later:
            yield "Not imported yet:"
            yield from (
                f"  {_what(what)} ({_places(places)})" for what, places in sorted(self._later.items())
            )
        if self._never:
            yield "Never imported:"
            yield from (
                f"  {_what(what)} ({_places(places)}): {reason}"
                for (what, reason), places in sorted(self._never.items())
            )
        yield from self.readings


def _lines(findings: dict[tuple[Where, str], None]) -> list[str]:
    return [_plain(f"{where}: {_cut(text, _LONGEST_TEXT)}") for where, text in sorted(findings)]


def _plain(line: str) -> str:
    """One line that steers no terminal, whatever files and their names hold: what cannot be printed is escaped."""
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)


def _what(key: str) -> str:
    return _cut(key, _LONGEST_KEY)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def _places(places: list[Where]) -> str:
    """`config/resource-limits.yaml:14, 31; config/user-overrides.yaml:3`."""
    by_file: dict[str, list[int]] = {}
    for where in sorted(set(places)):
        by_file.setdefault(where.file, []).append(where.line)
    return "; ".join(f"{file}:{', '.join(map(str, sorted(set(at))))}" for file, at in by_file.items())
