"""Which fault strikes what, and when: a pure function of seed and duration.

Faults are dealt like cards. A deck holds every kind of fault for every process and every link once, so that a storm
that is long enough has had them all, and a longer one has them again in another order.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from storm.links import Mode
from storm.wiring import CLIENTS, name_of

__all__ = ["KILL", "LANES", "PAUSE", "REST", "WARM", "Fault", "Shape", "deal"]

KILL, PAUSE = "kill", "pause"
LANES = 3
"""So many faults strike at once."""
WARM = 2.0
"""Seconds without a fault at the beginning, so that there is something to break."""
REST = 2.0
"""Seconds between two faults of one process: what was held up goes on, and no two add up to more than a reservation's
time."""
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


def deal(seed: int, seconds: float, shape: Shape | None = None) -> list[Fault]:
    """The faults of one storm, in order; none lasts beyond its end."""
    chance, shape = random.Random(seed), shape or Shape()
    cards = _cards(chance, shape)
    lanes = [WARM] * LANES
    free = dict.fromkeys(shape.processes(), WARM)
    waiting: list[Fault] = []
    dealt: list[Fault] = []
    while True:
        lane = min(range(LANES), key=lanes.__getitem__)
        now = lanes[lane]
        if now >= seconds - WARM:
            return sorted(dealt, key=lambda fault: fault.at)
        card = _next(waiting, cards, free, now)
        if card is None:
            lanes[lane] = now + 0.5
            continue
        fault = Fault(now, min(card.seconds, seconds - now), *_rest(card))
        dealt.append(fault)
        lanes[lane] = fault.ends + chance.uniform(0.1, 1.5)
        for name in fault.struck:
            free[name] = fault.ends + REST


def _next(waiting: list[Fault], cards: Iterator[Fault], free: dict[str, float], now: float) -> Fault | None:
    """The first card whose processes are whole now; those that are passed over keep their place."""
    for at, card in enumerate(waiting):
        if all(free[name] <= now for name in card.struck):
            return waiting.pop(at)
    while len(waiting) < 2 * len(free):
        card = next(cards)
        if all(free[name] <= now for name in card.struck):
            return card
        waiting.append(card)
    return None


def _rest(card: Fault) -> tuple[str, tuple[str, ...], tuple[str, ...], float, float]:
    return card.kind, card.targets, card.struck, card.latency, card.rate


def _cards(chance: random.Random, shape: Shape) -> Iterator[Fault]:
    while True:
        deck = [*_singles(chance, shape), *_together(chance, shape)]
        chance.shuffle(deck)
        yield from deck


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
    front: Sequence[str] = tuple(name_of("kube-apiserver", each) for each in webhooks)
    yield Fault(0, chance.uniform(*_SHORT), Mode.CUT, tuple(front), webhooks)
    yield Fault(0, chance.uniform(*_SHORT), KILL, webhooks, webhooks)
    yield Fault(0, chance.uniform(*_SHORT), PAUSE, webhooks, webhooks)
    yield Fault(0, chance.uniform(*_SILENT), PAUSE, operators, operators)
    yield Fault(0, chance.uniform(*_SHORT), KILL, operators, operators)
