"""labquota's real code on a simulated cluster: one seed, one history.

store.py, cache.py, apiserver.py     etcd and API servers: what a call is answered, what a watch tells
timeline.py, loop.py                 one clock and one order for everything; a loop of its own for each process
network.py, faults.py                calls on their way, and what becomes of them
processes.py                         the webhook and the operator, put together as `labquota` itself does
kubernetes.py                        how an API server makes, resizes and ends pods, asking the webhook
plan.py, history.py                  what happens when; one run of it
checker.py, ending.py                the invariants I1 to I8, from nothing but the store and the calls
search.py, shrinking.py, table.py    many runs; the shortest that still fails; the same for people to read
exploring.py                         every order of a small scope
"""
