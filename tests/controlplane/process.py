"""One process of the control plane: started, paused, killed and restarted by itself, and never left behind.

The kernel kills it when the *thread* that started it ends (that is what PR_SET_PDEATHSIG means by a parent). So
every process is started by one thread of its own, which ends with the interpreter: a test may restart an API server
from a worker thread without losing it a moment later.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from controlplane.errors import ControlPlaneError

__all__ = ["Process", "wait_until"]

_LAUNCH = str(Path(__file__).with_name("launch.py"))
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="controlplane-starter")


def wait_until(ready: Callable[[], bool], seconds: float, *, every: float = 0.02) -> bool:
    """Ask `ready` until it says yes or `seconds` have passed; returns its last answer."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() >= end:
            return False
        time.sleep(every)
    return True


class Process:
    """A program with a log file and a way to tell that it serves.

    Args:
        name: what people call it; also the name of its log file.
        argv: program and arguments; the program as an absolute path.
        logs: the folder for its log, which is appended to over restarts.
        env: its whole environment; None for ours.
        ready: answers whether it serves now; never raises.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        logs: Path,
        env: Mapping[str, str] | None = None,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.env = env
        self.log = logs / f"{name}.log"
        self._ready = ready
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            ControlPlaneError: it was never started.
        """
        if self._popen is None:
            raise ControlPlaneError(f"{self.name} was not started")
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether it runs, paused or not."""
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Start it and return at once; `wait_ready` waits."""
        if self.alive:
            raise ControlPlaneError(f"{self.name} runs already (process {self.pid})")
        self._popen = _STARTER.submit(self._spawn).result()

    def wait_ready(self, seconds: float = 30) -> None:
        """Wait until it serves.

        Raises:
            ControlPlaneError: it ended, or did not serve in time; with the end of its log.
        """
        if wait_until(lambda: not self.alive or self._ready(), seconds) and self.alive:
            return
        what = (
            f"does not answer after {seconds:.0f} s" if self.alive else f"ended with code {self.returncode}"
        )
        raise ControlPlaneError(f"{self.name} {what}; its log is {self.log}, which ends:\n{self.tail()}")

    @property
    def returncode(self) -> int | None:
        """What it ended with (negative: the signal), or None while it runs."""
        return None if self._popen is None else self._popen.poll()

    def stop(self, grace: float = 10) -> None:
        """Ask it to end (SIGTERM) and kill it if it has not after `grace` seconds."""
        if self.alive:
            self._send(signal.SIGCONT)
            self._send(signal.SIGTERM)
            wait_until(lambda: not self.alive, grace)
        self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        if self._popen is not None and self.alive:
            self._send(signal.SIGKILL)
            self._popen.wait()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): it keeps its connections and answers nothing."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on."""
        self._send(signal.SIGCONT)

    def restart(self, *, grace: float = 2, seconds: float = 30) -> None:
        """End it (see `stop`; an API server with open watches would take a minute) and start it again.

        Returns when it serves again.
        """
        self.stop(grace)
        self.start()
        self.wait_ready(seconds)

    def tail(self, lines: int = 15) -> str:
        """The last lines of its log, each cut to a readable length."""
        if not self.log.exists():
            return "(no log)"
        text = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(f"  {line[:400]}" for line in text)

    def _spawn(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), *self.argv]
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C in a terminal reaches the owner alone, which then stops things in order.
            return subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env, start_new_session=True
            )

    def _send(self, what: signal.Signals) -> None:
        if self._popen is not None and self.alive:
            self._popen.send_signal(what)
