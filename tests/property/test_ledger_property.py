from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from labquota.quota import encoding, ledger
from labquota.quota.advances import Advance
from labquota.quota.ledger import Book, Ledger, Reservation
from labquota.quota.quantities import MAX

AMOUNTS = st.dictionaries(
    st.sampled_from(["gpu", "pods", "requests.cpu", "nvidia.com/mig-1g.10gb"]),
    st.one_of(st.integers(1, 9), st.integers(1, MAX)),
)
UIDS, NAMES = st.sampled_from(["u1", "u2", "u3"]), st.sampled_from(["a", "b"])
CREATES = st.builds(Reservation, UIDS, NAMES, NAMES, st.just(""), st.just({}), AMOUNTS)
RESIZES = st.builds(Reservation, UIDS, NAMES, NAMES, st.sampled_from(["5", "6"]), AMOUNTS, AMOUNTS)
ADVANCES = st.lists(
    st.builds(Advance, st.sampled_from(["one.1", "one.2", "two.1"]), AMOUNTS, st.booleans()),
    max_size=3,
    unique_by=lambda advance: advance.id,
).map(tuple)
RESERVATIONS = st.lists(CREATES | RESIZES, max_size=8).map(tuple)
LEDGERS = st.builds(
    Ledger,
    folded=AMOUNTS,
    view=st.integers(0, 10**19).map(str),
    epoch=st.integers(0, 10**6),
    groups=st.lists(st.text(min_size=1), max_size=3).map(tuple),
    reservations=RESERVATIONS,
    advances=ADVANCES,
)


def plainly(of: Ledger) -> dict[str, int]:
    """The total, written down as the design says it and nothing more."""
    creates: dict[tuple[str, str], list[Reservation]] = {}
    resizes: dict[str, list[Reservation]] = {}
    for each in of.reservations:
        if each.version:
            resizes.setdefault(each.uid, []).append(each)
        else:
            creates.setdefault((each.namespace, each.name), []).append(each)
    keys = {*of.folded, *(key for each in of.reservations for key in each.after)}
    keys |= {key for advance in of.advances for key in advance.amounts}
    total = {}
    for key in keys:
        amount = of.folded.get(key, 0)
        amount += sum(max(each.after.get(key, 0) for each in alike) for alike in creates.values())
        for alike in resizes.values():
            high = max(each.after.get(key, 0) for each in alike)
            low = min(each.before.get(key, 0) for each in alike)
            amount += max(0, high - low)
        amount += sum(advance.amounts.get(key, 0) for advance in of.advances)
        total[key] = min(amount, MAX)
    return {key: amount for key, amount in total.items() if amount}


@given(LEDGERS)
def test_the_total_is_that_of_the_design(of: Ledger) -> None:
    assert Book(of).total == plainly(of)


@given(LEDGERS)
def test_a_ledger_is_read_back_as_it_was_written(of: Ledger) -> None:
    assert encoding.decode(encoding.encode(of)) == of


@given(LEDGERS)
def test_a_book_is_never_longer_than_it_says(of: Ledger) -> None:
    assert len(encoding.encode(of)) <= Book(of).size


@given(LEDGERS, CREATES | RESIZES)
def test_a_reservation_is_never_longer_than_it_says(of: Ledger, more: Reservation) -> None:
    longer = msgspec.structs.replace(of, reservations=(*of.reservations, more))
    assert len(encoding.encode(longer)) - len(encoding.encode(of)) <= len(more)


@given(RESERVATIONS.flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))))
def test_the_order_of_reservations_does_not_matter(
    both: tuple[Sequence[Reservation], Sequence[Reservation]],
) -> None:
    one, other = (Book(Ledger(reservations=tuple(order))) for order in both)
    assert one.total == other.total
    assert one.size == other.size


@given(LEDGERS)
def test_the_total_is_never_below_what_is_folded_and_never_shrinks(of: Ledger) -> None:
    book = Book(Ledger(folded=of.folded))
    for each in of.reservations:
        before, growth = dict(book.total), book.growth(each)
        book.join(each)
        assert all(amount > 0 for amount in growth.values())
        assert book.total == {
            key: min(before.get(key, 0) + growth.get(key, 0), MAX) for key in {*before, *growth}
        }
        assert book.holds(each)
    assert all(book.total[key] >= amount for key, amount in of.folded.items())


@given(LEDGERS, AMOUNTS, st.data())
def test_a_fold_drops_what_is_settled_and_nothing_else(
    of: Ledger, folded: dict[str, int], data: st.DataObject
) -> None:
    indexes = data.draw(st.sets(st.integers(0, max(0, len(of.reservations) - 1))))
    settled = [each for index, each in enumerate(of.reservations) if index in indexes]
    kept = [each for index, each in enumerate(of.reservations) if index not in indexes]
    after = ledger.fold(of, folded, "9", 8, settled)
    assert sorted(map(repr, after.reservations)) == sorted(map(repr, kept))
    assert (after.folded, after.view, after.epoch, after.groups) == (folded, "9", 8, of.groups)
