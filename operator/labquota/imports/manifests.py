"""labquota's objects as plain data, and as YAML in one fixed form."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from labquota.api import API_VERSION
from labquota.imports.layers import Setting
from labquota.imports.values import UNLIMITED

Manifest = dict[str, Any]


def manifest(kind: str, name: str, spec: Manifest) -> Manifest:
    """One object of labquota's."""
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def spec_of(fields: Mapping[str, Setting | None]) -> Manifest:
    """Fields such as "perPod.gpu" as a nested spec; None lifts a limit."""
    spec: Manifest = {}
    for field, setting in fields.items():
        section, dot, key = field.partition(".")
        shown = setting.value.shown if setting else UNLIMITED
        if dot:
            spec.setdefault(section, {})[key] = shown
        else:
            spec[section] = shown
    return spec


def dump(manifests: Iterable[Manifest]) -> str:
    """Manifests as a stream of YAML documents; the same manifests give the same text."""
    return yaml.safe_dump_all(
        manifests,
        explicit_start=True,
        sort_keys=False,
        allow_unicode=True,
        width=120,
        default_flow_style=False,
    )
