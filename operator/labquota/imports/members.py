"""Who is in which group: member files, inline lists, and the file of group overrides that is only checked."""

from collections.abc import Collection, Iterator
from typing import Final

from labquota.imports.findings import Findings, Where
from labquota.imports.folder import Text
from labquota.imports.names import check_user

_ARCHIVED: Final = "archived"
"""A member file of this name lists people who left; it is no group unless one is defined."""


class Members:
    """Every user in at most one group."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._group: dict[str, tuple[str, Where]] = {}

    def add(self, group: str, name: str, where: Where) -> None:
        """Put a user into a group. Twice into one group counts once; two groups are a problem."""
        if not check_user(name, where, self._findings):
            return
        other, first = self._group.setdefault(name, (group, where))
        if other != group:
            self._findings.problem(
                where, f"user {name} is in two groups, {other} ({first.place}) and {group}: keep one"
            )
        elif first != where:
            self._findings.warn(where, f"user {name} is in group {group} twice, first in {first.place}")

    def group(self, name: str) -> str | None:
        """The group that lists a user."""
        found = self._group.get(name)
        return found[0] if found else None

    def of(self, group: str) -> list[str]:
        """A group's users, sorted."""
        return sorted(name for name, (of, _) in self._group.items() if of == group)

    def read(self, file: Text, groups: Collection[str] | None) -> None:
        """Read a member file.

        Args:
            file: Named after its group.
            groups: The groups that are defined; None if that could not be read.
        """
        if groups is not None and file.name not in groups:
            where = Where(file.file, 1)
            if file.name == _ARCHIVED:
                self._findings.never(where, "archived.members", "people who left have no pods to limit")
            else:
                self._findings.problem(
                    where, f"group {file.name} is not defined: define it under groups or remove the file"
                )
            return
        for line, text in _lines(file.text):
            self.add(file.name, text, Where(file.file, line))

    def check(self, file: Text, groups: Collection[str] | None) -> None:
        """Compare `user:group` lines with the members; the members count, a conflict is a warning."""
        for line, text in _lines(file.text):
            name, colon, group = (part.strip() for part in text.partition(":"))
            where = Where(file.file, line, name)
            if not colon or not group:
                self._findings.problem(Where(file.file, line), f'"{text[:80]}" is not of the form user:group')
            elif groups is not None and group not in groups:
                self._findings.problem(where, f"group {group} is not defined")
            elif check_user(name, where, self._findings) and self.group(name) != group:
                listed = self.group(name)
                fact = f"is a member of {listed}" if listed else "is a member of no group"
                self._findings.warn(where, f"says {group}, but {name} {fact}: the member lists count")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.partition("#")[0].strip()
        if content:
            yield number, content
