"""`python -m soak`: a line at each checkpoint.

Exit codes: 0 everything held; 1 something did not, or could not be started; 130 it was interrupted.
"""

import argparse
import asyncio
import signal
import sys

from controlplane import ControlPlane, ControlPlaneError
from harness import CREATE_SECONDS, Installation
from soak.living import SoakError
from soak.soaking import soak

_NODES = 8


def main() -> int:
    """Soak; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m soak", description="many pods live and end; nothing is left"
    )
    parser.add_argument("--pods", type=int, default=100_000, help="how many; 100,000 take about half an hour")
    parser.add_argument("--checkpoints", type=int, default=50, help="how often everything is compared")
    options = parser.parse_args()
    if options.pods < options.checkpoints or options.checkpoints < 1:
        parser.error("there must be at least one pod for each checkpoint, and one checkpoint")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = {"create_seconds": CREATE_SECONDS}
    # One worker alone would clear the finished pods away more slowly than they come.
    flags = ["--delete-collection-workers=8"]
    try:
        with (
            ControlPlane(nodes=_NODES, apiserver_flags=flags) as plane,
            Installation(plane, settings=settings) as installed,
        ):
            asyncio.run(soak(plane, installed, pods=options.pods, checkpoints=options.checkpoints, say=_say))
    except (SoakError, ControlPlaneError, BaseExceptionGroup) as error:
        print(f"soak: {_first(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("soak: interrupted; everything is stopped", file=sys.stderr)
        return 130
    _say("memory flat, ledgers equal to the truth, no reservation and no owner's series left")
    return 0


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, SoakError | ControlPlaneError):
        raise error
    return error


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
