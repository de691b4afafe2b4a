"""docs/answers.md and docs/concepts.md name everything that labquota can say, count, log and be told; no more."""

import dataclasses
import re
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from labquota import metrics, settings
from labquota.quota import resources, verdict

ROOT = Path(__file__).parents[2]
ANSWERS = (ROOT / "docs" / "answers.md").read_text()
CONCEPTS = (ROOT / "docs" / "concepts.md").read_text()
LIMITABLE = ("gpu", "nvidia.com/mig-1g.10gb", "requests.cpu", "limits.memory", "pods", "example.com/fpga")


def test_every_code_of_a_refusal_is_explained_and_no_other() -> None:
    reasons = {value for value in vars(verdict).values() if isinstance(value, str) and value.isupper()}
    families = {f"AGGREGATE_{resources.family(key)}_QUOTA_EXCEEDED" for key in LIMITABLE}
    assert set(_first_column("Codes")) == reasons | families


def test_every_metric_is_listed_as_prometheus_shows_it_and_no_other() -> None:
    shown = set()
    for each in vars(metrics).values():
        if isinstance(each, MetricWrapperBase):
            [family] = each.describe()
            shown.add(family.name + ("_total" if family.type == "counter" else ""))
    assert set(_first_column("Metrics")) == shown


def test_the_table_of_settings_is_what_the_record_says() -> None:
    rows = [
        f"| `{settings.PREFIX}{field.name.upper()}` | {_default(field.default)} | {field.metadata['about']} |"
        for field in dataclasses.fields(settings.Settings)
    ]
    assert _section("Settings").splitlines()[-len(rows) :] == rows


@pytest.mark.parametrize("section", ["Log lines of the webhook", "Log lines of the operator"])
def test_every_line_that_an_administrator_may_look_for_is_logged(section: str) -> None:
    source = "".join(path.read_text() for path in (ROOT / "operator" / "labquota").rglob("*.py"))
    for line in _first_column(section):
        assert f'"{line}"' in source, f'nothing logs "{line}"'


def test_every_key_that_can_be_limited_is_in_the_table_of_keys() -> None:
    table = _table(CONCEPTS, "Keys and units")
    for key in resources.BUILT_IN:
        assert f"`{key}`" in table, f"{key} is not documented"
    for key in re.findall(r"`([a-z.-]+)`(?= is short for| and )", table):
        assert resources.canonical(key)


def _default(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`" if value != "" else "empty"


def _section(title: str, text: str = ANSWERS) -> str:
    match = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"no section {title!r}"
    return match[1].strip()


def _table(text: str, title: str) -> str:
    return "\n".join(line for line in _section(title, text).splitlines() if line.startswith("|"))


def _first_column(title: str) -> list[str]:
    """What stands in backquotes in the first cells of a section's table."""
    rows = _table(ANSWERS, title).splitlines()[2:]
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[1])]
