"""A ledger as one compact string, versioned, since a structured object costs the API server several times as much.

    1 EPOCH VIEW GROUPS FOLDED;ADVANCE RECALLED AMOUNTS;…;UID NAMESPACE NAME VERSION REVIEW BEFORE AFTER;…
    2 EPOCH VIEW GROUPS FOLDED HOLDS;UNTIL AMOUNTS;…;then as above

Version 2 is written where an owner has holds and nowhere else, so that replicas of the release before, which know of
none, go on reading everybody else's.

AMOUNTS are `key=amount,…` in base units, sorted by key; GROUPS are percent-encoded and joined by commas; `-` stands for
nothing. None of the separators can stand in a UID, a name or a resource key.
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from labquota.quota.advances import Advance
from labquota.quota.amounts import Amounts
from labquota.quota.ledger import Ending, Ledger, Reservation
from labquota.quota.quantities import MAX

VERSION: Final = "1"
WITH_HOLDS: Final = "2"
_WORD: Final = re.compile(r"[^ ;,=\x00-\x1f]+")
_WORDS: Final = re.compile(r"[^ ;,=\x00-\x1f]+(?: [^ ;,=\x00-\x1f]+){4}")
_NOTHING: Final = "-"
_RECALLED: Final = "recalled"
_NO_HOLDS: Final = Ledger().holds
_ENDING_WORDS: Final = 2
_ADVANCE_WORDS: Final = 3


class LedgerError(ValueError):
    """A stored ledger that cannot be read, or one that must not be written."""


def encode(ledger: Ledger) -> str:
    """The string that is stored.

    Raises:
        LedgerError: A field holds a separator, so what would be read back is not what was meant.
    """
    groups = ",".join(map(_group, ledger.groups)) or _NOTHING
    head = f"{ledger.epoch} {_word(ledger.view)} {groups} {_amounts(ledger.folded)}"
    if ledger.holds == _NO_HOLDS:
        if ledger.endings:
            raise LedgerError("holds end that are in no view")
        head = f"{VERSION} {head}"
    else:
        head = f"{WITH_HOLDS} {head} {_digits(ledger.holds)}"
    lines = (
        map(_ending, ledger.endings),
        map(_advance, ledger.advances),
        map(_reservation, ledger.reservations),
    )
    return ";".join([head, *(line for part in lines for line in part)])


def decode(text: str) -> Ledger:
    """The ledger that a string holds.

    Raises:
        LedgerError: The string is of another version or was not written by `encode`.
    """
    head, *lines = text.split(";")
    version = head.partition(" ")[0]
    if version not in (VERSION, WITH_HOLDS):
        raise LedgerError(
            f'ledger format "{version[:20]}" is not known here; this release reads {VERSION} and {WITH_HOLDS}'
        )
    try:
        _, epoch, view, groups, folded, *more = head.split(" ")
        holds = _holds(version, more)
        endings = _count(lines, _ENDING_WORDS) if more else 0
        advances = endings + _count(lines[endings:], _ADVANCE_WORDS)
        return Ledger(
            folded=_parse(folded),
            view=_digits(view),
            epoch=int(_digits(epoch)),
            groups=() if groups == _NOTHING else tuple(map(_group_of, groups.split(","))),
            reservations=tuple(map(_line, lines[advances:])),
            advances=tuple(map(_advance_of, lines[endings:advances])),
            holds=holds,
            endings=tuple(map(_ending_of, lines[:endings])),
        )
    except LedgerError:
        raise
    except ValueError as error:
        raise LedgerError(f'ledger "{text[:60]}" cannot be read: {error}') from error


def is_safe(reservation: Reservation) -> bool:
    """Whether a reservation can be written and read back: no word of it is empty or holds a separator."""
    if reservation.version and not _is_number(reservation.version):
        return False
    named = reservation.uid, reservation.namespace, reservation.name
    return (
        _NOTHING not in named
        and _WORDS.fullmatch(_head(reservation)) is not None
        and _are_words(tuple(reservation.before))
        and _are_words(tuple(reservation.after))
    )


def _holds(version: str, more: list[str]) -> str:
    """The version of holds that stands in a head of version 2 alone."""
    if len(more) > (version == WITH_HOLDS):
        raise ValueError("too many values in its head")
    if version == WITH_HOLDS and more in ([], [_NO_HOLDS]):
        raise ValueError("not enough values in its head")
    return _digits(more[0]) if more else _NO_HOLDS


def _count(lines: list[str], words: int) -> int:
    """How many lines at the beginning have so many words."""
    count = 0
    while count < len(lines) and lines[count].count(" ") == words - 1:
        count += 1
    return count


def _ending(ending: Ending) -> str:
    return f"{ending.until} {_amounts(ending.amounts)}"


def _ending_of(text: str) -> Ending:
    until, amounts = text.split(" ")
    return Ending(until=int(_digits(until)), amounts=_parse(amounts))


def _advance(advance: Advance) -> str:
    return f"{_word(advance.id)} {_RECALLED if advance.recalled else _NOTHING} {_amounts(advance.amounts)}"


def _advance_of(text: str) -> Advance:
    name, recalled, amounts = text.split(" ")
    if recalled not in (_RECALLED, _NOTHING):
        raise LedgerError(f'"{recalled[:40]}" is neither {_RECALLED} nor {_NOTHING}')
    return Advance(id=_named(name), amounts=_parse(amounts), recalled=recalled == _RECALLED)


def _reservation(reservation: Reservation) -> str:
    head = _head(reservation)
    if not _WORDS.fullmatch(head):
        head = " ".join(map(_word, _words(reservation)))  # says which word it is
    before, after = tuple(reservation.before.items()), tuple(reservation.after.items())
    return f"{head} {_text_of_pod(before)} {_text_of_pod(after)}"


def _head(reservation: Reservation) -> str:
    """What stands before the amounts: five words, unless one of them is empty or holds a separator."""
    return " ".join(_words(reservation))


def _words(reservation: Reservation) -> tuple[str, ...]:
    return (
        reservation.uid,
        reservation.namespace,
        reservation.name,
        reservation.version or _NOTHING,
        reservation.review or _NOTHING,
    )


def _line(text: str) -> Reservation:
    uid, namespace, name, version, review, before, after = text.split(" ")
    return Reservation(
        uid=_named(uid),
        namespace=_named(namespace),
        name=_named(name),
        version="" if version == _NOTHING else _digits(version),
        review="" if review == _NOTHING else _word(review),
        before=dict(_pairs_of_pod(before)),
        after=dict(_pairs_of_pod(after)),
    )


def _amounts(amounts: Amounts) -> str:
    return _text(tuple(amounts.items()))


def _text(pairs: tuple[tuple[str, int], ...]) -> str:
    return ",".join(f"{_word(key)}={min(amount, MAX)}" for key, amount in sorted(pairs)) or _NOTHING


def _parse(text: str) -> Amounts:
    return dict(_pairs(text))


def _pairs(text: str) -> tuple[tuple[str, int], ...]:
    if text == _NOTHING:
        return ()
    pairs = []
    last = ""
    for item in text.split(","):
        key, amount = item.split("=")
        if _word(key) <= last or int(_digits(amount)) > MAX:
            raise LedgerError(f'"{text[:40]}" are no amounts as they are written here')
        pairs.append((key, int(amount)))
        last = key
    return tuple(pairs)


# Pods of one owner are often alike, and their amounts come by again with every admission; sums never do.
_text_of_pod = lru_cache(maxsize=1024)(_text)
_pairs_of_pod = lru_cache(maxsize=1024)(_pairs)


@lru_cache(maxsize=1024)
def _are_words(keys: tuple[str, ...]) -> bool:
    return all(map(_WORD.fullmatch, keys))


def _digits(text: str) -> str:
    if not _is_number(text):
        raise LedgerError(f'"{text[:40]}" is not a number in decimal digits')
    return text


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20 and (text[0] != "0" or len(text) == 1)


def _group(group: str) -> str:
    return "%2D" if group == _NOTHING else _word(quote(group, safe=":", errors="surrogatepass"))


def _group_of(text: str) -> str:
    group = unquote(text, errors="surrogatepass")
    if _group(group) != text:
        raise LedgerError(f'"{text[:40]}" is no group as it is written here')
    return group


def _named(text: str) -> str:
    if text == _NOTHING:
        raise LedgerError("a reservation names no pod")
    return _word(text)


def _word(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise LedgerError(f'"{text[:40]}" is empty or holds a separator')
    return text
