"""What catchers let happen: random histories of a profile of their own, or a script in which little is left to chance.

Each is run for several seeds: delays, replicas and the order of messages differ, so that no catch hangs on one of them.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from simulation import profiles
from simulation.history import History
from simulation.plan import Plan, Step
from simulation.profiles import CPU, GPU, OWNERS, Profile
from simulation.search import quiet
from simulation.table import Table

ALICE, BOB = OWNERS
BOTH: Final = ("operator-0", "operator-1")
CREATE_SECONDS: Final = 6.0
"""How long a create takes at the most, in scripts."""

Script = Callable[[random.Random], Sequence[Step]]


class NotHeld(AssertionError):  # noqa: N818  what became of the invariant
    """An invariant did not hold; the text begins with which."""


class Demanding(History):
    """Refusals have to be true from the first step on: what goes wrong in this script is no excuse for a wrong one."""

    def act(self) -> None:
        self.checker.calm_since = self.cluster.timeline.now
        super().act()


def hold(profile: Profile, histories: int, kind: type[History] = History) -> None:
    """Let random histories of a profile happen.

    Raises:
        NotHeld: Something was found.
    """
    for seed in range(1, histories + 1):
        _run(profiles.plan(profile, seed), kind)


def play(
    script: Script,
    histories: int,
    kind: type[History] = History,
    *,
    limits: dict[str, str] | None = None,
    create_seconds: float = CREATE_SECONDS,
    **parts: Any,
) -> None:
    """Let a script happen, with some chances.

    Args:
        script: Its steps, by what the seed gives.
        histories: How many seeds.
        kind: How it is run.
        limits: What everybody may hold; three GPUs.
        create_seconds: How long a create takes at the most.
        parts: As `Plan`.

    Raises:
        NotHeld: Something was found.
    """
    for seed in range(1, histories + 1):
        steps = sorted(script(random.Random(seed)), key=lambda step: step.at)
        limits = limits or {"gpu": "3"}
        _run(Plan(seed, tuple(steps), limits, create_seconds=create_seconds, **parts), kind)


def create(at: float, name: str, gpu: int = 0, *, cpu: int = 0, owner: str = ALICE, **how: Any) -> Step:
    """Somebody creates a pod."""
    asks = {GPU: str(gpu)} | ({CPU: str(cpu)} if cpu else {})
    return Step(at, "create", {"name": name, "owner": owner, "asks": asks, **how})


def resize(at: float, name: str, cpu: int, *, owner: str = ALICE, **how: Any) -> Step:
    """Somebody resizes a pod."""
    return Step(at, "resize", {"name": name, "owner": owner, "asks": {CPU: str(cpu)}, **how})


def end(at: float, name: str) -> Step:
    """A pod is deleted."""
    return Step(at, "end", {"name": name, "how": "delete"})


def woe(at: float, what: str, machine: str, **args: Any) -> Step:
    """Something goes wrong with a process."""
    return Step(at, what, {"machine": machine, **args})


def fault(at: float, machine: str, kind: str, on: str = "write", skip: int = 0) -> Step:
    """Something becomes of one of the next calls of a process."""
    return woe(at, "fault", machine, fault={"kind": kind, "on": on, "skip": skip})


def _run(plan: Plan, kind: type[History]) -> None:
    with quiet():
        found = kind(plan).run()
        if found:
            table = Table()
            kind(plan, table).run()
            raise NotHeld(f"{found}\n{plan.text()}\n\n{table.text()}")
