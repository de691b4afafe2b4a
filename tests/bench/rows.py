"""A row of the table: values by case, one for each repeat; and the arithmetic of percentiles and spreads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

__all__ = ["BenchError", "Row", "Spread", "percentile"]


class BenchError(Exception):
    """What was measured is not what was meant: a pod was refused, something did not settle."""


class Spread(NamedTuple):
    """The least, the median and the most of some values."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """The spread of at least one value."""
        return cls(min(values), percentile(values, 50), max(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed, between two of them by straight line.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values have no percentile")
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass
class Row:
    """One row.

    Attributes:
        key: what targets call it.
        title: what is measured.
        unit: of the values: `ms`, `pods/s`, `µs`, `bytes`, ...
        n: how much was measured, in words: "5 x 60 pods".
        values: by case, one a repeat.
    """

    key: str
    title: str
    unit: str
    n: str = ""
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, case: str, value: float) -> None:
        """Take the value of one more repeat."""
        self.values.setdefault(case, []).append(value)

    def spread(self, case: str) -> Spread:
        """The spread of a case over the repeats."""
        return Spread.of(self.values[case])

    def ratios(self, case: str, base: str) -> list[float]:
        """How a case compares with another, in each repeat."""
        return [
            mine / other for mine, other in zip(self.values[case], self.values[base], strict=True) if other
        ]


def by_key(rows: Sequence[Row]) -> Mapping[str, Row]:
    """Rows as targets look them up."""
    return {row.key: row for row in rows}
