"""Whatever a stored ledger holds, it is read as one ledger that can be written again, or named in one clear line.

Strings are those that can be stored: JSON brings no lone surrogates.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile import cases
from labquota.quota import encoding
from labquota.quota.advances import Advance
from labquota.quota.encoding import LedgerError
from labquota.quota.ledger import Book, Ledger, Reservation
from labquota.quota.quantities import MAX

KEPT = cases.ledgers()
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters=" ;,="), min_size=1
).filter(lambda word: word != "-")
KEYS = st.sampled_from(["gpu", "pods", "requests.cpu", "nvidia.com/mig-1g.10gb"])
ANY = st.text(st.sampled_from("a1- ;,=%\n\x00é"), max_size=3)
AMOUNTS = st.dictionaries(KEYS, st.integers(0, MAX))
RESERVATIONS = st.builds(
    Reservation,
    uid=WORDS,
    namespace=WORDS,
    name=WORDS,
    version=st.just("") | st.integers(0, 10**20 - 1).map(str),
    before=AMOUNTS,
    after=AMOUNTS,
    review=st.just("") | WORDS,
)
ADVANCES = st.builds(Advance, id=WORDS, amounts=AMOUNTS, recalled=st.booleans())
LEDGERS = st.builds(
    Ledger,
    folded=AMOUNTS,
    view=st.integers(0, 10**20 - 1).map(str),
    epoch=st.integers(0, 10**20 - 1),
    groups=st.lists(st.text(st.characters(codec="utf-8"), min_size=1), max_size=3).map(tuple),
    reservations=st.lists(RESERVATIONS, max_size=4).map(tuple),
    advances=st.lists(ADVANCES, max_size=3, unique_by=lambda advance: advance.id).map(tuple),
)
PIECES = st.sampled_from(
    [
        *(
            "1",
            "0",
            " ",
            "  ",
            ";",
            ",",
            "=",
            "-",
            "%",
            "%2",
            "%2D",
            "%ff",
            "gpu=1",
            "pods=2",
            "u lab a",
            "\n",
            "\x00",
        ),
        *(
            "%ED%A0%80",
            "é",
            "\u0661",
            "\u2028",
            "+1",
            "-1",
            "1_0",
            "9" * 30,
            ";u lab a - - - gpu=1",
            ";u lab a 5 r - -",
        ),
    ]
)


def read(text: str) -> Ledger | None:
    """The ledger in a text, which is written and read again as the same; None after one clear line."""
    try:
        found = encoding.decode(text)
    except LedgerError as error:
        assert 0 < len(str(error)) < 300  # noqa: PT017  whether it raises is what is tried
        return None
    assert encoding.decode(encoding.encode(found)) == found
    assert all(0 <= amount <= MAX for amount in Book(found).total.values())
    return found


@pytest.mark.parametrize("text", KEPT, ids=ascii)
def test_a_kept_ledger_is_read_and_written_again_or_named_in_one_line(text: str) -> None:
    assert (read(text) is not None) == KEPT[text]


@settings(max_examples=300 * cases.SCALE, deadline=None)
@given(LEDGERS)
def test_whatever_is_written_is_read_back_the_same(of: Ledger) -> None:
    assert all(map(encoding.is_safe, of.reservations))
    assert encoding.decode(encoding.encode(of)) == of


@settings(max_examples=300 * cases.SCALE, deadline=None)
@given(st.builds(Reservation, ANY, ANY, ANY, ANY, AMOUNTS, st.dictionaries(ANY, st.integers(0, MAX)), ANY))
def test_what_is_safe_is_read_back_and_no_separator_is_ever_written(of: Reservation) -> None:
    try:
        text = encoding.encode(Ledger(reservations=(of,)))
    except LedgerError:
        assert not encoding.is_safe(of)
        return
    assert text.count(";") == 1
    assert text.count(" ") == 10
    if encoding.is_safe(of) and of.review != "-":
        assert encoding.decode(text).reservations == (of,)


@settings(max_examples=800 * cases.SCALE, deadline=None)
@given(st.data())
def test_a_mutated_ledger_is_read_and_written_again_or_named_in_one_line(data: st.DataObject) -> None:
    text = data.draw(LEDGERS.map(encoding.encode) | st.sampled_from(list(KEPT)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        to = at + data.draw(st.sampled_from([0, 1, 2, 20]))
        text = text[:at] + data.draw(PIECES | st.text(max_size=3)) + text[to:]
    read(text)


@pytest.mark.parametrize(
    "text",
    [
        *("1 0 0 - -" + ";" * 500_000, "1 0 0 - " + "," * 500_000, "1 0 0 " + "%" * 500_000 + " -"),
        *("1 0 0 - gpu=" + "9" * 500_000, "1 " + "9" * 500_000 + " 0 - -", " " * 500_000, "1" * 500_000),
        *(
            "1 0 0 - -;" + "u" * 500_000 + " lab a - - - -",
            "1 0 0 - " + ",".join(f"k{n}=1" for n in range(50_000)),
        ),
    ],
    ids=lambda text: f"{text[:12]}-{len(text)}",
)
def test_a_long_ledger_is_read_or_named_in_one_line(text: str) -> None:
    read(text)
