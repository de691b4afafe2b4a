"""Numbers as Kubernetes writes them, exactly: "500m", "1.5Gi", "3e-2".

The syntax and the rounding are those of `ParseQuantity` in k8s.io/apimachinery/pkg/api/resource, its
oddities included ("." and "Ki" are zero, an exponent is cut to 32 bits), so that no string means one
thing to the API server and another here. The result is a whole number of nano-units, rounded away from
zero, never a float. It saturates at 2**63-1 whole units instead of wrapping around, and takes no more
work for "1e999999999" than for "1".
"""

import decimal
import functools
import re
from typing import Final

NANO: Final = 10**9
"""Nano-units in one unit."""

MILLI: Final = NANO // 1000
"""Nano-units in a thousandth."""

MAX: Final = 2**63 - 1
"""The most whole units that anything here holds; Kubernetes' own cap."""

_CEILING: Final = MAX * NANO
# Possessive, so that a long string costs one pass.
_SYNTAX: Final = re.compile(
    r"(?P<sign>[+-]?)(?P<zeros>0*+)(?P<whole>[0-9]*+)(?:\.(?P<fraction>[0-9]*+))?+"
    r"(?P<suffix>[eEinumkKMGTP]*+[+-]?+[0-9]*+)",
)
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
# Digits after which a number is past the ceiling or below one nano-unit whatever they say: 19 digits of
# whole units, 9 of nano-units, and room for the binary suffixes' 19.
_ENOUGH_DIGITS: Final = 60
# A longer text is read each time: nobody may fill memory with strings of their choice through the cache.
_CACHED_LENGTH: Final = 32
_CACHED: Final = 16_384


class QuantityError(ValueError):
    """A text or number that is not a Kubernetes quantity; the message is one line for its writer."""


def parse(text: str | float) -> int:
    """Read one quantity.

    Args:
        text: As written in a manifest; a JSON number means what its digits say.

    Returns:
        Nano-units, rounded away from zero, within ±(2**63-1) whole units.

    Raises:
        QuantityError: Where Kubernetes refuses the text too.
    """
    if isinstance(text, str):
        return _cached(text) if len(text) <= _CACHED_LENGTH else _read(text)
    if isinstance(text, int):
        return max(-_CEILING, min(text * NANO, _CEILING))
    return _read(repr(text))


def unsigned(text: str | float) -> int:
    """Read one quantity of a resource list, where the API server refuses negative ones.

    Args:
        text: As for `parse`.

    Returns:
        As `parse`.

    Raises:
        QuantityError: As `parse`, and for a negative quantity.
    """
    nano = parse(text)
    if nano < 0:
        raise QuantityError(f"quantity {quoted(text)} is negative: write 0 or more")
    return nano


def stored(text: str | float | None) -> int:
    """Read one quantity of a resource list as the API server stores it: rounded up to thousandths.

    The rounding is that of `SetDefaults_ResourceList` in k8s.io/kubernetes/pkg/apis/core/v1. What comes from
    the API server has it behind it; a manifest in a file has not.

    Args:
        text: As for `parse`; None, a JSON null, is zero.

    Returns:
        Nano-units, a multiple of a million.

    Raises:
        QuantityError: As `unsigned`.
    """
    if isinstance(text, str) and len(text) <= _CACHED_LENGTH:
        return _cached_stored(text)
    return 0 if text is None else _stored(text)


def round_up(nano: int, scale: int) -> int:
    """Round a sum up to whole steps of `scale` nano-units, saturating at 2**63-1 steps."""
    return min(-(-nano // scale), MAX)


def quoted(text: str | float) -> str:
    """What somebody wrote, in quotes, for a message of one line: cut, and without control characters."""
    shown = hex(text) if isinstance(text, int) and abs(text) > MAX else str(text)
    shown = shown.encode("unicode_escape").decode() if len(shown) <= 80 else f"{quoted(shown[:79])[1:-1]}…"
    return f'"{shown}"'


def _stored(text: str | float) -> int:
    return -(-unsigned(text) // MILLI) * MILLI


def _read(text: str) -> int:
    match = _SYNTAX.fullmatch(text)
    if match is None or not text:
        raise QuantityError(
            f'quantity {quoted(text)} is not a number with an optional suffix, as in "2", "500m", "1.5Gi"',
        )
    fraction = match["fraction"] or ""
    exponent, shift = _scale(text, match["suffix"])
    digits = match["whole"] + fraction
    if not digits and not match["zeros"] and (exponent < -9 or shift > 40):
        # Kubernetes takes a suffix without digits for zero, except where its fast path gives up.
        raise QuantityError(f"quantity {quoted(text)} has no digits")
    nano = _nano(digits.lstrip("0"), exponent - len(fraction), shift)
    return -nano if match["sign"] == "-" else nano


def _scale(text: str, suffix: str) -> tuple[int, int]:
    """The power of ten and the power of two that a suffix stands for."""
    if suffix in _DECIMAL:
        return _DECIMAL[suffix], 0
    if suffix in _BINARY:
        return 0, _BINARY[suffix]
    sign, digits = suffix[1:2], suffix[1:].lstrip("+-")
    significant = digits.lstrip("0")  # int() refuses very long texts, of zeros too
    if suffix[0] in "eE" and digits.isdigit() and len(significant) < 20:
        number = int(significant or "0") * (-1 if sign == "-" else 1)
        if -(2**63) <= number < 2**63:
            return (number + 2**31) % 2**32 - 2**31, 0  # Go: int32(parsed)
    raise QuantityError(
        f"quantity {quoted(text)} ends in {quoted(suffix)}: "
        "the suffixes are n u m k M G T P E, Ki Mi Gi Ti Pi Ei, and exponents as in e3",
    )


def _nano(digits: str, exponent: int, shift: int) -> int:
    """Nano-units in digits * 10**exponent * 2**shift, rounded up, saturating, without huge powers."""
    if not digits:
        return 0
    exponent += 9
    magnitude = len(digits) + exponent  # the result has this many digits before the point, without the shift
    if magnitude > _ENOUGH_DIGITS:
        return _CEILING
    if magnitude < -_ENOUGH_DIGITS:
        return 1
    if len(digits) > _ENOUGH_DIGITS:
        # int() refuses very long texts; a decimal of any length is exact and takes linear time.
        exact = decimal.Context(prec=len(digits) + 40, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
        product = exact.multiply(decimal.Decimal(digits), decimal.Decimal(1 << shift))
        rounded = exact.scaleb(product, exponent).to_integral_value(rounding=decimal.ROUND_UP, context=exact)
        return min(int(rounded), _CEILING)
    mantissa = int(digits) << shift
    raised: int = mantissa * 10**exponent if exponent >= 0 else -(-mantissa // 10**-exponent)
    return min(raised, _CEILING)


_cached = functools.lru_cache(maxsize=_CACHED)(_read)
_cached_stored = functools.lru_cache(maxsize=_CACHED)(_stored)
