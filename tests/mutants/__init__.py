"""Deliberate faults in the ledger protocol, each of which a named test in simulation must find.

    *.toml, table.py                 all of them: source text before and after, why that is wrong, and what finds it
    mutant.py                        how a fault gets into a process: as the module is imported, in memory alone
    scenes.py                        what the catchers let happen
    test_catching_*.py               the catchers: they pass on the code as it is
    trial.py, test_mutants.py        each catcher against each of its faults, in a process of its own;
                                     `python -m mutants` does the same and prints what was found

A fault that survives is a missing test.
"""
