"""The operator: the only process that takes charges out of a ledger.

pods.py        what the watch on pods shows: who holds what, kept as sums per owner
settling.py    which reservations the view answers
pacing.py      the budget of writes
schedule.py    whose turn it is
folding.py     writes sums into ledgers and takes settled reservations out
expiring.py    reservations whose pod was never stored
budgets.py     what there is to say about one owner
usage.py       publishes it: OwnerUsage
nodes.py       pods on lost nodes
statuses.py    conditions of groups and overrides
handlers.py    kopf: our own kinds
history.py     whether the view is of the present
leading.py     the Lease, its epoch and the marker
app.py         one operator, put together
"""
