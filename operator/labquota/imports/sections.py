"""The parts of resource-limits.yaml that hold no limits: the default group, enforcement, and what is left out."""

from collections.abc import Collection, Mapping
from typing import Final

from yaml.nodes import ScalarNode

from labquota.imports import keys, nodes
from labquota.imports.findings import Findings, Where
from labquota.imports.layers import LayerReader
from labquota.imports.lines import Entry

_READ: Final = frozenset({"defaults", "default_group", "groups", "user_overrides", "enforcement"})


def default_group(
    top: Mapping[str, Entry], groups: Collection[str], file: str, findings: Findings
) -> str | None:
    """The group of people who are in no group; one that is not defined is a problem."""
    entry = top.get("default_group")
    if entry is None or nodes.is_null(entry.node):
        where = entry.where if entry else Where(file, key="default_group")
        findings.warn(where, "is not set: people who are in no group will not be limited")
        return None
    name: str | None = entry.node.value if isinstance(entry.node, ScalarNode) else None
    if name is None:
        findings.problem(entry.where, f"{nodes.kind(entry.node)} where the name of a group is due")
    elif name not in groups:
        hint = keys.nearest(name, groups)
        findings.problem(entry.where, f"group {name} is not defined under groups{hint}")
    else:
        return name
    return None


def report(top: Mapping[str, Entry], reader: LayerReader) -> None:
    """Say of every other section what becomes of it. Empty ones count as absent."""
    for key, entry in top.items():
        if key in _READ or nodes.is_null(entry.node):
            continue
        if key in keys.LATER_SECTIONS:
            reader.findings.later(entry.where, key)
        elif key in keys.NEVER_SECTIONS:
            reader.findings.never(entry.where, key, keys.NEVER_SECTIONS[key])
        else:
            reader.unknown(key, entry.where, {*_READ, *keys.LATER_SECTIONS, *keys.NEVER_SECTIONS})
    if "enforcement" in top:
        for key, entry in reader.document.section(top["enforcement"]).items():
            _enforcement(key, entry, reader)


def _enforcement(key: str, entry: Entry, reader: LayerReader) -> None:
    full = f"enforcement.{key}"
    if key == "aggregate_limits":
        enforced = nodes.flag(entry.node)
        if enforced is None:
            reader.findings.problem(entry.where, f"{nodes.kind(entry.node)} where true or false is due")
        elif not enforced:
            reader.findings.warn(
                entry.where,
                "the older system did not enforce its aggregate sections; labquota will, "
                "unless a group says spec.enforcement: Warn or Off",
            )
    elif full in keys.NEVER_SECTIONS:
        reader.findings.never(entry.where, full, keys.NEVER_SECTIONS[full])
    else:
        reader.unknown(key, entry.where, ("aggregate_limits", "cgroup_driver"))
