"""What the soak takes for memory that grows."""

import pytest

from soak.soaking import flat

MIB = 2**20


@pytest.mark.parametrize(
    "sizes",
    [
        [60, 80, 80, 81, 80, 80, 80, 82, 81, 80],
        [80, 80, 80, 90, 200, 90, 80, 80, 81, 80],
        [80, 81],
    ],
)
def test_memory_that_settles_is_flat_whatever_it_does_at_first_and_in_between(sizes: list[int]) -> None:
    assert flat("operator-0", [size * MIB for size in sizes]) == ""


def test_memory_that_grows_with_the_pods_is_told_with_its_process() -> None:
    sizes = [(80 + 3 * number) * MIB for number in range(10)]
    assert flat("operator-0", sizes) == "operator-0 grew from 89.0 to 107.0 MiB"
