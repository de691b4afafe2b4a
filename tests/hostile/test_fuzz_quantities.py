"""No string is more than one number or one clear line, and none takes long to be one."""

import re
import time
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hostile import cases
from labquota.quota import quantities, resources
from labquota.quota.quantities import MAX, MILLI, NANO, QuantityError

CEILING = MAX * NANO
PIECES = st.sampled_from(
    [
        *(
            "0",
            "1",
            "9",
            "007",
            "9" * 25,
            "0" * 50,
            ".",
            "-",
            "+",
            "e",
            "E",
            "e3",
            "E-9",
            "e999999999",
            "e-999999999",
        ),
        *(
            "n",
            "u",
            "m",
            "k",
            "M",
            "G",
            "T",
            "P",
            "Ki",
            "Mi",
            "Gi",
            "Ti",
            "Pi",
            "Ei",
            "K",
            "i",
            " ",
            "_",
            ",",
            "\n",
        ),
        *("\x00", "\ud800", "\uff11", "\u0661", "\u2212", "x", "Infinity", "0x"),
    ]
)
ALPHABET = frozenset("0123456789.+-eEinumkKMGTP")
STRINGS = st.lists(PIECES, max_size=6).map("".join)
PLAIN = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?")
SUFFIXES: dict[str | None, Fraction] = {
    None: Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(1000),
    **{letter: Fraction(1000 ** (2 + power)) for power, letter in enumerate("MGTPE")},
    **{f"{letter}i": Fraction(1024 ** (1 + power)) for power, letter in enumerate("KMGTPE")},
}


def judged(text: str) -> int | None:
    """The number that a text is, or None after one line that a person can read."""
    try:
        found = quantities.parse(text)
    except QuantityError as error:
        line = str(error)
        assert len(line.splitlines()) == 1
        assert len(line) < 1_500
        assert line.isprintable()
        return None
    assert -CEILING <= found <= CEILING
    assert ALPHABET.issuperset(text), "a text that Kubernetes refuses"
    return found


def by_hand(text: str) -> int | None:
    """What a text of the usual form means, by the book: exact, then rounded away from zero, then capped."""
    found = PLAIN.fullmatch(text)
    if found is None:
        return None
    sign, whole, fraction, suffix = found.groups()
    scale = SUFFIXES[suffix] if suffix in SUFFIXES else Fraction(10) ** int(suffix[1:])
    exact = Fraction(int(whole + (fraction or "")), 10 ** len(fraction or "")) * scale * NANO
    nano = min(-(-exact.numerator // exact.denominator), CEILING)
    return -nano if sign == "-" else nano


@pytest.mark.parametrize("text", cases.quantities(), ids=ascii)
def test_a_kept_quantity_is_a_number_or_one_clear_line(text: str) -> None:
    found, plain = judged(text), by_hand(text)
    assert plain is None or found == plain


@settings(max_examples=2_000 * cases.SCALE, deadline=None)
@given(STRINGS | st.text(max_size=40))
@example("1e1")
def test_a_made_up_quantity_is_a_number_or_one_clear_line(text: str) -> None:
    found, plain = judged(text), by_hand(text)
    assert plain is None or found == plain
    try:
        stored = quantities.stored(text)
    except QuantityError:
        assert found is None or found < 0
    else:
        assert found is not None
        assert 0 <= stored - found < MILLI or stored >= CEILING


@settings(deadline=None)
@given(
    st.sampled_from(["requests.cpu", "requests.memory", "gpu", "gpu-equivalents", "pods", "a.b/c"]), STRINGS
)
def test_a_limit_of_any_text_is_an_amount_or_one_clear_line(key: str, text: str) -> None:
    try:
        amount = resources.parse_limit(key, text)
    except QuantityError as error:
        assert str(error).isprintable()  # noqa: PT017  whether it raises is what is tried
    else:
        assert amount is not None
        assert 0 <= amount <= MAX


def test_an_exponent_with_thousands_of_zeros_before_it_is_what_kubernetes_reads() -> None:
    """Python reads no number of more than 4,300 digits, and Go does."""
    assert quantities.parse("1e" + "0" * 5_000 + "1") == 10 * NANO
    assert quantities.parse("1e-" + "0" * 5_000 + "1") == NANO // 10
    assert quantities.parse("1e+" + "0" * 5_000) == NANO


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1" * 1_000_000,
            "0" * 1_000_000,
            "." + "0" * 1_000_000 + "1",
            "1e" + "9" * 1_000_000,
            "+" * 1_000_000,
        ),
        *(
            "0" * 500_000 + "1" * 500_000 + "Ei",
            "1" + "m" * 1_000_000,
            "1e" + "0" * 1_000_000 + "1",
            "e" * 1_000_000,
        ),
        *(
            "1." + "9" * 1_000_000 + "Ki",
            "-" + "1" * 1_000_000 + "n",
            "\u0661" * 1_000_000,
            "1e-" + "9" * 1_000_000,
        ),
    ],
    ids=lambda text: f"{text[:3]!a}-{text[-3:]!a}",
)
def test_a_megabyte_of_a_quantity_costs_no_more_than_a_moment(text: str) -> None:
    """The bound is what the API server's deadline leaves a hundred times over, on a machine that does other things."""
    began = time.process_time()
    judged(text)
    assert time.process_time() - began < 1.0
