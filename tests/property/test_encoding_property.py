from hypothesis import example, given
from hypothesis import strategies as st

from labquota.quota import encoding
from labquota.quota.encoding import LedgerError
from labquota.quota.ledger import Book, Ledger, Reservation

PIECES = st.sampled_from(
    ["1", " ", ";", ",", "=", "-", "gpu", "0", "%", "%2", "\ud800", "\x00", "é", "9" * 30]
)
HOSTILE = st.one_of(
    st.text(), st.lists(PIECES).map("".join), st.lists(PIECES).map(lambda of: "1 0 0 - " + "".join(of))
)


@given(HOSTILE)
@example("1 0 0 %ff%00,% -")
def test_any_string_is_a_ledger_or_one_clear_error(text: str) -> None:
    try:
        ledger = encoding.decode(text)
    except LedgerError as error:
        assert len(str(error)) < 300  # noqa: PT017  whether it raises is what is tried
    else:
        assert encoding.decode(encoding.encode(ledger)) == ledger
        assert Book(ledger).total is not None


@given(st.text(), st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.integers(0, 2**70)))
def test_what_is_safe_is_read_back_and_nothing_else_is_written(
    uid: str, namespace: str, name: str, version: str, after: dict[str, int]
) -> None:
    reservation = Reservation(uid, namespace, name, version, {}, after)
    try:
        text = encoding.encode(Ledger(reservations=(reservation,)))
    except LedgerError:
        assert not encoding.is_safe(reservation)
        return
    if encoding.is_safe(reservation):
        (read,) = encoding.decode(text).reservations
        assert (read.uid, read.namespace, read.name, read.version) == (uid, namespace, name, version)
