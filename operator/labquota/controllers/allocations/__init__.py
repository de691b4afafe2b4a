"""GPUAllocations: which devices each pod holds, and whether books and hardware agree.

    pods (own informer) ──► grants.py ──┐
                                        ├──► evidence.py ──► problems.py ──► standing.py ──► keeper.py writes
    GPUNodes (kopf) ──► hardware.py ────┘        who has what, what is wrong, the status

grants.py    pods that ask for GPUs, and what the kubelet wrote into their statuses
hardware.py  one node's report: devices by id and by place, who was given them, foreign processes
evidence.py  which devices a pod has: its status first, else its node's report
holdings.py  who has which device by our own books, so that two of them show
problems.py  Missing, Conflict, Orphaned, Unaccounted, each with its evidence
standing.py  the status that follows
stored.py    the allocations as they are stored
judging.py   what follows for one pod or hold
departed.py  pods that are gone, whose devices the kubelet may still give them
intruders.py pods that use a device which they were not given
agenda.py    whose turn it is: who waits for devices first
writing.py   what is sent to the API server
keeper.py    puts them together
"""
