"""One catcher against one fault, in a process that has imported nothing of labquota yet."""

import concurrent.futures
import importlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mutants.mutant import Mutant

CATCHERS: Final = tuple(
    f"mutants.test_catching_{part}" for part in ("writes", "folds", "expiry", "views", "advances", "holds")
)
PROCESSES: Final = 2
PRELOADED: Final = ("asyncio", "aiohttp", "kopf", "msgspec", "prometheus_client", "pytest", "yaml")
"""What each process needs that is none of labquota: imported once."""


@dataclass(frozen=True)
class Outcome:
    """What became of a fault.

    Attributes:
        name: the fault's.
        found: what its catcher has found; "" if it survived.
        broken: why the catcher has said nothing of the kind.
    """

    name: str
    found: str
    broken: str = ""


def catcher(name: str) -> Callable[[], None] | None:
    """The catcher of a name."""
    for module in CATCHERS:
        found: Callable[[], None] | None = getattr(importlib.import_module(module), name, None)
        if found is not None:
            return found
    return None


def run(mutant: Mutant) -> Outcome:
    """Let its catcher look for a fault, here."""
    try:
        mutant.apply()
        look = catcher(mutant.caught_by)
        if look is None:
            return Outcome(mutant.name, "", f"there is no test {mutant.caught_by}")
        from mutants.scenes import NotHeld  # noqa: PLC0415  with the fault in what it imports

        try:
            look()
        except NotHeld as found:
            return Outcome(mutant.name, str(found).partition("\n")[0])
    except Exception as error:  # noqa: BLE001  whatever a fault breaks besides is to be told by name
        return Outcome(mutant.name, "", f"{type(error).__name__}: {error}")
    return Outcome(mutant.name, "")


def run_all(mutants: Iterable[Mutant]) -> Iterator[Outcome]:
    """Let each be looked for, in a process of its own; two at a time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    with concurrent.futures.ProcessPoolExecutor(PROCESSES, mp_context=context, max_tasks_per_child=1) as pool:
        yield from pool.map(run, mutants)
