"""What came of one storm."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from storm.violations import Violation

__all__ = ["Outcome"]


@dataclass
class Outcome:
    """What was done, seen and found.

    Attributes:
        seed: of faults and clients.
        seconds: how long they went on.
        profile: whether nothing at all might pass, or what is shipped.
        violations: what must never be, and was.
        coverage: what there was to be checked, by word.
        answers: what clients were answered, by word.
        faults: how many of each kind.
        settled_after: seconds from the last call until every ledger was true.
        folder: where all of it is kept.
    """

    seed: int
    seconds: float
    profile: str
    violations: list[Violation]
    coverage: Mapping[str, int]
    answers: Counter[str]
    faults: Counter[str]
    settled_after: float
    folder: Path

    @property
    def how_to_repeat(self) -> str:
        """Where everything is kept, and the command for another storm like this one."""
        command = f"make storm SECONDS={self.seconds:.0f} SEED={self.seed} PROFILE={self.profile}"
        return f"storm: its history is kept in {self.folder}\nstorm: the same again: {command}"

    @property
    def report(self) -> str:
        """Everything worth reading, for people."""
        answers = "\n".join(f"  {count:7}  {word}" for word, count in sorted(self.answers.items()))
        coverage = "\n".join(f"  {count:7}  {word}" for word, count in sorted(self.coverage.items()))
        faults = ", ".join(f"{count} {word}" for word, count in sorted(self.faults.items()))
        wrong = "\n".join(f"  {each}" for each in self.violations) or "  nothing"
        return (
            f"seed {self.seed}, {self.profile}; faults: {faults}\n"
            f"what clients were answered:\n{answers}\n"
            f"what was checked:\n{coverage}\n"
            f"ledgers were true {self.settled_after:.0f} s after the last call\n"
            f"wrong:\n{wrong}"
        )
