"""What can break, and the deck of cards that holds each of it once."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from storm.links import Mode
from storm.wiring import CLIENTS, name_of

__all__ = ["KILL", "PAUSE", "Fault", "Shape", "deck"]

KILL, PAUSE = "kill", "pause"
_SHORT, _LONG = (0.5, 4.5), (6.0, 12.0)
_SILENT = (16.0, 19.0)
"""Replicas take an operator for away that is silent for longer than 15 s."""
_LATENCIES, _RATES = (0.01, 0.2), (50_000, 2_000_000)


@dataclass(frozen=True)
class Fault:
    """Something that breaks for a while.

    Attributes:
        at: seconds since the storm began.
        seconds: how long; a process that was killed is started again after that.
        kind: `kill`, `pause`, or what a link does.
        targets: the processes, or the links.
        struck: the processes that feel it: nothing else strikes them meanwhile.
        latency: of a slow link, in seconds a piece.
        rate: of a slow link, in bytes a second.
    """

    at: float
    seconds: float
    kind: str
    targets: tuple[str, ...]
    struck: tuple[str, ...]
    latency: float = 0.0
    rate: float = 0.0

    @property
    def ends(self) -> float:
        """Seconds since the storm began."""
        return self.at + self.seconds

    def __str__(self) -> str:
        how = f", {self.latency * 1000:.0f} ms, {self.rate / 1000:.0f} kB/s" if self.kind == Mode.SLOW else ""
        return f"{self.at:6.1f} s  {self.kind} {' '.join(self.targets)} for {self.seconds:.1f} s{how}"


@dataclass(frozen=True)
class Shape:
    """How many there are of each; the link of replica or operator N leads to API server N modulo their number."""

    apiservers: int = 2
    webhooks: int = 3
    operators: int = 2

    def processes(self) -> list[str]:
        """Everything that is killed and paused."""
        return [
            *(f"webhook-{number}" for number in range(self.webhooks)),
            *(f"operator-{number}" for number in range(self.operators)),
            *(f"kube-apiserver-{number}" for number in range(self.apiservers)),
        ]

    def links(self) -> dict[str, str]:
        """Everything that is cut and slowed, with the process that feels it."""
        found = {}
        for kind, count in (("webhook", self.webhooks), ("operator", self.operators)):
            for number in range(count):
                server = f"kube-apiserver-{number % self.apiservers}"
                found[name_of(f"{kind}-{number}", server)] = f"{kind}-{number}"
        for number in range(self.webhooks):
            found[name_of("kube-apiserver", f"webhook-{number}")] = f"webhook-{number}"
        for number in range(self.apiservers):
            found[name_of(f"kube-apiserver-{number}", "etcd")] = f"kube-apiserver-{number}"
            found[name_of(CLIENTS, f"kube-apiserver-{number}")] = f"kube-apiserver-{number}"
        return found


def deck(chance: random.Random, shape: Shape) -> list[Fault]:
    """Every fault for every process and link once, at no time yet; how long each lasts is left to chance."""
    return [*_singles(chance, shape), *_together(chance, shape)]


def _singles(chance: random.Random, shape: Shape) -> Iterator[Fault]:
    for process in shape.processes():
        # An operator that sleeps for longer than its Lease wakes up deposed; a replica that sleeps for longer than the
        # API server waits is given up. An API server may hold back a pod that is already reserved: never for long.
        patient = not process.startswith("kube-apiserver")
        yield Fault(0, chance.uniform(*_SHORT), KILL, (process,), (process,))
        yield Fault(0, chance.uniform(*_SHORT), PAUSE, (process,), (process,))
        if patient:
            yield Fault(0, chance.uniform(*_LONG), PAUSE, (process,), (process,))
    for link, process in shape.links().items():
        for mode in (Mode.CUT, Mode.STALL, Mode.MUTE, Mode.SLOW):
            slow = (chance.uniform(*_LATENCIES), chance.uniform(*_RATES)) if mode is Mode.SLOW else ()
            yield Fault(0, chance.uniform(*_SHORT), mode, (link,), (process,), *slow)


def _together(chance: random.Random, shape: Shape) -> Iterator[Fault]:
    """What only many at once can do: no replica in reach, no operator alive."""
    webhooks = tuple(f"webhook-{number}" for number in range(shape.webhooks))
    operators = tuple(f"operator-{number}" for number in range(shape.operators))
    front = tuple(name_of("kube-apiserver", each) for each in webhooks)
    yield Fault(0, chance.uniform(*_SHORT), Mode.CUT, front, webhooks)
    yield Fault(0, chance.uniform(*_SHORT), KILL, webhooks, webhooks)
    yield Fault(0, chance.uniform(*_SHORT), PAUSE, webhooks, webhooks)
    yield Fault(0, chance.uniform(*_SILENT), PAUSE, operators, operators)
    yield Fault(0, chance.uniform(*_SHORT), KILL, operators, operators)
