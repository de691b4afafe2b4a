"""From the older configuration to ResourceLimitGroups and ResourceLimitOverrides, as plain manifests."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from labquota.imports import folder, people, readings, sources
from labquota.imports.findings import Findings
from labquota.imports.keys import Unit
from labquota.imports.manifests import Manifest, manifest, spec_of
from labquota.imports.overlays import effective, overlay, warn_of_totals
from labquota.imports.people import Semantics
from labquota.imports.sources import Source

MOST_SUBJECTS: Final = 1000
"""The most that a ResourceLimitGroup's schema takes."""


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
    groups = [part for name in sorted(source.groups) for part in _group(name, source, findings)]
    overrides = list(people.overrides(source, options.semantics, findings))
    findings.readings.extend(readings.lines(list(people.differing(source)), followed=options.semantics))
    if findings.problems:
        return Converted(findings, source.unit)
    return Converted(findings, source.unit, groups, overrides)


def _group(name: str, source: Source, findings: Findings) -> Iterator[Manifest]:
    """One group; in parts with the same limits where it has more users than one object takes."""
    layer = overlay((source.defaults, source.groups[name]))
    warn_of_totals(f"group {name}", layer, findings)
    fields = effective(layer, source.unit)
    totals = {field: setting for field, setting in fields.items() if field.startswith("aggregate.")}
    if not layer.has_aggregate and all(setting.value.size is None for setting in totals.values()):
        fields = {field: setting for field, setting in fields.items() if field not in totals}
    users = source.members.of(name)
    for part, first in enumerate(range(0, max(len(users), 1), MOST_SUBJECTS), start=1):
        subjects = [{"kind": "User", "name": user} for user in users[first : first + MOST_SUBJECTS]]
        yield manifest(
            "ResourceLimitGroup",
            name if part == 1 else f"{name}-part-{part}",
            {
                **({"defaultFor": ["User"]} if name == source.default_group and part == 1 else {}),
                **({"subjects": subjects} if subjects else {}),
                **spec_of(fields),
            },
        )
