"""All faults, as the files of the table have them."""

import tomllib
from pathlib import Path
from typing import Final

from mutants.mutant import Mutant


def read(path: Path) -> tuple[Mutant, ...]:
    """The faults of one file of the table."""
    return tuple(
        Mutant(
            name=fault["name"],
            file=fault["file"],
            edits=tuple((edit["before"], edit["after"]) for edit in fault["edit"]),
            why=fault["why"],
            breaks=tuple(fault["breaks"]),
            caught_by=fault["caught_by"],
        )
        for fault in tomllib.loads(path.read_text())["fault"]
    )


MUTANTS: Final[tuple[Mutant, ...]] = tuple(
    mutant for path in sorted(Path(__file__).parent.glob("*.toml")) for mutant in read(path)
)
