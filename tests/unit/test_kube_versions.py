import pytest

from labquota.kube import versions


@pytest.mark.parametrize(
    ("a", "b", "newer"),
    [
        ("10", "9", True),
        ("9", "10", False),
        ("11", "10", True),
        ("10", "10", False),
        ("1", "", True),
        ("", "", False),
    ],
)
def test_versions_compare_as_numbers(a: str, b: str, newer: bool) -> None:  # noqa: FBT001  a table's column
    assert versions.newer(a, b) is newer


def test_the_latest_of_two_is_the_newer() -> None:
    assert versions.latest("99", "100") == versions.latest("100", "99") == "100"
