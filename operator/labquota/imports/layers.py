"""One section of limits (defaults, a group, a user's override) as exact settings, each with its place."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec
from yaml.nodes import ScalarNode

from labquota.imports import keys, nodes
from labquota.imports.findings import Findings, Where
from labquota.imports.lines import Document, Entry
from labquota.imports.values import NO_LIMIT, UNLIMITED, Amount, BadValueError


class Setting(msgspec.Struct, frozen=True):
    """One value and the place that it comes from."""

    value: Amount
    where: Where


class Layer(msgspec.Struct, frozen=True):
    """A section's settings by meaning (`keys.ALIASES`, `keys.TARGETS`)."""

    settings: Mapping[str, Setting] = {}
    has_aggregate: bool = False
    extras: Mapping[str, Entry] = {}
    """Entries that the caller asked for and reads itself, such as `members`."""


class LayerReader(msgspec.Struct, frozen=True):
    """Reads sections under one reading of the GPU unit, and reports what they hold besides limits."""

    document: Document
    unit: keys.Unit
    allow_unknown: bool
    findings: Findings

    def read(self, entry: Entry, extras: Iterable[str] = (), later: Iterable[str] = ()) -> Layer:
        """Read one section.

        Args:
            entry: The section.
            extras: Keys that may stand here besides limits.
            later: Keys besides `keys.LATER` that are not imported yet.
        """
        settings: dict[str, Setting] = {}
        kept: dict[str, Entry] = {}
        by_meaning: dict[str, dict[str, Entry]] = {}
        section = self.document.section(entry)
        aggregate = self.document.section(section["aggregate"]) if "aggregate" in section else {}
        known = {*keys.WRITTEN, *extras, *later}
        for key in [key for key in section if "." in key]:
            self.unknown(key, section.pop(key).where, ())  # a path is no key
        found = {**section, **{f"aggregate.{key}": value for key, value in aggregate.items()}}
        for key, value in found.items():
            meaning = keys.MEANING.get(key, key)
            if key in extras:
                kept[key] = value
            elif key in keys.LATER or key in later:
                self._left_out(key, value)
            elif key in keys.NEVER:
                self.findings.never(value.where, key.rpartition(".")[2], keys.NEVER[key])
            elif key in keys.LIMITS:
                by_meaning.setdefault(meaning, {})[key] = value
            elif key != "aggregate":
                self.unknown(key, value.where, known)
        for meaning, named in by_meaning.items():
            name, value = self._newest(meaning, named)
            setting = self._setting(meaning, name, value)
            if setting is not None:
                settings[meaning] = setting
        return Layer(settings, has_aggregate=bool(aggregate), extras=kept)

    def unknown(self, key: str, where: Where, known: Iterable[str]) -> None:
        """Report a key that nobody knows."""
        hint = keys.nearest(key, known)
        if self.allow_unknown:
            self.findings.warn(where, f"unknown key, ignored{hint}")
        else:
            self.findings.problem(where, f"unknown key{hint} (--allow-unknown ignores it)")

    def _left_out(self, key: str, value: Entry) -> None:
        if key == "policies" and nodes.is_null(value.node):
            return  # a section of nothing but comments
        self.findings.later(value.where, key)

    def _newest(self, meaning: str, named: Mapping[str, Entry]) -> tuple[str, Entry]:
        names = [name for name in keys.ALIASES.get(meaning, (meaning,)) if name in named]
        for older in names[1:]:
            self.findings.warn(
                named[older].where,
                f"ignored: {names[0]} in line {named[names[0]].where.line} is the newer name of the same limit",
            )
        return names[0], named[names[0]]

    def _setting(self, meaning: str, name: str, entry: Entry) -> Setting | None:
        node, where = entry.node, entry.where
        if not isinstance(node, ScalarNode):
            self.findings.problem(where, f"{nodes.kind(node)} where a single value is due")
            return None
        if meaning == keys.WHOLE_GPU:
            whole = nodes.flag(node)
            if whole is None:
                self.findings.problem(where, f'"{node.value[:40]}" where true or false is due')
                return None
            return Setting(Amount(Decimal(whole), whole), where)
        if nodes.is_null(node) or node.value.lower() == UNLIMITED:
            if not node.value:
                self.findings.warn(where, f"has no value, which means unlimited: write {name}: null if it is")
            return Setting(NO_LIMIT, where)
        gpus = meaning in (keys.GPU_CAP, keys.GPU_LIMIT)
        try:
            return Setting((self.unit.read if gpus else keys.READERS[meaning])(node.value), where)
        except BadValueError as error:
            self.findings.problem(where, str(error))
            return None
