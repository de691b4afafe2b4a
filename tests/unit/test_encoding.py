import re

import pytest

from labquota.quota import encoding
from labquota.quota.encoding import LedgerError
from labquota.quota.ledger import EMPTY, Ending, Ledger
from labquota.quota.quantities import MAX
from unit.builders import create, resize


def test_a_ledger_is_one_readable_line() -> None:
    ledger = Ledger(
        folded={"requests.cpu": 500, "gpu": 1},
        view="120",
        epoch=3,
        groups=("oidc:students", "a b,c"),
        reservations=(create("a", gpu=1), resize(7, {"cpu": 1}, {"cpu": 2})),
    )
    text = encoding.encode(ledger)
    assert text == (
        "1 3 120 oidc:students,a%20b%2Cc gpu=1,requests.cpu=500"
        ";uid-a lab a - - - gpu=1;uid-pod lab pod 7 review-1 requests.cpu=1 requests.cpu=2"
    )
    assert encoding.decode(text) == ledger


def test_an_empty_ledger_is_dashes() -> None:
    assert encoding.encode(EMPTY) == "1 0 0 - -"
    assert encoding.decode("1 0 0 - -") == EMPTY


def test_a_ledger_with_holds_says_up_to_where_they_count_and_when_they_end() -> None:
    ledger = Ledger(
        folded={"gpu": 2},
        view="120",
        epoch=3,
        holds="118",
        endings=(Ending(1772352000, {"gpu": 1}),),
        reservations=(create("a", gpu=1),),
    )
    text = encoding.encode(ledger)
    assert text == "2 3 120 - gpu=2 118;1772352000 gpu=1;uid-a lab a - - - gpu=1"
    assert encoding.decode(text) == ledger


def test_a_ledger_without_holds_is_written_as_the_release_before_reads_it() -> None:
    assert encoding.encode(Ledger(folded={"gpu": 1}, view="7")) == "1 0 7 - gpu=1"


def test_holds_that_end_without_a_version_of_holds_are_not_written() -> None:
    with pytest.raises(LedgerError, match="holds end that are in no view"):
        encoding.encode(Ledger(endings=(Ending(1, {"gpu": 1}),)))


def test_a_group_that_is_called_dash_is_not_taken_for_none() -> None:
    ledger = Ledger(groups=("-",))
    assert encoding.decode(encoding.encode(ledger)) == ledger


def test_an_amount_beyond_the_largest_is_written_so_that_it_can_be_read_again() -> None:
    ledger = Ledger(folded={"requests.ephemeral-storage": MAX * 50})
    assert encoding.decode(encoding.encode(ledger)).folded == {"requests.ephemeral-storage": MAX}


@pytest.mark.parametrize("text", ["3 3 120 - -", "3 a new shape;and more", "v1 0 0 - -", "", "11 0 0 - -"])
def test_a_ledger_of_another_version_is_refused_by_its_version(text: str) -> None:
    line = f'ledger format "{text.split(" ", maxsplit=1)[0]}" is not known here; this release reads 1 and 2'
    with pytest.raises(LedgerError, match=f"^{re.escape(line)}$"):
        encoding.decode(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1", 'ledger "1" cannot be read: not enough values to unpack'),
        ("1 0 0 - - -", "cannot be read: too many values"),
        ("1 0 0 - - 7;1770000000 gpu=1", "cannot be read: too many values in its head"),
        ("2 0 0 - -", "cannot be read: not enough values in its head"),
        ("2 0 0 - - 0", "cannot be read: not enough values in its head"),
        ("2 0 0 - - 7 8", "cannot be read: too many values in its head"),
        ("2 0 0 - - 7;soon gpu=1", '"soon" is not a number in decimal digits'),
        ("1 0 0 - -;", 'ledger "1 0 0 - -;" cannot be read: not enough values'),
        ("1 0 0 - gpu", "cannot be read: not enough values"),
        ("1 0 0 - gpu=1=2", "cannot be read: too many values"),
        ("1 0 0 - =1", '"" is empty or holds a separator'),
        ("1 0 0 - gpu=-1", '"-1" is not a number in decimal digits'),
        ("1 0 0 - gpu=1e3", '"1e3" is not a number in decimal digits'),
        ("1 0 0 - gpu=", '"" is not a number in decimal digits'),
        ("1 0 0 - gpu=٣", '"٣" is not a number in decimal digits'),
        (f"1 0 0 - gpu={'9' * 21}", f'"{"9" * 21}" is not a number in decimal digits'),
        ("1 x 0 - -", '"x" is not a number in decimal digits'),
        ("1 0 x - -", '"x" is not a number in decimal digits'),
        ("1 0 0 - -;u n p seven - - gpu=1", '"seven" is not a number in decimal digits'),
        ("1 0 0 - -;u  p - - - gpu=1", '"" is empty or holds a separator'),
    ],
)
def test_what_was_not_written_here_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(LedgerError, match=re.escape(why)):
        encoding.decode(text)


@pytest.mark.parametrize("word", ["", " ", "a b", "a;b", "a,b", "a=b", "a\nb", "a\x00b"])
def test_a_separator_in_a_word_is_never_written(word: str) -> None:
    reservation = create("a", "u", word, gpu=1)
    assert not encoding.is_safe(reservation)
    with pytest.raises(LedgerError, match="is empty or holds a separator"):
        encoding.encode(Ledger(reservations=(reservation,)))


def test_a_version_that_is_no_number_is_not_safe_since_it_could_not_be_read_again() -> None:
    reservation = resize(7, {}, {"cpu": 1})
    assert encoding.is_safe(reservation)
    assert not encoding.is_safe(type(reservation)("u", "lab", "a", "7b", {}, {"gpu": 1}))


@pytest.mark.parametrize(
    "text",
    [
        "1 0 0 - gpu=1,gpu=2",
        "1 0 0 - pods=1,gpu=2",
        "1 0 0 - gpu=007",
        "1 00 0 - -",
        "1 0 0  -",
        "1 0 0 a,,b -",
        "1 0 0 %61 -",
        "1 0 0 - -;- - - - - - -",
        "1 0 0 - -;- - gpu=1",
        f"1 0 0 - gpu={MAX + 1}",
    ],
)
def test_what_would_be_written_otherwise_was_not_written_here(text: str) -> None:
    with pytest.raises(LedgerError):
        encoding.decode(text)


def test_a_group_of_any_characters_is_read_back() -> None:
    of = Ledger(groups=("\ud800", "-", "a b,c;d%", "ü"))
    assert encoding.decode(encoding.encode(of)) == of


def test_a_pod_without_a_name_is_not_written() -> None:
    assert not encoding.is_safe(create("-"))
