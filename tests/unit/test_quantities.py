import pytest

from labquota.quota import quantities
from labquota.quota.quantities import MAX, MILLI, NANO, QuantityError

CEILING = MAX * NANO


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("0", 0),
        ("1", NANO),
        ("+1", NANO),
        ("-1", -NANO),
        ("007", 7 * NANO),
        ("500m", NANO // 2),
        ("3u", 3000),
        ("3n", 3),
        ("1k", 10**12),
        ("1M", 10**15),
        ("1G", 10**18),
        ("1T", 10**21),
        ("1P", 10**24),
        ("1E", 10**27),
        ("1Ki", 2**10 * NANO),
        ("1Mi", 2**20 * NANO),
        ("1Ti", 2**40 * NANO),
        ("1Pi", 2**50 * NANO),
        ("1Ei", 2**60 * NANO),
        ("1.5Gi", 3 * 2**29 * NANO),
        ("1.", NANO),
        (".5", NANO // 2),
        ("1e3", 1000 * NANO),
        ("1E3", 1000 * NANO),
        ("12e-2", 120_000_000),
        (5, 5 * NANO),
        (0.5, NANO // 2),
        (1e22, CEILING),
    ],
)
def test_a_quantity_is_read_exactly(text: str | float, nano: int) -> None:
    assert quantities.parse(text) == nano


@pytest.mark.parametrize(
    ("text", "nano"),
    [("0.1n", 1), ("1.0000000001", NANO + 1), ("-0.1n", -1), ("1e-999999999", 1), ("0e-999999999", 0)],
)
def test_what_is_finer_than_a_nano_unit_is_rounded_away_from_zero(text: str, nano: int) -> None:
    assert quantities.parse(text) == nano


@pytest.mark.parametrize(
    "text",
    ["8Ei", "9223372036854775807", "9223372036854775808", "1e999999999", "1e2147483647", "9" * 2_000_000],
    ids=lambda text: text[:20],
)
def test_what_is_too_large_saturates_and_costs_nothing(text: str) -> None:
    assert quantities.parse(text) == CEILING
    assert quantities.parse(f"-{text}") == -CEILING


def test_a_json_number_too_large_saturates_too() -> None:
    assert quantities.parse(10**5000) == CEILING
    assert quantities.parse(-(10**5000)) == -CEILING
    with pytest.raises(QuantityError, match=r"is negative: write 0 or more$"):
        quantities.stored(-(10**5000))


def test_a_very_long_fraction_is_rounded_by_its_last_digit() -> None:
    assert quantities.parse("0." + "0" * 8 + "1" + "0" * 1_000_000) == 1
    assert quantities.parse("0." + "0" * 8 + "1" + "0" * 1_000_000 + "1") == 2


def test_an_exponent_is_cut_to_32_bits_as_kubernetes_does() -> None:
    assert quantities.parse("1e4294967298") == 100 * NANO


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " 1",
        "1 ",
        "1\n",
        "1_000",
        "NaN",
        "nan",
        "inf",
        "0x10",
        "1,5",
        "1..5",
        "1.5.5",
        "\N{FULLWIDTH DIGIT ONE}",
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(
        QuantityError, match=r'^quantity ".*" is not a number with an optional suffix, as in "2"'
    ) as caught:
        quantities.parse(text)
    shown = text.encode("unicode_escape").decode()
    assert f'"{shown}"' in str(caught.value)


@pytest.mark.parametrize(
    "text", ["1K", "1mi", "1Kik", "--1", "1e", "1e+", "1ee3", "1m5", "1+5", "1e99999999999999999999"]
)
def test_an_unknown_suffix_is_refused_with_those_that_exist(text: str) -> None:
    with pytest.raises(
        QuantityError, match="the suffixes are n u m k M G T P E, Ki Mi Gi Ti Pi Ei, and exponents as in e3"
    ):
        quantities.parse(text)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_float_that_is_no_number_is_refused(number: float) -> None:
    with pytest.raises(QuantityError, match="is not a number"):
        quantities.parse(number)


def test_a_message_quotes_no_more_than_the_head_of_a_long_text() -> None:
    with pytest.raises(QuantityError) as caught:
        quantities.parse("1" * 100_000 + "x")
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [-1, -(10**50), "-1", -0.5])
def test_a_negative_quantity_is_no_amount_of_a_resource(number: str | float) -> None:
    with pytest.raises(QuantityError, match=r"is negative: write 0 or more$"):
        quantities.stored(number)


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("1n", MILLI),
        ("999999n", MILLI),
        ("1", NANO),
        ("1000001n", 2 * MILLI),
        (None, 0),
        (0.0001, MILLI),
        ("-0", 0),
    ],
)
def test_the_api_server_stores_quantities_rounded_up_to_thousandths(
    text: str | float | None, nano: int
) -> None:
    assert quantities.stored(text) == nano


def test_rounding_up_saturates() -> None:
    assert quantities.round_up(NANO + 1, NANO) == 2
    assert quantities.round_up(0, NANO) == 0
    assert quantities.round_up(CEILING, MILLI) == MAX
