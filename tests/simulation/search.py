"""Many random histories, on all cores; the first that fails, made as short as it still fails."""

import logging
import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from simulation import profiles, shrinking
from simulation.history import History
from simulation.plan import Plan
from simulation.table import Table

CHUNK = 50


@dataclass(frozen=True)
class Failure:
    """A history in which an invariant did not hold.

    Attributes:
        profile: its name.
        seed: which of that profile's histories.
        found: the invariant, and how it did not hold.
        plan: what happens in it, or in the shortest that still fails.
    """

    profile: str
    seed: int
    found: str
    plan: Plan

    def shrunk(self, seconds: float = 60.0) -> "Failure":
        """The shortest history that was found to fail likewise."""
        plan, found = shrinking.shrink(self.plan, self.found, seconds)
        return Failure(self.profile, self.seed, found, plan)

    def text(self) -> str:
        """For people: what failed, how to run it again, and all that happens in it."""
        table = Table()
        with quiet():
            found = History(self.plan, table).run()
        again = f"make simulate PROFILE={self.profile} SEED={self.seed} HISTORIES=1"
        head = f"{found}\nprofile {self.profile}, seed {self.seed} ({again})\n{self.plan.text()}"
        return f"{head}\n\n{table.text()}\n{found}"


def search(
    histories: int, profile: str = "mixed", seed: int = 1, *, processes: int = 1, seconds: float | None = None
) -> Failure | None:
    """Run histories until one fails.

    Args:
        histories: how many.
        profile: its name, or "all" for each in turn.
        seed: of the first; the next one's is one more.
        processes: how many run at once.
        seconds: stop after this time, as if all had been run.

    Returns:
        The first failure that was found, as it happened.
    """
    names = list(profiles.PROFILES) if profile == "all" else [profile]
    jobs = [(names[number % len(names)], seed + number) for number in range(histories)]
    until = None if seconds is None else time.monotonic() + seconds
    if processes == 1:
        return run(jobs, until)
    chunks = [(jobs[begin : begin + CHUNK], until) for begin in range(0, len(jobs), CHUNK)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for failure in pool.imap_unordered(_run_chunk, chunks):
            if failure is not None:
                pool.terminate()
                return failure
    return None


def run(jobs: Iterable[tuple[str, int]], until: float | None = None) -> Failure | None:
    """Run some histories here, by profile and seed."""
    with quiet():
        for name, seed in jobs:
            if until is not None and time.monotonic() > until:
                return None
            plan = profiles.plan(profiles.PROFILES[name], seed, name)
            found = History(plan).run()
            if found:
                return Failure(name, seed, found, plan)
    return None


def cores() -> int:
    """How many processes run at once where nobody says."""
    return len(os.sched_getaffinity(0))


def _run_chunk(chunk: tuple[Sequence[tuple[str, int]], float | None]) -> Failure | None:
    return run(*chunk)


@contextmanager
def quiet() -> Iterator[None]:
    """What labquota logs of all that goes wrong is not for people here."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
