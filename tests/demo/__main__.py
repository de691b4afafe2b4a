"""`python -m demo`: plays all acts; with KEEP=1 it stays up afterwards, to be played with by hand.

Exit codes: 0 all went as the transcript says; 1 something did not; 130 it was interrupted.
"""

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from controlplane import ControlPlaneError
from demo.acts import ACTS, Act
from demo.shell import Unexpected
from demo.stage import Stage, open_stage
from demo.transcript import Transcript

__all__ = ["main"]


def main(acts: Sequence[Act] = ACTS, *, keep: bool = False) -> int:
    """Play `acts`; the exit code.

    Args:
        acts: what is played, in this order.
        keep: leave everything running afterwards until Ctrl-C.
    """
    transcript = Transcript(sys.stdout)
    act: Act | None = None
    try:
        with open_stage(transcript) as stage:
            for act in acts:
                act(stage)
            transcript.blank()
            transcript.progress("all acts went as they should")
            if keep:
                _wait(stage)
    except Unexpected as wrong:
        transcript.wrong(act.__name__ if act else "start", wrong.expected, wrong.came)
        return 1
    except ControlPlaneError as error:
        transcript.wrong(act.__name__ if act else "start", "no trouble with the control plane", str(error))
        return 1
    except KeyboardInterrupt:
        transcript.progress("interrupted; everything is stopped")
        return 130
    transcript.progress("everything is stopped")
    return 0


def _wait(stage: Stage) -> None:
    names = ", ".join(stage.people)
    stage.transcript.output(
        "\nIt keeps running until Ctrl-C. In another shell:\n\n"
        f"    export KUBECONFIG={stage.kubeconfig} PATH={stage.path}:$PATH\n\n"
        "    kubectl get ownerusage                       # as the administrator\n"
        "    labquota usage alice -w                      # a budget, live\n"
        "    labquota gpus                                # who holds which GPU\n"
        "    kubectl --context alice -n vision create -f tests/demo/files/train.yaml\n\n"
        f"There are {names}, and the logs in {stage.plane.logs}.\n"
    )
    try:
        signal.pause()
    except KeyboardInterrupt:
        stage.transcript.blank()


def _interrupted(number: int, _: object) -> NoReturn:
    """SIGTERM and SIGHUP stop things in order, as Ctrl-C does."""
    raise KeyboardInterrupt(signal.Signals(number).name)


if __name__ == "__main__":
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _interrupted)
    sys.exit(main(keep=os.environ.get("KEEP", "") not in ("", "0")))
