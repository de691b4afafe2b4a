"""The soak: pods by the hundred thousand live and end on fake nodes, and labquota is the same afterwards as before.

`python -m soak` (`make soak`): memory flat, ledgers equal to the truth at every checkpoint, no reservation left, and
no series of owners in any /metrics.
"""
