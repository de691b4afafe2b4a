"""One run of a plan, from the start of all processes to the proof that nothing is left over."""

import gc
from typing import Any

from labquota.settings import Settings
from simulation import ending, kubernetes
from simulation.checker import ADOPTED, Checker
from simulation.cluster import Cluster
from simulation.happenings import Happenings
from simulation.kubernetes import Kubernetes
from simulation.paths import Key
from simulation.plan import Plan
from simulation.table import Table

START_SECONDS = 8.0


class History:
    """One history.

    Args:
        plan: what happens.
        table: takes every line of it, if somebody wants to read it.

    Attributes:
        found: the invariant that did not hold, and how; "" if all did.
    """

    def __init__(self, plan: Plan, table: Table | None = None) -> None:
        self.plan, self.found = plan, ""
        self._look_at = 0.0
        settings = Settings(create_seconds=plan.create_seconds, metrics_port=0)
        self.cluster = Cluster(
            plan.seed, settings, webhooks=plan.webhooks, operators=plan.operators, fails_open=plan.fails_open
        )
        self.cluster.network.slowest, self.cluster.lag = plan.slowest, plan.lag
        self.cluster.longest_create += plan.overdue
        self.checker = Checker(self.cluster)
        self.kubernetes = Kubernetes(self.cluster)
        self.happenings = Happenings(self.cluster, self.kubernetes)
        if table is not None:
            table.follow(self.cluster)

    def run(self) -> str:
        """Let it happen; what was found, or ""."""
        cluster, plan = self.cluster, self.plan
        collecting = gc.isenabled()
        gc.disable()  # nothing here is kept for long, and what one history leaves goes with it
        try:
            self._begin()
            if not plan.cold:
                self._run(START_SECONDS, self._ready)
                self._look_at = 0.0
                if not self.found and not self._ready():
                    self.found = "start: nobody is ready after 8 s"
            if plan.is_calm:
                self.checker.calm_since = cluster.timeline.now
            self.act()
            if not self.found:
                self.finish()
        finally:
            for machine in cluster.machines:
                machine.die()
            if collecting:
                gc.enable()
        return self.found

    def _begin(self) -> None:
        """What is there before, then the start of all processes."""
        cluster, plan = self.cluster, self.plan
        cluster.begin(plan.limits, plan.on_error)
        for name, owner, asks in plan.adopted:
            body = kubernetes.pod(name, owner, asks, cluster.store.uid())
            cluster.store.put(Key(kubernetes.PODS, kubernetes.NAMESPACE, name), body, ADOPTED)
        if plan.warm:
            cluster.leave_marker()
        cluster.boot()
        for operator in cluster.operators:
            operator.reports = plan.reports
        for machine in (*cluster.operators, *cluster.webhooks):
            machine.boot()

    def wait(self, seconds: float, done: Any = None) -> bool:
        """Let time pass; False when something was found."""
        self._run(self.cluster.timeline.now + seconds, done)
        return not self.found

    def act(self) -> None:
        """Let all steps happen, each at its time."""
        began = self.cluster.timeline.now
        for step in self.plan.steps:
            if not self.found:
                self._run(began + step.at)
                self.happenings.happen(step)
        if self.plan.steps and not self.found:
            self._run(self.happenings.busy_until)

    def finish(self) -> None:
        """Put everything right, and see whether all is as it should be."""
        self.happenings.heal()
        ending.check(self)

    def _run(self, until: float, done: Any = None) -> None:
        checker, accidents = self.checker, self.cluster.accidents

        def over() -> object:
            return checker.found or accidents or (done is not None and done())

        if not self.found:
            self.cluster.timeline.run(until, over)
            self.found = checker.found or (f"accident: {accidents[0]}" if accidents else "")

    def _ready(self) -> bool:
        now = self.cluster.timeline.now
        if now < self._look_at:
            return False
        self._look_at = now + 0.02
        return all(each.replica is not None and each.replica.synced() for each in self.cluster.webhooks)
