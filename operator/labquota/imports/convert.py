"""From the older configuration to ResourceLimitGroups and ResourceLimitOverrides, as plain manifests."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from labquota.imports import folder, people, readings, sources
from labquota.imports.findings import Findings
from labquota.imports.keys import Unit
from labquota.imports.manifests import Manifest, manifest, spec_of
from labquota.imports.overlays import effective, overlay, warn_of_totals
from labquota.imports.people import Semantics
from labquota.imports.sources import Source


class Options(msgspec.Struct, frozen=True):
    """How to read what the files leave open."""

    unit: Unit | None = None
    """None: the keys' names tell."""
    semantics: Semantics = Semantics.DOCUMENTED
    allow_unknown: bool = False


class Converted(msgspec.Struct, frozen=True):
    """The result. With problems in `findings`, there are no manifests."""

    findings: Findings
    unit: Unit
    groups: Sequence[Manifest] = ()
    overrides: Sequence[Manifest] = ()

    @property
    def manifests(self) -> list[Manifest]:
        """Groups before overrides, each in the order of their names."""
        return [*self.groups, *self.overrides]


def convert(directory: Path, options: Options = Options()) -> Converted:  # noqa: B008  # frozen
    """Read a folder of the older system and say what labquota has instead."""
    findings = Findings()
    source = sources.read(
        folder.read(directory, findings), options.unit, findings, allow_unknown=options.allow_unknown
    )
    groups = [_group(name, source, findings) for name in sorted(source.groups)]
    overrides = list(people.overrides(source, options.semantics, findings))
    findings.readings.extend(readings.lines(list(people.differing(source)), followed=options.semantics))
    if findings.problems:
        return Converted(findings, source.unit)
    return Converted(findings, source.unit, groups, overrides)


def _group(name: str, source: Source, findings: Findings) -> Manifest:
    layer = overlay((source.defaults, source.groups[name]))
    warn_of_totals(f"group {name}", layer, findings)
    fields = effective(layer, source.unit)
    totals = {field: setting for field, setting in fields.items() if field.startswith("aggregate.")}
    if not layer.has_aggregate and all(setting.value.size is None for setting in totals.values()):
        fields = {field: setting for field, setting in fields.items() if field not in totals}
    users = source.members.of(name)
    return manifest(
        "ResourceLimitGroup",
        name,
        {
            **({"defaultFor": ["User"]} if name == source.default_group else {}),
            **({"subjects": [{"kind": "User", "name": user} for user in users]} if users else {}),
            **spec_of(fields),
        },
    )
