"""The benchmark's arithmetic: percentiles, ratios within a turn, and which targets count as held."""

import pytest

from bench import targets
from bench.report import report
from bench.rows import Row, Spread, percentile
from bench.targets import Judgement, Target


def row(key: str, **values: list[float]) -> Row:
    return Row(key, "1 client", "ms", "3 x 10", values)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([3.0], 99, 3.0),
        ([1.0, 2.0, 3.0], 50, 2.0),
        ([4.0, 1.0, 2.0, 3.0], 50, 2.5),
        ([float(number) for number in range(101)], 99, 99.0),
        ([0.0, 10.0], 100, 10.0),
    ],
)
def test_a_percentile_lies_between_its_two_neighbours(
    values: list[float], percent: float, expected: float
) -> None:
    assert percentile(values, percent) == expected


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values have no percentile"):
        percentile([], 50)


def test_ratios_are_taken_within_a_turn_so_that_a_slow_machine_cancels() -> None:
    measured = row("r", labquota=[11.0, 22.0, 110.0], quota=[10.0, 20.0, 100.0])
    assert Spread.of(measured.ratios("labquota", "quota")) == pytest.approx((1.1, 1.1, 1.1))


def test_turns_that_one_side_lacks_are_an_error() -> None:
    with pytest.raises(ValueError, match="is longer than"):
        row("r", labquota=[1.0], quota=[1.0, 2.0]).ratios("labquota", "quota")


@pytest.mark.parametrize(
    ("target", "held", "missed"),
    [
        (Target("r", "at most", most=1.15), 1.15, 1.16),
        (Target("r", "at least", least=0.9), 0.9, 0.89),
    ],
)
def test_a_target_is_met_at_its_bound(target: Target, held: float, missed: float) -> None:
    assert target.met(held)
    assert not target.met(missed)


def test_a_target_holds_by_its_median_and_says_in_how_many_turns() -> None:
    judged = Judgement(Target("r", "at most 1", most=1), Spread(0.9, 1.0, 1.5), met=2, of=3)
    assert judged.holds


def test_every_target_names_a_row_once_and_what_is_not_measured_is_not_judged() -> None:
    texts = [each.text for each in targets.TARGETS if not each.stretch]
    assert len(texts) == len(set(texts))
    measured = row("one-stamped", labquota=[11.0, 12.0], quota=[10.0, 10.0])
    judged = targets.judge({"one-stamped": measured})
    assert [(each.target.most, each.met, each.of, each.holds) for each in judged] == [
        (1.15, 1, 2, True),
        (1.0, 0, 2, False),
    ]


def test_the_table_shows_medians_spreads_ratios_and_what_missed() -> None:
    measured = row(
        "one-stamped", none=[5.0, 6.0, 7.0], yes=[6.0] * 3, quota=[10.0] * 3, labquota=[11.0, 12.0, 13.0]
    )
    lines = report([measured], targets.judge({"one-stamped": measured})).splitlines()
    assert lines[2].split("  ")[0] == "1 client"
    assert "6 [5 - 7]" in lines[2]
    assert "12 [11 - 13]" in lines[2]
    assert lines[3].split() == [
        "x",
        "0.60",
        "[0.50",
        "-",
        "0.70]",
        "0.60",
        "1",
        "1.20",
        "[1.10",
        "-",
        "1.30]",
    ]
    missed = next(line for line in lines if line.startswith("one client, stamped"))
    assert missed.split("  ")[-1] == "1 of 3"
    assert "MISSED" in missed
