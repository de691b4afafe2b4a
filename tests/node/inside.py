"""The first process of the node's namespaces: furnishes them, says so, and collects orphans until it is killed.

Run as a script: `python -I -S inside.py SPEC` with a JSON object:

    binds    pairs of a path outside and the path over which it is laid
    address  the node's address, which is also the gateway of its pods
    ready    a file that is made when all of this is done
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

BRIDGE = "cni0"
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, SIOCBRADDBR = 0x8914, 0x8916, 0x891C, 0x89A0
IFF_UP = 1


def main() -> None:
    spec = json.loads(sys.argv[1])
    for source, target in spec["binds"]:
        subprocess.run(["mount", "--rbind", source, target], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _up(control, "lo")
        fcntl.ioctl(control, SIOCBRADDBR, BRIDGE.encode() + b"\0")
        _address(control, SIOCSIFADDR, spec["address"])
        _address(control, SIOCSIFNETMASK, "255.255.255.0")
        _up(control, BRIDGE)
    Path(spec["ready"]).touch()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:  # shims leave their children to the first process
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        signal.sigwait({signal.SIGCHLD})


def _up(control: socket.socket, interface: str) -> None:
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", interface.encode(), IFF_UP))


def _address(control: socket.socket, what: int, address: str) -> None:
    packed = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
    fcntl.ioctl(control, what, struct.pack("16s16s", BRIDGE.encode(), packed))


if __name__ == "__main__":
    main()
