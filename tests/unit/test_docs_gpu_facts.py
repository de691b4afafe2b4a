"""Each fact of the field stands beside tests that exist."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "gpu-facts.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and line != "| fact | tests |"]
LEAST = 55
"""As many facts as the field has taught, one a line."""


def test_there_is_a_line_for_every_fact() -> None:
    assert len(ROWS) >= LEAST


def test_every_test_beside_a_fact_exists() -> None:
    text = "\n".join(path.read_text() for path in TESTS.glob("*/test_*.py"))
    assert set(re.findall(r"`(test_\w+)`", PAGE)) - set(re.findall(r"def (test_\w+)\(", text)) == set()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_every_line_says_a_fact_and_which_tests_hold_it(row: str) -> None:
    fact, tests = (cell.strip() for cell in row.strip("| ").split(" | "))
    assert fact
    assert re.fullmatch(r"`test_\w+`(, `test_\w+`)*", tests)
