"""Users' overrides as they are written: in user-overrides.yaml, or under user_overrides in resource-limits.yaml."""

from collections.abc import Mapping
from typing import Final

import msgspec
from yaml.nodes import ScalarNode

from labquota.imports import keys, nodes
from labquota.imports.findings import Where
from labquota.imports.layers import Layer, LayerReader
from labquota.imports.lines import Document, Entry
from labquota.imports.names import check_user

_SECTION: Final = "user_overrides"
_NOTES: Final = {"reason": 1024, "approved_by": 256}
"""Texts, with the longest that ResourceLimitOverride's schema takes."""


class UserOverride(msgspec.Struct, frozen=True):
    """What one user has that differs from their group."""

    user: str
    where: Where
    layer: Layer
    notes: Mapping[str, str]
    """`reason` and `approved_by`, where they are given."""


def entries(limits: Document | None, file: Document | None) -> list[tuple[Document, Entry]]:
    """Every user's entry, sorted by name.

    A user who is in both files has the whole entry of user-overrides.yaml, as in the older system. An empty
    entry counts as absent.
    """
    found: dict[str, tuple[Document, Entry]] = {}
    for document in (limits, file):
        if document is None:
            continue
        users = document.top()
        if document is limits or _SECTION in users:
            users = document.section(users[_SECTION]) if _SECTION in users else {}
        found.update(
            (user, (document, entry)) for user, entry in users.items() if not nodes.is_null(entry.node)
        )
    return [found[user] for user in sorted(found)]


def read(reader: LayerReader, entry: Entry) -> UserOverride | None:
    """Read one user's entry; None if its name is not a user's, which is a problem."""
    user = entry.where.key.removeprefix(f"{_SECTION}.")
    layer = reader.read(entry, extras=_NOTES, later=keys.LATER_OF_A_USER)
    notes: dict[str, str] = {}
    for key, note in layer.extras.items():
        if not isinstance(note.node, ScalarNode):
            reader.findings.problem(note.where, f"{nodes.kind(note.node)} where a text is due")
        elif len(note.node.value) > _NOTES[key]:
            reader.findings.problem(note.where, f"longer than {_NOTES[key]} characters: shorten it")
        elif not nodes.is_null(note.node):
            notes[key] = note.node.value
    if not check_user(user, entry.where, reader.findings):
        return None
    return UserOverride(user, entry.where, layer, notes)
