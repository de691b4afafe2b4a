"""The table: the cases side by side, what stands alone, and the targets with the repeats that met them."""

from collections.abc import Sequence

from bench.rows import Row, Spread
from bench.targets import Judgement

__all__ = ["report"]

_TITLES = {"none": "no quota", "yes": "says yes", "quota": "ResourceQuota", "labquota": "labquota"}
_OTHERS = {
    "quotas": "50 ResourceQuotas",
    "ten": "10 pods",
    "many": "many pods",
    "calm": "calm",
    "listing": "meanwhile",
}


def report(rows: Sequence[Row], judgements: Sequence[Judgement]) -> str:
    """All of it as text."""
    beside = [row for row in rows if set(_TITLES) <= set(row.values)]
    alone = [row for row in rows if row not in beside]
    parts = [_side_by_side(beside)] if beside else []
    return "\n\n".join([*parts, _alone(alone), _targets(judgements)])


def _side_by_side(rows: Sequence[Row]) -> str:
    head = ["median [least - most] of the turns", "n", "", *_TITLES.values()]
    body = []
    for row in rows:
        body.append([row.title, row.n, row.unit, *(_spread(row, case) for case in _TITLES)])
        # beside ResourceQuota, turn by turn: what the targets speak of
        ratios = {case: row.ratios(case, "quota") for case in _TITLES}
        body.append(["", "", "x", *(_numbers(values) for values in ratios.values())])
    return _lines([head, *body])


def _alone(rows: Sequence[Row]) -> str:
    body = []
    for row in rows:
        titles = {**_TITLES, **_OTHERS}
        cases = ", ".join(f"{titles[case]} {_spread(row, case)}" for case in row.values)
        body.append([row.title, row.n, row.unit, cases])
    return _lines([["what stands alone", "n", "", ""], *body])


def _targets(judgements: Sequence[Judgement]) -> str:
    body = [
        [
            judgement.target.text,
            _numbers(judgement.spread),
            "holds" if judgement.holds else "MISSED",
            f"{judgement.met} of {judgement.of}",
        ]
        for judgement in judgements
    ]
    return _lines([["target", "measured", "", "turns that meet it"], *body])


def _spread(row: Row, case: str) -> str:
    return _numbers(row.values[case])


def _numbers(values: Sequence[float]) -> str:
    """`6.1 [5.9 - 6.4]`, or the one value."""
    spread = Spread.of(values)
    middle = _number(spread.median)
    if spread.least == spread.most:
        return middle
    return f"{middle} [{_number(spread.least)} - {_number(spread.most)}]"


def _number(value: float) -> str:
    if value == int(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _lines(table: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in table]
    texts.insert(1, "-" * max(map(len, texts)))
    return "\n".join(text.rstrip() for text in texts)
