import pytest

from labquota.quota import advances, encoding, ledger
from labquota.quota.advances import Advance
from labquota.quota.encoding import LedgerError
from labquota.quota.ledger import Book, Ledger
from labquota.quota.quantities import MAX
from unit.builders import create

ONE, TWO = Advance("one.7", {"gpu": 4, "pods": 4}), Advance("two.1", {"gpu": 2}, recalled=True)


def test_an_advance_counts_as_if_it_were_spent() -> None:
    book = Book(Ledger(folded={"gpu": 1}, reservations=(create("a", gpu=1),), advances=(ONE, TWO)))
    assert book.total == {"gpu": 8, "pods": 4}
    assert ledger.in_flight(book.ledger) == {"gpu": 7, "pods": 4}


def test_what_takes_the_place_of_an_advance_is_counted_once() -> None:
    book = Book(Ledger(folded={"gpu": 1}, advances=(ONE,)))
    book.advances = ()
    book.join(create("a", gpu=3))
    assert book.total == {"gpu": 4}
    assert book.close() == Ledger(folded={"gpu": 1}, reservations=(create("a", gpu=3),))


def test_an_advance_that_fills_a_total_to_the_brim_takes_nothing_with_it_when_it_goes() -> None:
    book = Book(Ledger(folded={"gpu": 5}, advances=(Advance("one.1", {"gpu": MAX}),)))
    assert book.total == {"gpu": MAX}
    book.advances = ()
    assert book.total == {"gpu": 5}


def test_advances_are_read_back_as_they_were_written() -> None:
    whole = Ledger(folded={"gpu": 1}, reservations=(create("a", gpu=1),), advances=(ONE, TWO))
    text = encoding.encode(whole)
    assert text.split(";")[1:3] == ["one.7 - gpu=4,pods=4", "two.1 recalled gpu=2"]
    assert encoding.decode(text) == whole
    assert len(text) <= Book(whole).size


def test_an_advance_that_is_neither_recalled_nor_not_is_not_read() -> None:
    with pytest.raises(LedgerError, match='"perhaps" is neither recalled nor -'):
        encoding.decode("1 0 0 - -;one.7 perhaps gpu=4")


def test_a_fold_keeps_advances_and_takes_out_those_that_have_lapsed() -> None:
    of = Ledger(advances=(ONE, TWO))
    assert ledger.fold(of, {}, "9", 1, ()).advances == (ONE, TWO)
    assert ledger.fold(of, {}, "9", 1, (), of.advances[:1]).advances == (TWO,)


def test_an_advance_is_at_most_a_quarter_of_what_is_left_of_each_limit() -> None:
    each = {"gpu": 2, "pods": 1, "requests.cpu": 500}
    caps = {"gpu": 100, "pods": 1000}
    assert advances.size(10, each, {"gpu": 20}, caps) == {"gpu": 20, "pods": 10, "requests.cpu": 5000}
    assert advances.size(10, each, {"gpu": 60}, caps) == {"gpu": 10, "pods": 5, "requests.cpu": 2500}
    assert advances.size(10, each, {"gpu": 69}, caps) == {}
    assert advances.size(10, each, {"gpu": 200}, caps) == {}


def test_whose_an_advance_is_stands_before_the_dot() -> None:
    assert ONE.is_of("one")
    assert not ONE.is_of("on")
    assert advances.recall(ONE) == Advance("one.7", ONE.amounts, recalled=True)
