"""The whole configuration as exact layers: defaults, each group, each user's override, and who is in which group.

Everything that can be wrong with one value or one name is found here; what the layers mean together is
`convert`'s question.
"""

from collections.abc import Mapping, Sequence

import msgspec
from yaml.nodes import ScalarNode

from labquota.imports import exemptions, keys, nodes, sections, useroverrides, vintage
from labquota.imports.findings import Findings, Where
from labquota.imports.folder import Folder, Text
from labquota.imports.layers import Layer, LayerReader
from labquota.imports.lines import Document, Entry
from labquota.imports.members import Members
from labquota.imports.names import check_group
from labquota.imports.useroverrides import UserOverride


class Source(msgspec.Struct, frozen=True):
    """The configuration, read."""

    unit: keys.Unit
    defaults: Layer
    groups: Mapping[str, Layer]
    default_group: str | None
    members: Members
    overrides: Sequence[UserOverride]

    def group_of(self, user: str) -> str | None:
        """The group that limits a user; None if there is none."""
        listed = self.members.group(user)
        return listed if listed in self.groups else self.default_group


def read(folder: Folder, unit: keys.Unit | None, findings: Findings, *, allow_unknown: bool) -> Source:
    """Read the folder's texts; `unit` None lets the keys' names tell what a GPU limit counts."""
    limits = _document(folder.limits, findings)
    top = limits.top() if limits else {}
    groups = limits.section(top["groups"]) if limits and "groups" in top else {}
    users = useroverrides.entries(limits, _document(folder.overrides, findings))
    layers = [(limits, entry) for entry in (top.get("defaults"), *groups.values()) if limits and entry]
    chosen = unit or vintage.of([*layers, *users], findings)
    exemptions.report(_document(folder.exemptions, findings), findings)

    def reader(document: Document) -> LayerReader:
        return LayerReader(document, chosen, allow_unknown, findings)

    defaults, of_groups, default, members = Layer(), dict[str, Layer](), None, Members(findings)
    if limits and folder.limits and not limits.broken:
        defaults = reader(limits).read(top["defaults"]) if "defaults" in top else defaults
        of_groups = {name: _group(name, entry, reader(limits), members) for name, entry in groups.items()}
        default = sections.default_group(top, groups, folder.limits.file, findings)
        sections.report(top, reader(limits))
        if not groups:
            findings.problem(Where(folder.limits.file, key="groups"), "defines no group: nothing to import")
    # Nobody can say which groups are defined where the file that defines them cannot be read.
    known = of_groups if limits and not limits.broken else None
    for file in folder.members:
        members.read(file, known)
    if folder.group_overrides:
        members.check(folder.group_overrides, known)
    overrides = [useroverrides.read(reader(document), entry) for document, entry in users]
    return Source(
        chosen, defaults, of_groups, default, members, [found for found in overrides if found is not None]
    )


def _group(name: str, entry: Entry, reader: LayerReader, members: Members) -> Layer:
    check_group(name, entry.where, reader.findings)
    layer = reader.read(entry, extras=("members",))
    for item in reader.document.items(layer.extras["members"]) if "members" in layer.extras else ():
        if isinstance(item.node, ScalarNode):
            members.add(name, item.node.value.strip(), item.where)
        else:
            reader.findings.problem(item.where, f"{nodes.kind(item.node)} where a user name is due")
    return layer


def _document(text: Text | None, findings: Findings) -> Document | None:
    return Document(text.file, text.text, findings) if text else None
