"""The table of proofs names tests and files that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "proofs.md").read_text()


def test_every_test_in_the_table_of_proofs_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    cluster = "\n".join(path.read_text() for path in (TESTS / "cluster").glob("test_*.py"))
    written = set(re.findall(r"def (test_\w+)\(", cluster))
    assert len(named) > 50
    assert named - written == set()


def test_every_file_in_the_table_of_proofs_exists() -> None:
    for name in re.findall(r"`(test_\w+\.py)`", PAGE):
        assert (TESTS / "cluster" / name).is_file(), name
