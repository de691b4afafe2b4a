"""Tries faults and prints what became of each: `python -m mutants [PART OF A NAME...]`."""

import sys

from mutants import trial
from mutants.table import MUTANTS


def main(parts: list[str]) -> int:
    """Try those whose name holds a part, or all; 1 if one was not caught with an invariant that it breaks."""
    chosen = [mutant for mutant in MUTANTS if not parts or any(part in mutant.name for part in parts)]
    survived = 0
    for mutant, outcome in zip(chosen, trial.run_all(chosen), strict=True):
        caught = outcome.found.partition(":")[0] in mutant.breaks
        survived += not caught
        said = outcome.found or outcome.broken or f"survives {mutant.caught_by}"
        print(f"{'' if caught else 'NOT CAUGHT  '}{mutant.name}: {said}", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} faults are caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
