"""`labquota agent`: what one node's GPUs are, and who holds them."""

from labquota.cli import processes

command = processes.command(
    "agent",
    "labquota.agent.app",
    """Look at the GPUs of one node and who holds them, and write that into its GPUNode, until SIGTERM.

    One runs on each GPU node, with the kubelet's PodResources socket mounted, in the host's PID namespace or with the
    host's /proc mounted. It changes nothing on the node, and needs no privilege where the driver asks for none.

    \b
    Exit codes:
      0  ended by a signal
      2  a setting, the credentials or a port cannot be used
      4  the driver was replaced: start it again, to load the new driver's library
    """,
)
