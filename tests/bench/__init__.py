"""The benchmark: labquota side by side with the built-in ResourceQuota, on one control plane, in one run.

    __main__.py     the command line, the exit code
    plan.py         what is measured, in which order, for how long at most
    site.py         control plane, labquota and the other cases, each in namespaces of its own
    scope.py        keeps labquota to its own namespaces, so that the other cases do not pay for it
    yes.py          the webhook that says yes (a process)
    load.py         creating and clearing pods
    creating.py     rows: one client, 16 and 64 clients, one owner and fifty
    reviewing.py    row: CPU of the webhook alone
    freeing.py      rows: a finished pod's budget; a storm against a limit
    growing.py      rows: ledger and operator with 10,000 pods
    rows.py         a row: values by case, one a repeat; percentiles, spreads
    targets.py      the targets, and whether a row meets them
    report.py       the table
    processes.py    CPU and memory of a process

Repeats are interleaved (A B C D, A B C D, ...), and ratios are taken within a repeat, so that a machine that slows down
meanwhile slows down both sides.
"""
