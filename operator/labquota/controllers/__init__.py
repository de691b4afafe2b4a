"""The operator: the only process that takes charges out of a ledger.

pods.py        what the watch on pods shows: who holds what, kept as sums per owner
settling.py    which reservations the view answers
folding.py     writes sums into ledgers and takes settled reservations out
expiring.py    reservations whose pod was never stored
usage.py       what people read: OwnerUsage
statuses.py    conditions of groups and overrides
handlers.py    kopf: our own kinds
leading.py     the Lease, its epoch and the marker
app.py         one operator, put together
"""
