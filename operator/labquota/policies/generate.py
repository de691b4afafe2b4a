"""`python -m labquota.policies.generate [--check]`: write the policies for clusters where nobody else is trusted."""

import sys
from pathlib import Path

from labquota.generated import Generated
from labquota.policies import allocating, guarding, registering, rights, stamping
from labquota.quota.trust import DEFAULT

POLICIES = Generated(
    command="python -m labquota.policies.generate",
    folder=Path(__file__).parents[3] / "config" / "install",
    pattern="owner-*.yaml",
    documents=lambda: {
        "owner-guard.yaml": guarding.policies(DEFAULT),
        "owner-rights.yaml": rights.manifests(DEFAULT),
        "owner-stamp.yaml": stamping.policies(DEFAULT),
        "owner-webhook.yaml": registering.beside_policies(DEFAULT),
    },
)

OLDER = Generated(
    command=POLICIES.command,
    folder=POLICIES.folder.parent / "without-policies",
    pattern="owner-*.yaml",
    documents=lambda: {"owner-webhook.yaml": registering.instead_of_policies(DEFAULT)},
)

ALLOCATIONS = Generated(
    command=POLICIES.command,
    folder=POLICIES.folder,
    pattern="allocation-*.yaml",
    documents=lambda: {"allocation-guard.yaml": allocating.policies()},
)

if __name__ == "__main__":
    sys.exit(POLICIES.main() | OLDER.main() | ALLOCATIONS.main())
