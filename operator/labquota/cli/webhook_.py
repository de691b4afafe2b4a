"""`labquota webhook`: one replica of the admission webhook."""

from labquota.cli import processes

command = processes.command(
    "webhook",
    "labquota.webhook.app",
    """Run one replica of the admission webhook, until SIGTERM.

    Every setting is a flag or an environment variable; the flag wins. The API server is found through KUBECONFIG,
    or in a pod through its service account.

    \b
    Exit codes:
      0  ended by a signal
      2  a setting, the credentials, the certificate or a port cannot be used
    """,
)
