"""Each fault of the table is caught by its test, in simulation, with the invariant that it breaks."""

import pytest

from mutants import trial
from mutants.mutant import Moved, Mutant
from mutants.table import MUTANTS
from mutants.trial import Outcome

_FEWEST = 40


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """What became of every fault; all are tried at once, which saves most of the time."""
    return {outcome.name: outcome for outcome in trial.run_all(MUTANTS)}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_fault_is_caught_by_its_test(mutant: Mutant, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[mutant.name]
    assert outcome.broken == ""
    assert outcome.found, f"'{mutant.name}' survives {mutant.caught_by}: a test is missing"
    assert outcome.found.partition(":")[0] in mutant.breaks, outcome.found


def test_there_are_faults_enough_and_each_is_in_the_table_once() -> None:
    assert len(MUTANTS) >= _FEWEST
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len({mutant.edits for mutant in MUTANTS}) == len(MUTANTS)


def test_the_table_breaks_when_the_code_has_moved() -> None:
    gone = Mutant("x", "quota/ledger.py", (("what never stood there", ""),), "", (), "")
    twice = Mutant("x", "quota/ledger.py", (("self", ""),), "", (), "")
    for mutant in (gone, twice):
        with pytest.raises(Moved, match="not once"):
            mutant.source()
