"""labquota's own manifests, read from files with the place of every mistake."""

from typing import Any, Final

import msgspec
from yaml.nodes import MappingNode, SequenceNode

from labquota.api import API_VERSION, ResourceLimitGroup, ResourceLimitOverride
from labquota.imports import nodes
from labquota.imports.findings import Findings, Where
from labquota.imports.lines import Document, Entry
from labquota.quota import compiling

_KINDS: Final = {"ResourceLimitGroup": ResourceLimitGroup, "ResourceLimitOverride": ResourceLimitOverride}
_DEEPEST: Final = 64
_MOST_VALUES: Final = 200_000  # an alias stays small in the file and may be huge when written out


class ManifestReader:
    """Reads labquota's own manifests; objects of other kinds are none of its business."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._values = 0
        self.groups: list[ResourceLimitGroup] = []
        self.overrides: list[ResourceLimitOverride] = []

    def read(self, file: str, text: str) -> None:
        """Take in one file; a List is read through."""
        document = Document(file, text, self._findings)
        for entry in document.documents if not document.broken else ():
            self._value(document, entry)

    def _value(self, document: Document, entry: Entry) -> None:
        manifest = self._plain(document, entry, 0)
        if not isinstance(manifest, dict):
            return
        found = manifest.get("items") if manifest.get("kind") == "List" else [manifest]
        for one in found if isinstance(found, list) else []:
            kind = one.get("kind") if isinstance(one, dict) else None
            if isinstance(kind, str) and kind in _KINDS and one.get("apiVersion") == API_VERSION:
                self._convert(one, kind, entry.where)

    def _convert(self, manifest: dict[str, Any], kind: str, where: Where) -> None:
        try:
            read = msgspec.convert(manifest, _KINDS[kind])
        except msgspec.ValidationError as error:
            self._findings.problem(where, f"{kind}: {error}")
            return
        if isinstance(read, ResourceLimitGroup):
            problems = compiling.group(read).problems
            self.groups.append(read)
        else:
            problems = compiling.override(read).problems
            self.overrides.append(read)
        for problem in problems:
            self._findings.problem(where, f"{kind}/{read.metadata.name}: {problem}")

    def _plain(self, document: Document, entry: Entry, depth: int) -> Any:
        """A node as JSON has it: times stay texts, as the API server reads them."""
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES:
            self._findings.problem(entry.where, "too deep or too large for a manifest")
            return None
        if isinstance(entry.node, MappingNode):
            return {
                key: self._plain(document, value, depth + 1)
                for key, value in document.section(entry).items()
                if self._values <= _MOST_VALUES
            }
        if isinstance(entry.node, SequenceNode):
            return [
                self._plain(document, item, depth + 1)
                for item in document.items(entry)
                if self._values <= _MOST_VALUES
            ]
        return nodes.scalar(entry.node)
