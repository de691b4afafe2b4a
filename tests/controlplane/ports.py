"""Ports on loopback that stay ours for as long as this process lives.

Not "bind to 0 and close": such a port comes from the range that outgoing connections use, so a storm of clients can
take it while an API server restarts. These lie below that range, and a locked file keeps other runs off them.
"""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

from controlplane.errors import ControlPlaneError

__all__ = ["free"]

_RANGE = range(10_000, 30_000)
_held: dict[int, int] = {}


def free() -> int:
    """Reserve a TCP port on 127.0.0.1 that nobody listens on.

    Raises:
        ControlPlaneError: hundreds of tries found none.
    """
    folder = Path(tempfile.gettempdir()) / f"labquota-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for port in random.sample(_RANGE, 500):
        if _reserve(folder / str(port), port):
            return port
    raise ControlPlaneError(f"no free port on 127.0.0.1 between {_RANGE.start} and {_RANGE.stop}")


def _reserve(path: Path, port: int) -> bool:
    if port in _held:
        return False
    held = os.open(path, os.O_CREAT | os.O_RDWR)  # kept open: the lock ends with the process, however it ends
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        os.close(held)
        return False
    _held[port] = held
    return True
