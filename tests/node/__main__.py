"""The node by hand: `python -m node` says whether a node can run here, and builds or finds its programs."""

import sys
import tempfile
from pathlib import Path

from controlplane import ControlPlaneError
from node import machine, programs


def main() -> int:
    """0 if a node can run here and all its programs are there; 1 with one line to stderr if not."""
    try:
        if (
            reason := machine.lacks(Path(sys.prefix), Path(__file__).parent, Path(tempfile.gettempdir()))
        ) is not None:
            raise ControlPlaneError(f"no real node on this machine: {reason}")
        for name, path in programs.find().items():
            print(f"{name:24} {path}")
    except ControlPlaneError as error:
        print(f"node: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
