"""The control plane by hand: `python -m controlplane build` and `python -m controlplane up`."""

import argparse
import signal
import sys

from controlplane import binaries
from controlplane.errors import ControlPlaneError
from controlplane.plane import ControlPlane


def main() -> int:
    """Run a subcommand; 0 when all went well, 1 with one line to stderr when not."""
    parser = argparse.ArgumentParser(prog="python -m controlplane", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build or find the programs, and print where they are")
    up = commands.add_parser("up", help="start one, print its KUBECONFIG and wait for Ctrl-C")
    up.add_argument("--nodes", type=int, default=2, help="fake GPU nodes (default 2)")
    up.add_argument("--apiservers", type=int, default=1, help="API servers on one etcd (default 1)")
    chosen = parser.parse_args()
    try:
        if chosen.command == "build":
            for name, path in binaries.find().paths.items():
                print(f"{name:24} {path}")
        else:
            _up(chosen.apiservers, chosen.nodes)
    except ControlPlaneError as error:
        print(f"controlplane: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("controlplane: stopped", file=sys.stderr)
    return 0


def _up(apiservers: int, nodes: int) -> None:
    with ControlPlane(apiservers=apiservers, nodes=nodes) as plane:
        print(f"export KUBECONFIG={plane.admin.kubeconfig}", flush=True)
        print(f"controlplane: logs in {plane.logs}; Ctrl-C stops it", file=sys.stderr, flush=True)
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
