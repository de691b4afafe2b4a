"""Something that must never be, and was."""

from dataclasses import dataclass

__all__ = ["Violation"]


@dataclass(frozen=True)
class Violation:
    """What was wrong, for people."""

    claim: str
    """As in the table of `checker`."""
    version: int
    """At which resourceVersion; 0 where there is none to name."""
    text: str

    def __str__(self) -> str:
        return f"{self.claim}: {self.text}" + (f" (at version {self.version})" if self.version else "")
