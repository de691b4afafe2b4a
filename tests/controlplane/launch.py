"""Becomes the program named by its arguments, having asked the kernel to kill it when its parent dies.

Run as a script: `python -I -S launch.py PARENT_PID PROGRAM ARG...`. A launcher rather than `preexec_fn`, because
Python code between fork and exec can deadlock in a program with threads, and pytest has threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, argv = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was asked
        sys.exit(1)
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main()
