"""YAML with line numbers, read so that no file can hang the reader or hide a mistake.

Nodes are composed but never constructed: aliases stay shared instead of growing, a tag builds nothing, and
each value keeps its line and its text as written ("0123" stays a name). Duplicate keys, which YAML's
constructors drop in silence, are problems.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from labquota.imports.findings import Findings, Where
from labquota.imports.nodes import is_null, kind

LONGEST: Final = 1 << 20
"""Bytes of a file that are still read: a configuration has a few thousand lines, and YAML is slow to scan."""

_DEEPEST_MERGE: Final = 32
_MERGE: Final = "tag:yaml.org,2002:merge"


class Entry(NamedTuple):
    """A value and where it stands; a mapping's value has the line of its key."""

    where: Where
    node: Node


class Document:
    """One file's YAML."""

    def __init__(self, file: str, text: str, findings: Findings) -> None:
        self._findings = findings
        self._memo: dict[int, dict[str, tuple[int, Node]] | None] = {}
        self.documents: list[Entry] = []
        """One for each document that has content; none where the file is empty or broken."""
        self.broken = False
        try:
            self.documents = [
                Entry(Where(file, node.start_mark.line + 1), node)
                for node in _composed(text)
                if not is_null(node)
            ]
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            self._break(Where(file, line), " ".join(str(error.problem or error.context).split()))
        except ReaderError as error:
            position = error.position if isinstance(error.position, int) else 0
            self._break(
                Where(file, text.count("\n", 0, position) + 1), "a character that YAML does not allow"
            )
        except RecursionError:
            self._break(Where(file, 1), "nested too deeply")

    def root(self) -> Entry | None:
        """The file's only document; None if the file is empty or broken."""
        for extra in self.documents[1:]:
            self._findings.problem(extra.where, "a second YAML document: one is due; delete the line ---")
        return self.documents[0] if self.documents else None

    def top(self) -> dict[str, Entry]:
        """The entries of the file's only document; none where it is empty or broken."""
        root = self.root()
        return self.section(root) if root else {}

    def section(self, entry: Entry) -> dict[str, Entry]:
        """The entries of a mapping, merge keys (<<) applied; none where it is empty."""
        if is_null(entry.node):
            return {}
        if not isinstance(entry.node, MappingNode):
            self._findings.problem(entry.where, f"{kind(entry.node)} where a map (key: value) is due")
            return {}
        pairs = self._pairs(entry.node, entry.where, 0)
        return {key: Entry(entry.where.at(line, key), node) for key, (line, node) in pairs.items()}

    def items(self, entry: Entry) -> list[Entry]:
        """The items of a list; none where it is empty."""
        if is_null(entry.node):
            return []
        if not isinstance(entry.node, SequenceNode):
            self._findings.problem(entry.where, f"{kind(entry.node)} where a list is due")
            return []
        file, key = entry.where.file, entry.where.key
        return [Entry(Where(file, node.start_mark.line + 1, key), node) for node in entry.node.value]

    def _break(self, where: Where, text: str) -> None:
        self.broken = True
        self._findings.problem(where, f"broken YAML: {text}")

    def _pairs(self, node: MappingNode, where: Where, depth: int) -> dict[str, tuple[int, Node]]:
        """A mapping's own pairs over those it merges in; each node is read once, however often it is merged."""
        if id(node) in self._memo:
            known = self._memo[id(node)]
            if known is None:
                self._findings.problem(where, "merges (<<) itself")
            return known or {}
        self._memo[id(node)] = None
        own: dict[str, tuple[int, Node]] = {}
        merged: dict[str, tuple[int, Node]] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == _MERGE:
                merged = {**self._merged(value, where, depth), **merged}
            elif not isinstance(key, ScalarNode):
                self._findings.problem(Where(where.file, line, where.key), f"{kind(key)} as a key")
            elif key.value in own:
                first = own[key.value][0]
                self._findings.problem(where.at(line, key.value), f"stands here twice, first in line {first}")
            else:
                own[key.value] = (line, value)
        pairs = {**merged, **own}
        self._memo[id(node)] = pairs
        return pairs

    def _merged(self, node: Node, where: Where, depth: int) -> dict[str, tuple[int, Node]]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[str, tuple[int, Node]] = {}
        for source in sources:
            if depth > _DEEPEST_MERGE or not isinstance(source, MappingNode):
                self._findings.problem(where, "a merge (<<) that is not a map, or merges too deeply")
                return {}
            merged = {**self._pairs(source, where, depth + 1), **merged}
        return merged


def _composed(text: str) -> Iterator[Node]:
    loader = yaml.SafeLoader(text)
    while loader.check_node():
        node = loader.get_node()
        if node is not None:
            yield node
