"""The decision: who pays for a pod, what it asks for, and whether that still fits.

Promise: nothing in here reaches the world. No I/O, no clock, no log, no randomness; a fact that a
decision needs is an argument. The same input therefore gives the same answer in the webhook, in the
operator, on the command line and in a simulation, and the import contracts hold this package to it.

Read in this order:

* `quantities`, `resources`, `gpus`: numbers and names. Amounts are exact integers in base units.
* `profiles`, `models`, `prices`, `offers`, `placing`, `inventory`, `costs`: what GPUs cost, and where a pod may run.
* `pods`, `defaulting`, `resizes`, `sums`, `demand`: what one pod asks for, as the
  Kubernetes scheduler reckons it.
* `owners`, `limits`, `world`: who pays, and how much they may hold.
* `ledger`: what an owner holds now, folded and reserved.
* `verdict`, `explain`: what exceeds which limit, and how to say so.
* `admission`: all of it together, on one page.
* `workloads`, `fitting`, `rollouts`, `outlook`, `advice`: what will become of pods that are still to come.
"""
