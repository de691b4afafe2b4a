"""The chunked encoding of HTTP/1.1, taken off as it comes."""

from typing import Final

_HEAD: Final = 64
"""Bytes within which the line that begins a chunk has to end."""


class Chunks:
    """Takes the chunked encoding off a body, piece by piece."""

    def __init__(self) -> None:
        self.ended = False
        self._left = 0
        self._rest = b""

    def take(self, data: bytes) -> list[bytes]:
        """The content of what came.

        Raises:
            ValueError: It is not chunked.
        """
        if self._rest:
            data, self._rest = self._rest + data, b""
        found: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.ended:
            if not self._left:
                end = data.find(b"\r\n", at, at + _HEAD)
                if end < 0:
                    if size - at >= _HEAD:
                        raise ValueError(f"no chunk begins with {data[at : at + 20]!r}")
                    self._rest = data[at:]
                    break
                length = int(data[at:end].partition(b";")[0], 16)
                at = end + 2
                self.ended = length == 0
                self._left = length + 2  # with the line's end after it
            if self._left > 2:
                found.append(data[at : at + self._left - 2])
            taken = min(self._left, size - at)
            at += taken
            self._left -= taken
        return [piece for piece in found if piece]
