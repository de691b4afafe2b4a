"""Every text means the same number to labquota and to k8s.io/apimachinery, or is refused by both."""

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from labquota.quota import quantities
from labquota.quota.quantities import MAX, MILLI, NANO, QuantityError
from oracle import Oracle, generate

CEILING = MAX * NANO


def ours(text: str) -> int | None:
    try:
        return quantities.parse(text)
    except QuantityError:
        return None


def check(oracle: Oracle, text: str) -> None:
    answer, mine = oracle.quantity(text), ours(text)
    said = f'quantity "{text[:99]}": labquota reads {mine} nano-units, Kubernetes answers {answer}'
    if "error" in answer:
        assert mine is None, said
        return
    assert mine is not None, said
    # Kubernetes caps only binary suffixes; labquota saturates everything.
    exact = {"huge": CEILING + 1, "-huge": -CEILING - 1}.get(answer["nano"])
    exact = int(answer["nano"]) if exact is None else exact
    assert mine == max(-CEILING, min(exact, CEILING)), said
    if exact >= 0:
        # Value() and MilliValue() wrap around where they do not fit 64 bits; labquota saturates there.
        whole, milli = -(-exact // NANO), -(-exact // MILLI)
        assert quantities.round_up(mine, NANO) == (answer["value"] if whole <= MAX else MAX), said
        assert (
            quantities.round_up(mine, MILLI) == (answer["milli"] if milli <= MAX else MAX) or whole > MAX
        ), said


@settings(
    max_examples=6000, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(text=generate.quantities())
@example(text="")
@example(text="+")
@example(text=".")
@example(text="Ki")
@example(text="Ti")
@example(text="Pi")
@example(text=".Ei")
@example(text="e-9")
@example(text="e-10")
@example(text="0e-10")
@example(text="NaN")
@example(text="1_000")
@example(text=" 1")
@example(text="\N{FULLWIDTH DIGIT ONE}")
@example(text="1e999999999")
@example(text="1e4294967301")
@example(text="1e")
@example(text="1E")
@example(text="1E+3")
@example(text="1e0x3")
@example(text="0.0000000001")
@example(text="-0.0000000001")
@example(text="1" * 5000)
@example(text="0." + "0" * 8 + "1" + "0" * 5000 + "1")
@example(text="0." + "9" * 70 + "Ei")
def test_a_text_is_the_same_number_to_kubernetes(oracle: Oracle, text: str) -> None:
    check(oracle, text)


@settings(
    max_examples=1500, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(text=st.text("0123456789.eEKiMGm+-", min_size=15, max_size=80))
def test_a_long_text_is_the_same_number_to_kubernetes(oracle: Oracle, text: str) -> None:
    if "e" not in text.lower():  # digits behind an exponent could be a billion of them
        check(oracle, text)
