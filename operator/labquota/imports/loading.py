"""Limits without a cluster: for commands that answer from files (`--config DIR`)."""

from pathlib import Path

import msgspec

from labquota.api import ResourceLimitGroup, ResourceLimitOverride
from labquota.imports import folder
from labquota.imports.convert import Options, convert
from labquota.imports.findings import Findings, Where
from labquota.imports.objects import ManifestReader


class LoadError(ValueError):
    """Files that cannot be used; the message has one line for each problem, with file and line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Loaded(msgspec.Struct, frozen=True):
    """What the files hold, as if it had been applied to a cluster."""

    groups: tuple[ResourceLimitGroup, ...]
    overrides: tuple[ResourceLimitOverride, ...]
    warnings: tuple[str, ...] = ()


def load(path: Path, options: Options = Options()) -> Loaded:  # noqa: B008  # frozen
    """Read limits from a folder or a file.

    Args:
        path: A folder of the older system (it holds resource-limits.yaml), a folder of labquota's manifests
            (*.yaml and *.yml, its own files and those of folders inside), or one manifest file.
        options: How to read the older system's folder.

    Raises:
        LoadError: Something cannot be read, or the folder holds no limits at all.
    """
    if (path / folder.LIMITS).is_file():
        converted = convert(path, options)
        if converted.findings.problems:
            raise LoadError(converted.findings.problems)
        return Loaded(
            tuple(msgspec.convert(group, ResourceLimitGroup) for group in converted.groups),
            tuple(msgspec.convert(override, ResourceLimitOverride) for override in converted.overrides),
            tuple(converted.findings.warnings),
        )
    return _manifests(path)


def _manifests(path: Path) -> Loaded:
    findings = Findings()
    reader = ManifestReader(findings)
    files = (
        [path] if path.is_file() else sorted(p for p in path.rglob("*.y*ml") if p.suffix in (".yaml", ".yml"))
    )
    for file in files:
        text = folder.contents(file, findings)
        if text is not None:
            reader.read(str(file), text)
    if not reader.groups and not findings.problems:
        findings.problem(
            Where(str(path)), f"holds neither {folder.LIMITS} nor a manifest of a ResourceLimitGroup"
        )
    if findings.problems:
        raise LoadError(findings.problems)
    return Loaded(tuple(reader.groups), tuple(reader.overrides))
