"""The older system's texts as exact numbers, and how labquota writes them.

Decimal numbers stay decimal: no float is made of "0.286". YAML's other spellings of a number (0x10, 010,
1_000, 1e3) are refused, since a person and a parser read them differently.
"""

import re
from decimal import Decimal
from typing import Final, NamedTuple

from labquota.quota.quantities import MAX

UNLIMITED: Final = "unlimited"
_NUMBER: Final = re.compile(r"(?:0|[1-9][0-9]{0,17})?(?:\.[0-9]{0,12})?")  # as much as the schema takes
_MEMORY: Final = re.compile(r"([0-9.]+) ?([bkmgtpe]?)(?:i?b)?", re.IGNORECASE)
_SUFFIXES: Final = " kmgtpe"  # each 1024 times the one before


class Amount(NamedTuple):
    """A limit's size and how labquota writes it."""

    size: Decimal | None
    """To compare with; None is unlimited."""
    shown: int | str


NO_LIMIT: Final = Amount(None, UNLIMITED)


class BadValueError(ValueError):
    """A value that cannot be imported; the message says what is due."""


def number(text: str) -> Decimal:
    """A plain number that is not negative."""
    if text.startswith("-") and _is_number(text[1:]):
        raise BadValueError(f"{text[:40]} is negative: write 0 or more, or null for unlimited")
    if not _is_number(text):
        raise BadValueError(f'"{text[:40]}" is not a plain number such as 3 or 0.5, and not null')
    return Decimal(text)


def count(text: str) -> Amount:
    """A whole number; 2.0 is one."""
    value = number(text)
    if value != int(value):
        raise BadValueError(f"{text} is not a whole number")
    return Amount(value, int(value))


def equivalents(text: str) -> Amount:
    """GPU equivalents: 2.0 is written "2", 0.286 stays "0.286"."""
    value = number(text)
    return Amount(value, f"{value.normalize():f}")


def cpus(text: str) -> Amount:
    """CPU cores: 32 is written "32", 0.5 is "500m"."""
    return _cores(number(text), text)


def percent(text: str) -> Amount:
    """A CPU quota in systemd's form: "9600%" is 96 cores."""
    if not text.endswith("%") or not _is_number(text.removesuffix("%")):
        raise BadValueError(f'"{text[:40]}" is not of the form "9600%", where 100% is one CPU')
    return _cores(Decimal(text.removesuffix("%")) / 100, text)


def memory(text: str) -> Amount:
    """Bytes with a binary suffix, as Docker and systemd have it: 32g and 32G are "32Gi"."""
    match = _MEMORY.fullmatch(text)
    if match is None or not _is_number(match[1]):
        if text.startswith("-"):
            raise BadValueError(f"{text[:40]} is negative: write 0 or more, or null for unlimited")
        raise BadValueError(f'"{text[:40]}" is not an amount of memory such as 32g or 512M')
    power = max(_SUFFIXES.find(match[2].lower() or " "), 0)
    size = int(Decimal(match[1]) * 1024**power)
    if size > MAX:
        raise BadValueError(f"{text[:40]} is more memory than can be counted")
    while power and size % 1024**power:
        power -= 1
    suffix = f"{_SUFFIXES[power].replace('k', 'K').upper()}i" if power and size else ""
    return Amount(Decimal(size), f"{size // 1024**power}{suffix}")


def _cores(value: Decimal, text: str) -> Amount:
    milli = value * 1000
    if milli != int(milli):
        raise BadValueError(f"{text[:40]} is finer than a thousandth of a CPU")
    return Amount(milli, f"{int(milli)}m" if milli % 1000 else f"{int(value)}")


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and any(digit.isdigit() for digit in text)
