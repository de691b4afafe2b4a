"""`labquota operator`: folds ledgers and publishes usage while it holds the Lease, else stands by."""

from labquota.cli import processes

command = processes.command(
    "operator",
    "labquota.controllers.app",
    """Run one operator, until SIGTERM: it works while it holds the Lease and stands by otherwise.

    Every setting is a flag or an environment variable; the flag wins. The API server is found through KUBECONFIG,
    or in a pod through its service account.

    \b
    Exit codes:
      0  ended by a signal
      2  a setting, the credentials or a port cannot be used
    """,
)
