from labquota.quota import ledger
from labquota.quota.ledger import EMPTY, Book, Ledger, Reservation
from labquota.quota.quantities import MAX
from unit.builders import create, resize


def held(*reservations: Reservation, **folded: int) -> Book:
    return Book(Ledger(folded=dict(folded), reservations=reservations))


def test_a_student_holds_what_is_folded_and_what_is_reserved() -> None:
    book = held(create("a", gpu=1), create("b", gpu=1), gpu=1)
    assert book.total == {"gpu": 3}
    assert Book(book.ledger).total == {"gpu": 3}
    assert ledger.in_flight(book.ledger) == {"gpu": 2}


def test_of_several_creates_of_one_name_the_largest_counts_for_each_resource() -> None:
    book = held(create("a", "u1", gpu=1, pods=1), create("a", "u2", gpu=3), create("a", "u3", cpu=7, gpu=2))
    assert book.total == {"gpu": 3, "pods": 1, "requests.cpu": 7}


def test_one_name_in_two_namespaces_is_two_pods() -> None:
    book = held(create("a", "u1", gpu=1), create("a", "u2", namespace="other", gpu=1))
    assert book.total == {"gpu": 2}
    assert (book.count_for("lab", "a"), book.count_for("other", "a"), book.count_for("lab", "b")) == (1, 1, 0)


def test_resizes_of_one_pod_count_from_the_lowest_before_to_the_highest_after() -> None:
    book = held(resize(5, {"cpu": 2}, {"cpu": 4}), resize(6, {"cpu": 4}, {"cpu": 3}), **{"requests.cpu": 2})
    assert book.total == {"requests.cpu": 4}
    book.join(resize(7, {"cpu": 1}, {"cpu": 4}))
    assert book.total == {"requests.cpu": 5}
    book.join(resize(8, {}, {"cpu": 1}))
    assert book.total == {"requests.cpu": 6}


def test_resizes_of_two_pods_add_up() -> None:
    first, second = resize(5, {"cpu": 1}, {"cpu": 3}, "uid-a"), resize(5, {"cpu": 1}, {"cpu": 2}, "uid-b")
    assert held(first, second).total == {"requests.cpu": 3}


def test_a_resize_that_takes_less_of_one_resource_frees_nothing_before_it_is_seen() -> None:
    book = held(resize(5, {"cpu": 4, "memory": 1}, {"cpu": 1, "memory": 2}), **{"requests.cpu": 4})
    assert book.total == {"requests.cpu": 4, "requests.memory": 1}


def test_what_the_total_would_grow_by_is_known_before_it_does() -> None:
    book = held(create("a", "u1", gpu=2))
    assert book.growth(create("a", "u2", gpu=3)) == {"gpu": 1}
    assert book.growth(create("a", "u2", gpu=1)) == {}
    assert book.growth(create("b", gpu=1)) == {"gpu": 1}
    assert book.growth(resize(5, {"gpu": 1}, {"gpu": 2})) == {"gpu": 1}
    assert book.total == {"gpu": 2}


def test_only_the_very_same_reservation_is_a_replay() -> None:
    book = held(create("a", "u1", gpu=1), resize(5, {"cpu": 1}, {"cpu": 2}))
    assert book.holds(create("a", "u1", gpu=1))
    assert book.holds(resize(5, {"cpu": 1}, {"cpu": 2}))
    assert not book.holds(create("a", "u2", gpu=1))
    assert not book.holds(create("a", "u1", gpu=2))
    assert not book.holds(resize(6, {"cpu": 1}, {"cpu": 2}))
    assert not book.holds(resize(5, {"cpu": 1}, {"cpu": 3}))


def test_totals_stop_at_the_largest_number_instead_of_wrapping() -> None:
    assert held(create("a", memory=MAX), create("b", memory=MAX)).total == {"requests.memory": MAX}


def test_a_book_that_is_closed_holds_what_it_was_opened_with_and_what_joined() -> None:
    before = Ledger(folded={"gpu": 1}, view="7", epoch=3, groups=("x",), reservations=(create("a", gpu=1),))
    book = Book(before)
    assert book.close() == before
    book.join(create("b", gpu=1))
    book.groups = ("y",)
    assert len(book) == 2
    after = Ledger({"gpu": 1}, "7", 3, ("y",), (create("a", gpu=1), create("b", gpu=1)))
    assert book.close() == after
    assert before.reservations == (create("a", gpu=1),)


def test_a_fold_replaces_the_sums_and_keeps_what_is_not_settled() -> None:
    first, second = create("a", gpu=1), create("b", gpu=2)
    before = Ledger({"gpu": 5}, "7", 3, ("x",), (first, second))
    after = ledger.fold(before, {"gpu": 1}, "9", 4, [before.reservations[0]])
    assert after == Ledger({"gpu": 1}, "9", 4, ("x",), (second,))
    assert ledger.fold(before, {}, "9", 4, []).reservations == (first, second)


def test_an_empty_ledger_holds_nothing() -> None:
    assert (Book(EMPTY).total, ledger.in_flight(EMPTY), len(Book(EMPTY))) == ({}, {}, 0)
