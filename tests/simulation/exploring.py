"""Every schedule of a small scope: which message arrives next, whether time passes first, where a process dies.

All schedules with at most so many departures from the usual order, and so many crashes, are run to their end, where
everything must be as it should. Two that have brought every process the same inputs in the same order, and the store
the same writes, go on alike: only the first is followed, so that what commutes is run once.

Each schedule is run from the start: what is common to two of them is run twice, since nothing can copy a whole cluster.
"""

import multiprocessing
from dataclasses import dataclass, replace
from typing import Final

from simulation.choosing import Chooser, Cost, Option
from simulation.history import History
from simulation.plan import Plan
from simulation.search import quiet
from simulation.table import Table

MOST_POINTS: Final = 500

Choices = tuple[str, ...]


@dataclass(frozen=True)
class Scope:
    """How far schedules depart from the usual order.

    Attributes:
        departures: how often a message is put off, or a while passes first.
        crashes: how many processes die.
    """

    departures: int = 1
    crashes: int = 1

    def allows(self, cost: Cost) -> bool:
        """Whether a schedule may cost so much."""
        return cost[0] <= self.departures and cost[1] <= self.crashes


@dataclass
class Explored:
    """What exploring came to.

    Attributes:
        schedules: how many were run to their end.
        alike: how many went on as another one had, and were left there.
        points: at how many points there was a choice, over all of them.
        found: the first invariant that did not hold, and how; "" if all did.
        choices: how to get there.
    """

    schedules: int = 0
    alike: int = 0
    points: int = 0
    found: str = ""
    choices: Choices = ()

    def __add__(self, other: "Explored") -> "Explored":
        failed = self if self.found else other
        counts = self.schedules + other.schedules, self.alike + other.alike, self.points + other.points
        return Explored(*counts, failed.found, failed.choices)


class Schedule(History):
    """One schedule.

    Args:
        plan: its steps all happen at once.
        choices: what is chosen at the first points; after those the usual.
        seen: at what cost each state was reached before; None to go on whatever was seen.
        table: as `History`.

    Attributes:
        points: what there was to choose from, each time.
        taken: what was chosen.
        costs: what it had cost until then.
        alike: another schedule went on like this one, so this one was left there.
    """

    def __init__(
        self,
        plan: Plan,
        choices: Choices = (),
        seen: dict[int, list[Cost]] | None = None,
        table: Table | None = None,
    ) -> None:
        super().__init__(plan, table)
        self.points: list[list[Option]] = []
        self.taken: list[str] = []
        self.costs: list[Cost] = []
        self.alike = False
        self._choices, self._seen = choices, seen
        self._cost: Cost = (0, 0)

    def act(self) -> None:
        """Let all steps happen, and messages arrive in the order that is chosen."""
        network, chooser = self.cluster.network, Chooser(self.cluster)
        usual = network.send, network.rest
        network.send, network.rest = chooser.send, chooser.rest  # type: ignore[method-assign]  # what this is for
        for step in self.plan.steps:
            self.happenings.happen(step)
        self._choose(chooser)
        network.send, network.rest = usual  # type: ignore[method-assign]  # as above
        chooser.release()

    def finish(self) -> None:
        """As `History`, unless another schedule does it."""
        if not self.alike:
            super().finish()

    def departures(self, scope: Scope) -> list[Choices]:
        """Schedules that begin as this one, and depart from it after what was chosen for it."""
        return [
            (*self.taken[:number], option.name)
            for number in range(len(self._choices), len(self.points))
            for option in self.points[number]
            if option.name != self.taken[number] and scope.allows(_sum(self.costs[number], option.cost))
        ]

    def _choose(self, chooser: Chooser) -> None:
        while self.wait(0.0) and len(self.points) < MOST_POINTS:
            options = chooser.options()
            if not options:
                return
            number = len(self.points)
            option = options[0]
            if number < len(self._choices):
                option = next(each for each in options if each.name == self._choices[number])
            elif self._is_known(chooser.state()):
                self.alike = True
                return
            self.points.append(options)
            self.taken.append(option.name)
            self.costs.append(self._cost)
            self._cost = _sum(self._cost, option.cost)
            chooser.take(option.name, self.wait)

    def _is_known(self, state: int) -> bool:
        """Whether a schedule that had at least as much left to depart with has been here."""
        if self._seen is None:
            return False
        known = self._seen.setdefault(state, [])
        if any(cost[0] <= self._cost[0] and cost[1] <= self._cost[1] for cost in known):
            return True
        known.append(self._cost)
        return False


def explore(plan: Plan, scope: Scope, *, processes: int = 1) -> Explored:
    """Run every schedule of a plan.

    Args:
        plan: what happens; all of it at once.
        scope: how far schedules depart from the usual order.
        processes: how many work at it, each on a part of the first departures.
    """
    if processes == 1:
        return _explore((plan, scope, 0, 1))
    parts = [(plan, scope, part, processes) for part in range(processes)]
    total = Explored()
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for explored in pool.imap_unordered(_explore, parts):
            total += explored
            if total.found:
                break
    return total


def replay(plan: Plan, choices: Choices) -> str:
    """One schedule as a table, with what is found at its end."""
    table = Table()
    with quiet():
        found = Schedule(plan, choices, table=table).run()
    return f"{table.text()}\n{found}"


def _explore(job: tuple[Plan, Scope, int, int]) -> Explored:
    plan, scope, part, parts = job
    explored = Explored()
    seen: dict[int, list[Cost]] = {}
    waiting: list[Choices] = [()]
    with quiet():
        while waiting:
            choices = waiting.pop()
            schedule = Schedule(plan, choices, seen)
            found = schedule.run()
            explored.points += len(schedule.points) - len(choices)
            explored.alike += schedule.alike
            explored.schedules += not schedule.alike
            if found:
                return replace(explored, found=found, choices=tuple(schedule.taken))
            more = schedule.departures(scope)
            waiting += more if choices else _share(more, part, parts)
    return explored


def _share(more: list[Choices], part: int, parts: int) -> list[Choices]:
    """Neighbours stay together: they meet the same states."""
    return more[len(more) * part // parts : len(more) * (part + 1) // parts]


def _sum(a: Cost, b: Cost) -> Cost:
    return a[0] + b[0], a[1] + b[1]
