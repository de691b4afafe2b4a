"""The tables of proofs name tests that exist."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "proofs.md").read_text()
SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| what |")]


def test_every_test_in_the_tables_of_proofs_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    text = "\n".join(path.read_text() for path in TESTS.glob("*/test_*.py"))
    written = set(re.findall(r"def (test_\w+)\(", text))
    assert len(named) > 100
    assert named - written == set()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_line_of_the_tables_of_proofs_names_a_test_and_no_mere_file(row: str) -> None:
    assert re.search(r"`test_\w+`", row)
    assert ".py`" not in row


def test_the_proofs_are_numbered_one_to_eight() -> None:
    assert [section[:3] for section in SECTIONS] == [f"{number}. " for number in range(1, 9)]
