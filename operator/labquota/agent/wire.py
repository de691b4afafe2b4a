"""Protobuf as it is on the wire: the fields of a message, and nothing of what they mean.

The kubelet's answers have a handful of fields of which a few are read; protobuf's own runtime would cost 3 MB.
"""

from collections.abc import Iterator
from typing import Final

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_LONGEST: Final = 10
"""Bytes of the longest varint."""


class WireError(ValueError):
    """Bytes that are no message."""


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message that have a length: texts and messages, by number, in their order.

    Numbers are passed over; nobody here reads one.

    Raises:
        WireError: It is no message.
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise WireError("a field has the number 0")
        if kind == _LENGTH:
            size, at = _varint(message, at)
            if size > end - at:
                raise WireError(f"field {number} is cut off")
            yield number, message[at : at + size]
            at += size
        elif kind == _VARINT:
            _, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
            if at > end:
                raise WireError(f"field {number} is cut off")
        else:
            raise WireError(f"field {number} is of the unknown kind {kind}")


def text(value: bytes) -> str:
    """A field's value as text.

    Raises:
        WireError: It is none.
    """
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise WireError(f"a text is no UTF-8: {error}") from error


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_LONGEST):
        if at >= len(message):
            raise WireError("a number is cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at
    raise WireError("a number is too long")
