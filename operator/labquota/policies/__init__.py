"""What runs inside the API server: the policies (CEL) that stamp owners and guard stamps, written from one source.

    identities.py   who asks, in CEL: `quota.trust` and `quota.owners` said once more, and tested to agree
    stamping.py     MutatingAdmissionPolicies: the stamp on what is created, and put back where an update drops it
    creating.py     ValidatingAdmissionPolicies: what an object may carry when it is created
    guarding.py     … what nobody may do to a stamp afterwards
    doors.py        … or to get around one
    injecting.py    … or to have others write
    refusing.py     how such a policy looks
    registering.py  the mutating webhook's registration, for what policies leave open or instead of them
    rights.py       what webhook and operator may read to find an owner
    generate.py     config/install/owner-*.yaml from these

No process is asked, so none can be away: that is why as much as can be is said here and not in the webhook.
"""
