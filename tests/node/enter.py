"""Becomes a program inside the namespaces of another process, and ends with the process that started it.

Run as a script: `python -I -S enter.py PID PROGRAM ARG...`. Signals that ask for an end are handed on, so that who
holds this process holds the program; killed outright, it takes the program with it.
"""

import ctypes
import os
import signal
import sys

CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID = 0x00020000, 0x40000000, 0x20000000
PR_SET_PDEATHSIG = 1


def main() -> None:
    pid, argv = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(os.pidfd_open(pid), CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID):
        sys.exit(f"enter: cannot enter the namespaces of process {pid}: {os.strerror(ctypes.get_errno())}")
    child = os.fork()  # only children live in another namespace of processes
    if child == 0:
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != 0:  # 0 is a parent outside; it died before the kernel was asked
            os._exit(1)
        os.chdir("/")
        os.execv(argv[0], argv)
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(each, lambda number, _: os.kill(child, number))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
