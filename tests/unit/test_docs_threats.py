"""The threat model and the tests of escapes are one: each line names its tests, and each test has its line."""

import re
from pathlib import Path

import pytest

CLUSTER = Path(__file__).parents[1] / "cluster"
PAGE = (Path(__file__).parents[2] / "docs" / "threats.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "| tests |" not in line]
LEAST = 30
"""As many ways to escape, to charge somebody else, or to make a second budget are tried at least."""


def written(pattern: str) -> set[str]:
    """The tests in files of that name."""
    text = "\n".join(path.read_text() for path in CLUSTER.glob(pattern))
    return set(re.findall(r"def (test_\w+)\(", text))


def test_every_test_that_the_threat_model_names_exists() -> None:
    assert set(re.findall(r"`(test_\w+)`", PAGE)) - written("test_*.py") == set()


def test_every_test_of_an_escape_has_a_line_in_the_threat_model() -> None:
    assert written("test_escape_*.py") - set(re.findall(r"`(test_\w+)`", PAGE)) == set()


def test_enough_has_been_tried() -> None:
    assert len(ROWS) >= LEAST
    assert len(written("test_escape_*.py")) >= LEAST


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_every_line_says_what_is_tried_what_happens_and_which_test_shows_it(row: str) -> None:
    tried, happens, tests = (cell.strip() for cell in row.strip("| ").split(" | "))
    assert tried
    assert happens
    assert re.fullmatch(r"`test_\w+`(, `test_\w+`)*", tests)
