"""Users' overrides, merged under either reading, as ResourceLimitOverrides."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from labquota.imports import names, readings
from labquota.imports.findings import Findings
from labquota.imports.keys import ORDER, WHOLE_GPU
from labquota.imports.layers import Layer, Setting
from labquota.imports.manifests import Manifest, manifest, spec_of
from labquota.imports.overlays import effective, overlay, warn_of_totals
from labquota.imports.sources import Source
from labquota.imports.useroverrides import UserOverride
from labquota.quota import owners
from labquota.quota.owners import Owner


class Semantics(StrEnum):
    """What a user's override lies over: their group (as documented), or the defaults alone (as coded)."""

    DOCUMENTED = "documented"
    CODE = "code"


def overrides(source: Source, semantics: Semantics, findings: Findings) -> Iterator[Manifest]:
    """Every override that changes a limit, by user name."""
    taken: set[str] = set()
    for override in source.overrides:
        if semantics is Semantics.CODE:
            fields: Mapping[str, Setting | None] = _as_coded(override, source)
        else:
            fields = _as_documented(override, source)
            warn_of_totals(
                f"user {override.user}", overlay(_layers(override, source)), findings, of=override.layer
            )
        if not fields:
            continue  # nothing but keys that labquota leaves out
        owner = Owner(f"user:{override.user}")
        name = override.user if names.is_object(override.user) else owners.object_name(owner)
        name = owners.object_name(owner) if name in taken else name
        taken.add(name)
        notes = {"reason": override.notes.get("reason"), "approvedBy": override.notes.get("approved_by")}
        yield manifest(
            "ResourceLimitOverride",
            name,
            {"owner": owner, **spec_of(fields), **{key: note for key, note in notes.items() if note}},
        )


def differing(source: Source) -> Iterator[readings.Differing]:
    """The users for whom the two readings give different limits."""
    for override in source.overrides:
        differences = readings.compare(_documented(override, source), _coded(override, source))
        if differences:
            group = source.group_of(override.user) or "none"
            yield readings.Differing(override.user, group, override.where, differences)


def _as_documented(override: UserOverride, source: Source) -> dict[str, Setting]:
    """The fields that the override touches, as they are over the group; all of them where there is no group.

    labquota merges an override over the person's group, so what it does not touch stays the group's.
    """
    touched = set(effective(override.layer, source.unit))
    if WHOLE_GPU not in override.layer.settings:
        touched.discard("allowWholeGPU")
    alone = source.group_of(override.user) is None
    return {
        field: setting
        for field, setting in _documented(override, source).items()
        if touched and (alone or field in touched)
    }


def _as_coded(override: UserOverride, source: Source) -> dict[str, Setting | None]:
    """Every field that any group sets, so that nothing of the group is left; None lifts a limit."""
    coded = _coded(override, source)
    of_groups = (
        effective(overlay((source.defaults, layer)), source.unit) for layer in source.groups.values()
    )
    named = set(coded).union(*of_groups)
    return {field: coded.get(field) for field in ORDER if field in named}


def _documented(override: UserOverride, source: Source) -> dict[str, Setting]:
    return effective(overlay(_layers(override, source)), source.unit)


def _coded(override: UserOverride, source: Source) -> dict[str, Setting]:
    return effective(overlay((source.defaults, override.layer)), source.unit)


def _layers(override: UserOverride, source: Source) -> list[Layer]:
    group = source.group_of(override.user)
    return [source.defaults, *([source.groups[group]] if group else []), override.layer]
