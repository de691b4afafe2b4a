"""README: what it says of the sample groups is what they hold, and its two commands are there."""

import re
from pathlib import Path

import yaml

from labquota.cli.main import cli
from labquota.quota import owners

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
GROUPS = [
    each for each in yaml.safe_load_all((ROOT / "config" / "samples" / "groups.yaml").read_text()) if each
]


def test_the_table_of_groups_is_what_the_samples_hold() -> None:
    rows = {cells[0]: cells[1:6] for cells in _cells("group")}
    assert set(rows) == {each["metadata"]["name"] for each in GROUPS}
    for each in GROUPS:
        limits = each["spec"].get("aggregate", {})
        keys = ("gpu", "requests.cpu", "requests.memory", "pods")
        amounts = [str(limits.get(key, "")) for key in keys]
        one = each["spec"]["perPod"]
        pod = f"{one['gpu']} GPUs, {one['requests.cpu']} CPU, {one['requests.memory']}" if limits else ""
        assert rows[each["metadata"]["name"]] == [*amounts, pod]


def test_readme_starts_with_the_two_commands_and_the_makefile_has_them() -> None:
    commands = re.findall(r"^    make (\w+)", README, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert commands[:2] == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in commands)


def test_budgets_are_shown_under_the_names_that_they_have() -> None:
    name = owners.object_name(owners.parse("user:alice"))
    for page in (README, (ROOT / "docs" / "concepts.md").read_text()):
        assert re.findall(r"^    (alice-\S+)", page, re.MULTILINE) == [name]


def test_the_commands_that_readme_shows_exist() -> None:
    shown = {cells[0].strip("`").split()[1] for cells in _cells("command")}
    assert shown <= set(cli.list_commands(None))  # type: ignore[arg-type]  # click's context is not looked at


def _cells(first: str) -> list[list[str]]:
    """The rows of the table whose first heading is this."""
    found = re.search(rf"^\| {first} \|.*\n\|[-|]+\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert found, f"no table of {first}"
    return [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in found[1].splitlines()]
