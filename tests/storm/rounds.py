"""Where storms are had: a control plane with labquota, wired so that everything can be broken, and a round of it."""

import asyncio
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from controlplane import ControlPlane
from harness import Installation, World
from storm import checker, filling, recount, schedule
from storm.auditing import AuditLogs
from storm.crowd import Crowd
from storm.faults import Fault, Shape
from storm.history import History
from storm.injector import Injector
from storm.outcome import Outcome
from storm.population import People, settle
from storm.wiring import CLIENTS, Wiring
from storm.witness import Witness

__all__ = ["AS_SHIPPED", "CREATE_SECONDS", "STRICT", "Site", "profile_of"]

STRICT, AS_SHIPPED = "strict", "shipped"
CREATE_SECONDS = 20
"""How long a reservation is kept. A webhook's answer may be 10 s late and an API server then be held up for 5 s."""
LEASE_SECONDS = 4
"""Short, so that operators take over from each other many times in a storm."""
QUIET_SECONDS = CREATE_SECONDS + 25
"""After which every ledger must be true: an operator that started last sees a reservation first, then waits."""


def profile_of(seed: int) -> str:
    """What is tried: that nothing at all may pass (even seeds), or what is shipped, fail-open (odd ones)."""
    return AS_SHIPPED if seed % 2 else STRICT


class Site:
    """A control plane with labquota on it, wired so that everything can be broken; use it with `with`.

    Two API servers on one etcd and a witness, three webhook replicas, two operators.
    """

    def __init__(self, shape: Shape | None = None) -> None:
        self.shape = shape or Shape()
        self._stack = ExitStack()
        self._failed = False

    def __enter__(self) -> Self:
        try:
            return self._start()
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._failed and kind is None:  # as if it had been raised: what was seen is kept
            kind, error = AssertionError, AssertionError("a storm has found something")
        self._stack.__exit__(kind, error, trace)

    def _start(self) -> Self:
        self._wiring = self._stack.enter_context(Wiring())
        self.plane = self._stack.enter_context(
            ControlPlane(
                apiservers=self.shape.apiservers,
                nodes=2,
                audited=True,
                bodies=("pods", "pods/resize"),
                wires=self._wiring,
                witness=True,
            )
        )
        self.installed = self._stack.enter_context(
            Installation(
                self.plane,
                replicas=self.shape.webhooks,
                operators=self.shape.operators,
                settings={"create_seconds": CREATE_SECONDS, "lease_seconds": LEASE_SECONDS},
                wires=self._wiring,
            )
        )
        ports = [int(url.rpartition(":")[2]) for url in self.plane.servers]
        self._ports = [
            self._wiring.link(CLIENTS, f"kube-apiserver-{number}", port) for number, port in enumerate(ports)
        ]
        return self

    async def round(self, seed: int, seconds: float, profile: str | None = None) -> Outcome:
        """One storm.

        Args:
            seed: decides the faults, what clients do, and the profile unless that is given.
            seconds: how long clients and faults go on.
            profile: STRICT or AS_SHIPPED.
        """
        profile = profile or profile_of(seed)
        strict = profile == STRICT
        await asyncio.to_thread(self.installed.register, "Fail" if strict else "Ignore")
        folder = self.plane.folder / f"storm-{seed}"
        folder.mkdir(exist_ok=True)
        with World(self.plane, self.installed) as world, (folder / "seen.jsonl").open("w") as seen:
            people = settle(world, "Deny" if strict else "Allow")
            logs = AuditLogs(self.plane.logs)
            self._failed = True  # until it is known to be otherwise
            async with Witness(self.plane, people.namespaces, people.limits, seen) as witness:
                crowd, faults = await self._blow(people, seed, seconds, folder)
                settled_after = await self._settled(witness)
                wrong = await filling.fill(people, witness)
                await self._settled(witness)
                history = History(
                    limits=people.limits,
                    pods=witness.pods,
                    ledgers=witness.ledgers,
                    requests=list(logs.requests(people.namespaces)),
                    stored=await witness.stored(),
                    lost=witness.lost,
                )
        outcome = Outcome(
            seed=seed,
            seconds=seconds,
            profile=profile,
            violations=[*checker.check(history, strict=strict), *wrong],
            coverage=checker.coverage(history),
            answers=crowd.answers,
            faults=Counter(fault.kind for fault in faults),
            settled_after=settled_after,
            folder=folder,
        )
        self._failed = bool(outcome.violations)
        (folder / "report.txt").write_text(outcome.report + "\n")
        return outcome

    async def _blow(
        self, people: People, seed: int, seconds: float, folder: Path
    ) -> tuple[Crowd, list[Fault]]:
        """Clients and faults at once, and all whole again."""
        faults = schedule.deal(seed, seconds, self.shape)
        crowd = Crowd(people, self._ports, seed)
        with (folder / "faults.txt").open("w") as lines:

            def note(at: float, text: str) -> None:
                lines.write(f"{at:6.1f} s  {text}\n")

            injector = Injector(self.plane, self._wiring, note)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(crowd.run())
                try:
                    await injector.run(faults, seconds)
                finally:
                    crowd.stop()
        return crowd, faults

    async def _settled(self, witness: Witness) -> float:
        """Wait until every ledger is true, or ought to be; returns after how many seconds."""
        began = time.monotonic()
        while (passed := time.monotonic() - began) < QUIET_SECONDS:
            await witness.caught_up()
            if not any(recount.truth(witness.pods, await witness.stored())):
                break
            await asyncio.sleep(0.5)
        return passed
