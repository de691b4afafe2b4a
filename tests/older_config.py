"""Builds folders of the older limiter's configuration, so that a test shows only the lines that matter to it."""

import textwrap
from pathlib import Path
from typing import Any

from labquota import imports

ONE_GROUP = """\
default_group: student
groups:
  student:
    max_mig_instances: 3
"""


def write(folder: Path, limits: str = ONE_GROUP, **files: str) -> Path:
    """Write resource-limits.yaml and other files; `user_overrides="…"` is user-overrides.yaml and so on.

    A name that begins with `members_` is a member file: `members_student="alice"`.
    """
    names = {
        "user_overrides": "user-overrides.yaml",
        "group_overrides": "group-overrides.txt",
        "lifecycle_exemptions": "lifecycle-exemptions.yaml",
    }
    (folder / "groups").mkdir(exist_ok=True)
    (folder / "resource-limits.yaml").write_text(textwrap.dedent(limits), "utf-8")
    for name, text in files.items():
        group = name.removeprefix("members_")
        path = folder / (f"groups/{group}.members" if group != name else names[name])
        path.write_text(textwrap.dedent(text), "utf-8")
    return folder


def problems(folder: Path, **options: Any) -> list[str]:
    """What is wrong with a folder, with paths as seen from inside it; nothing may come out beside problems."""
    converted = imports.convert(folder, imports.Options(**options))
    found = converted.findings.problems
    assert not (found and converted.manifests)
    return [line.replace(f"{folder}/", "") for line in found]


def warnings(folder: Path, **options: Any) -> list[str]:
    """What a folder's import warns of."""
    converted = imports.convert(folder, imports.Options(**options))
    assert converted.findings.problems == []
    return [line.replace(f"{folder}/", "") for line in converted.findings.warnings]


def report(folder: Path, **options: Any) -> list[str]:
    """The whole report, line by line."""
    converted = imports.convert(folder, imports.Options(**options))
    assert converted.findings.problems == []
    return [line.replace(f"{folder}/", "") for line in converted.findings.report()]


def specs(folder: Path, kind: str = "ResourceLimitGroup", **options: Any) -> dict[str, dict[str, Any]]:
    """The specs of one kind by object name."""
    converted = imports.convert(folder, imports.Options(**options))
    assert converted.findings.problems == []
    found = [each for each in converted.manifests if each["kind"] == kind]
    return {each["metadata"]["name"]: each["spec"] for each in found}
