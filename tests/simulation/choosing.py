"""Takes the place of time in the network: messages that matter wait until they are chosen, one after the other.

At each point the oldest one is the usual choice; where none waits, a while passes. Departures from that: it is
put off until all else has happened that will; a while passes first; a process dies.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from labquota.kube.errors import KubeError
from simulation.cluster import Cluster
from simulation.machines import Machine
from simulation.network import Way
from simulation.store import Change

CHOSEN: Final = frozenset({"/api/v1/pods", "/apis/labquota.dev/v1alpha1/ownerledgers"})
"""Collections of which each line to each process is a choice; what is told of others arrives at once."""
LATER: Final = " later"
DIES: Final = " dies"
USUAL: Final = ("0.05 s pass", "0.5 s pass")
"""What passes when nothing waits: the folds that are due come then."""
WHILES: Final = {"0.05 s pass": 0.05, "0.5 s pass": 0.5}
"""Long enough for a fold that frees something; for any fold."""

Cost = tuple[int, int]
"""Departures and crashes."""


@dataclass
class Option:
    """One thing that may happen next.

    Attributes:
        name: what, the same in every schedule that began alike.
        cost: what it takes of the departures and crashes that a schedule may have.
    """

    name: str
    cost: Cost = (0, 0)


class Chooser:
    """See the module.

    Args:
        cluster: whose messages.

    Attributes:
        waiting: all messages that wait, oldest first.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.waiting: dict[str, tuple[Callable[..., object], tuple[Any, ...]]] = {}
        self._ways: dict[Way, list[str]] = {}
        self._put_off: list[str] = []
        self._rests, self._idle = False, 0
        self._numbers: dict[Way, int] = {}
        self._inputs: dict[str, int] = {}
        self._log = 0
        cluster.store.told.append(self._stored)

    def send(self, way: Way, machine: Machine, happen: Callable[..., object], *args: Any) -> None:
        """As `Network.send`: a message that matters waits, any other arrives at once."""
        kind = way[0]
        if (
            kind == "review"
            or (kind == "line" and way[2] in CHOSEN)
            or (kind == "call" and "ledgers" in way[3])
        ):
            self._wait(way, happen, args)
            return
        if kind == "answer":  # what a process hears is what it does next
            said = args[0]
            self._note(machine.name, str(said) if isinstance(said, KubeError) else hash(said))
        self._cluster.timeline.after(0.0, happen, *args)

    async def rest(self, way: Way, seconds: float) -> None:
        """As `Network.rest`: what is about to be stored waits, too."""
        del seconds
        future = asyncio.get_running_loop().create_future()
        self._wait(way, _go_on, (future,))
        await future

    def options(self) -> list[Option]:
        """What may happen next, the usual first; nothing where nothing is left."""
        first = [names[0] for names in self._ways.values() if names]
        heads = [name for name in self.waiting if name in first and name not in self._put_off]
        self._rests = not heads
        if self._rests and self._idle < len(USUAL):
            return [Option(USUAL[self._idle])]
        if self._rests:
            heads = [name for name in self.waiting if name in first][:1]
            return [Option(name) for name in heads]
        options = [Option(heads[0]), Option(f"{heads[0]}{LATER}", (1, 0))]
        options += [Option(name, (1, 0)) for name in WHILES]
        machines = (*self._cluster.webhooks, *self._cluster.operators)
        return options + [Option(f"{machine.name}{DIES}", (0, 1)) for machine in machines if machine.alive]

    def take(self, name: str, wait: Callable[[float], object]) -> None:
        """Let it happen."""
        self._cluster.network.tell("CHOICE", name, "")
        if name in WHILES:
            self._idle += self._rests
            self._note("time", name)
            wait(WHILES[name])
        elif name.endswith(LATER):
            self._put_off.append(name.removesuffix(LATER))
        elif name.endswith(DIES):
            machine = self._cluster.machine(name.removesuffix(DIES))
            assert machine is not None
            self._note(machine.name, name)
            machine.die()
        else:
            happen, args = self.waiting.pop(name)
            self._put_off = [each for each in self._put_off if each != name]
            for names in self._ways.values():
                if names and names[0] == name:
                    names.pop(0)
            self._note(name.split(" ")[1], name)
            happen(*args)

    def release(self) -> None:
        """Let everything arrive that still waits."""
        while self.waiting:
            self.take(next(iter(self.waiting)), lambda _seconds: None)

    def state(self) -> int:
        """A digest of what every process has heard, in its order, and of what was stored, in its order.

        What goes on from two points with the same digest is the same: processes do nothing of their own accord.
        """
        now = round(self._cluster.timeline.now, 6)
        return hash(
            (
                now,
                self._log,
                tuple(sorted(self._inputs.items())),
                tuple(self.waiting),
                tuple(self._put_off),
                self._idle,
            )
        )

    def _wait(self, way: Way, happen: Callable[..., object], args: tuple[Any, ...]) -> None:
        number = self._numbers[way] = self._numbers.get(way, 0) + 1
        name = f"{' '.join(part.rpartition('/')[2] for part in way)} {number}"
        self.waiting[name] = happen, args
        self._ways.setdefault(way, []).append(name)

    def _note(self, who: str, what: object) -> None:
        self._inputs[who] = hash((self._inputs.get(who, 0), what))

    def _stored(self, change: Change) -> None:
        self._log = hash((self._log, change.kind, change.key, change.item.raw))


def _go_on(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.get_loop().call_soon(_done, future)


def _done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
