"""The pods that the view has seen go: whoever reserved for one of them asks within a minute."""

from typing import Final

from labquota.controllers.charges import Key

MOST: Final = 25_000
"""At least so many are remembered, and at most twice as many. A reservation whose pod is forgotten expires."""


class Ended:
    """Remembers the latest keys, in two generations: no order is kept, and nothing is looked for to be forgotten."""

    def __init__(self) -> None:
        self._young: set[Key] = set()
        self._old: set[Key] = set()

    def add(self, key: Key) -> None:
        """Remember one more."""
        self._young.add(key)
        if len(self._young) >= MOST:
            self._young, self._old = set(), self._young

    def __contains__(self, key: Key) -> bool:
        return key in self._young or key in self._old
