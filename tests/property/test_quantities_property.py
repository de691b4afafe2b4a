from hypothesis import example, given
from hypothesis import strategies as st

from labquota.quota import amounts, quantities, resources
from labquota.quota.quantities import MAX, MILLI, NANO, QuantityError

CEILING = MAX * NANO
KEYS = st.sampled_from(
    [
        "requests.cpu",
        "limits.cpu",
        "requests.memory",
        "gpu-memory",
        "gpu",
        "pods",
        "nvidia.com/gpu",
        "gpu-equivalents",
    ],
)


@given(st.text())
def test_any_text_is_a_number_in_range_or_one_clear_line(text: str) -> None:
    line = "fine"
    try:
        assert -CEILING <= quantities.parse(text) <= CEILING
    except QuantityError as error:
        line = str(error)
    assert len(line.splitlines()) == 1
    assert len(line) < 1500


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_means_what_its_text_means(number: float) -> None:
    assert quantities.parse(number) == quantities.parse(str(number))


@given(st.integers(0, MAX * 2), st.sampled_from(["", "m", "k", "Mi", "e3", "E"]))
def test_a_sign_only_turns_a_number_around(number: int, suffix: str) -> None:
    assert quantities.parse(f"-{number}{suffix}") == -quantities.parse(f"{number}{suffix}")


@given(st.integers(0, CEILING))
def test_what_is_stored_is_the_next_thousandth(nano: int) -> None:
    stored = quantities.stored(f"{nano}n")
    assert 0 <= stored - nano < MILLI
    assert stored % MILLI == 0


@given(KEYS, st.integers(0, 2**50))
@example("requests.cpu", MAX)
@example("requests.memory", MAX)
def test_an_amount_survives_being_shown_and_read(key: str, amount: int) -> None:
    assert resources.parse_limit(key, resources.show(key, amount)) == amount


@given(*[st.dictionaries(st.sampled_from("abc"), st.integers(0, MAX), max_size=3) for _ in range(3)])
def test_adding_has_no_order(a: dict[str, int], b: dict[str, int], c: dict[str, int]) -> None:
    assert amounts.add(a, b) == amounts.add(b, a)
    assert amounts.add(amounts.add(a, b), c) == amounts.add(a, amounts.add(b, c))
    assert all(amount <= MAX for amount in amounts.add(a, b).values())
