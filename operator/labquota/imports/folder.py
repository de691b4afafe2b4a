"""The files of the older configuration, read as texts: the only place here that touches the disk."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from labquota.imports.findings import Findings, Where
from labquota.imports.lines import LONGEST

LIMITS: Final = "resource-limits.yaml"


class Text(msgspec.Struct, frozen=True):
    """One file."""

    file: str
    """Its path as a person would type it."""
    name: str
    """Its name without the last suffix: a member file is named after its group."""
    text: str


class Folder(msgspec.Struct, frozen=True):
    """What the folder holds; None for a file that is missing or unreadable."""

    limits: Text | None
    overrides: Text | None
    group_overrides: Text | None
    exemptions: Text | None
    members: tuple[Text, ...] = ()


def read(directory: Path, findings: Findings) -> Folder:
    """Read the folder. What cannot be read is a problem; only resource-limits.yaml must be there."""
    limits = directory / LIMITS
    if not _is_there(limits):
        findings.problem(Where(str(limits)), "is missing: name the folder that holds it")
    optional: Callable[[str], Text | None] = lambda name: _text(directory / name, findings)  # noqa: E731  # one use a line
    members = (_text(path, findings) for path in _members(directory / "groups", findings))
    return Folder(
        limits=optional(LIMITS),
        overrides=optional("user-overrides.yaml"),
        group_overrides=optional("group-overrides.txt"),
        exemptions=optional("lifecycle-exemptions.yaml"),
        members=tuple(text for text in members if text is not None),
    )


def _members(groups: Path, findings: Findings) -> list[Path]:
    """The member files. A folder that cannot be listed is a problem: people would lose their group in silence."""
    if not _is_there(groups):
        return []
    try:
        return sorted(path for path in groups.iterdir() if path.name.endswith(".members"))
    except OSError as error:
        findings.problem(Where(str(groups)), f"cannot be read: {error.strerror}")
        return []


def _is_there(path: Path) -> bool:
    """Whether something has this name, be it a link that leads nowhere: what cannot be read is not left out."""
    return os.path.lexists(path)


def _text(path: Path, findings: Findings) -> Text | None:
    if not _is_there(path):
        return None
    content = contents(path, findings)
    return None if content is None else Text(str(path), path.stem, content)


def contents(path: Path, findings: Findings) -> str | None:
    """A file's text without a byte order mark; None where it cannot be read, which is a problem."""
    where = Where(str(path))
    try:
        if not path.is_file():
            findings.problem(where, "is not a file")
            return None
        with path.open("rb") as file:
            raw = file.read(LONGEST + 1)
    except OSError as error:
        findings.problem(where, f"cannot be read: {error.strerror}")
        return None
    if len(raw) > LONGEST:
        findings.problem(where, f"is larger than {LONGEST >> 20} MiB: no configuration is")
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        findings.problem(Where(str(path), line), "a byte that is not UTF-8: save the file as UTF-8")
        return None
