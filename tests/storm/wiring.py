"""The links of one storm, seen from the test: where they lead, and what becomes of their bytes."""

import json
import os
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from controlplane import Process, ports
from storm.links import Mode

__all__ = ["CLIENTS", "Wiring", "name_of"]

TESTS = Path(__file__).parents[1]
CLIENTS = "clients"


def name_of(caller: str, callee: str) -> str:
    """What the link from a process to another is called."""
    return f"{caller}>{callee}"


class Wiring:
    """Links that go through a process of their own, as `controlplane.Wires` wants them; use it with `with`.

    Attributes:
        names: every link, in the order in which they were made.
    """

    def __init__(self) -> None:
        self._port = ports.free()
        self._folder = TemporaryDirectory(prefix="labquota-links-")
        argv = [sys.executable, "-m", "storm.switchboard", str(self._port)]
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS)}
        self._process = Process("links", argv, logs=Path(self._folder.name), env=env, ready=self._connect)
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self.names: list[str] = []

    def __enter__(self) -> Self:
        self._process.start()
        self._process.wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            self._socket.close()
        self._process.kill()
        self._folder.cleanup()

    def link(self, caller: str, callee: str, port: int) -> int:
        """A port that leads a process to another one that listens on `port`."""
        return self._open({name_of(caller, callee): port})

    def spread(self, callees: Mapping[str, int]) -> int:
        """A port that leads API servers to one of several processes: a link to each."""
        return self._open({name_of("kube-apiserver", callee): port for callee, port in callees.items()})

    def turn(self, name: str, mode: Mode, latency: float = 0.0, rate: float = 0.0) -> None:
        """Change what becomes of a link's bytes: `latency` in seconds a piece, `rate` in bytes a second."""
        self._say({"link": name, "mode": mode, "latency": latency, "rate": rate})

    def heal(self) -> None:
        """Let everything through everywhere."""
        for name in self.names:
            self.turn(name, Mode.PASS)

    def _open(self, targets: Mapping[str, int]) -> int:
        port = ports.free()
        self._say({"open": dict(targets), "at": port})
        self.names += targets
        return port

    def _connect(self) -> bool:
        try:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        except OSError:
            return False
        return True

    def _say(self, order: Mapping[str, Any]) -> None:
        assert self._socket is not None, "the wiring is not started"
        with self._lock:
            self._socket.sendall(json.dumps(order).encode() + b"\n")
            if self._socket.recv(64) != b"{}\n":
                raise OSError(f"the links do not obey: {order}")
