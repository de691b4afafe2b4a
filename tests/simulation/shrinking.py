"""The shortest plan that still fails in the same way: fewer steps, then milder ones."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from simulation.history import History
from simulation.plan import Plan, Step

MILD = {
    "late": 0.0,
    "dropped": False,
    "twice": False,
    "unheard": False,
    "stale": False,
    "dry_run": False,
}


def shrink(plan: Plan, found: str, seconds: float = 60.0) -> tuple[Plan, str]:
    """Make a plan that fails shorter.

    Args:
        plan: the plan.
        found: how it fails; the same invariant must not hold in the shorter one, however that is worded.
        seconds: when to stop.

    Returns:
        The shortest plan that was found to fail, and how it does.
    """
    search = _Shrinking(plan, found, time.monotonic() + seconds)
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        changed = True
        while changed:
            changed = search.drop() | search.soften()
    finally:
        logging.disable(before)
    return search.plan, search.found


class _Shrinking:
    def __init__(self, plan: Plan, found: str, until: float) -> None:
        self.plan, self.found, self._until = plan, found, until
        self._tried: set[str] = set()

    def drop(self) -> bool:
        """Leave steps out: half of them, a quarter, one; True if any could be."""
        changed = False
        size = max(1, len(self.plan.steps) // 2)
        while size:
            begin = 0
            while begin < len(self.plan.steps):
                steps = self.plan.steps[:begin] + self.plan.steps[begin + size :]
                if self._try(replace(self.plan, steps=steps)):
                    changed = True
                else:
                    begin += size
            size //= 2
        return changed

    def soften(self) -> bool:
        """Make what is left simpler, one thing at a time; True if anything could be."""
        changed = False
        for make in self._milder():
            if self._try(make(self.plan)):
                changed = True
        return changed

    def _milder(self) -> Iterator[Callable[[Plan], Plan]]:
        yield lambda plan: replace(plan, cold=False)
        yield lambda plan: replace(plan, reports=False)
        yield lambda plan: replace(plan, warm=True, cold=False, adopted=())
        yield lambda plan: replace(plan, probed=False)
        yield lambda plan: replace(plan, fails_open=False)
        yield lambda plan: replace(plan, on_error="Deny")
        yield lambda plan: replace(plan, webhooks=plan.webhooks - 1) if plan.webhooks > 1 else plan
        yield lambda plan: replace(plan, operators=1)
        yield lambda plan: replace(plan, create_seconds=6.0)
        yield lambda plan: replace(
            plan, limits={key: text for key, text in plan.limits.items() if key != "pods"}
        )
        yield lambda plan: replace(plan, slowest=0.002, lag=0.002)
        for number, step in enumerate(self.plan.steps):
            for key, mild in MILD.items():
                if step.args.get(key, mild) != mild:
                    yield _with(number, lambda step, key=key, mild=mild: step.but(**{key: mild}))  # type: ignore[misc]  # bound now
            if "seconds" in step.args and step.args["seconds"] > 1.0:
                yield _with(number, lambda step: step.but(seconds=round(step.args["seconds"] / 2, 3)))
            if number and step.at > self.plan.steps[number - 1].at + 0.001:
                yield lambda plan, number=number: _sooner(plan, number)  # type: ignore[misc]  # as above

    def _try(self, plan: Plan) -> bool:
        if time.monotonic() > self._until or not plan.limits or repr(plan) in self._tried:
            return False
        self._tried.add(repr(plan))
        # Another chance may be needed for the same to happen with less: delays are drawn in another order.
        for seed in (plan.seed, *range(8)):
            tried = replace(plan, seed=seed)
            found = History(tried).run()
            if found and _kind(found) == _kind(self.found):
                self.plan, self.found = tried, found
                return True
        return False


def _kind(found: str) -> str:
    """What fails, without the numbers."""
    return found.partition(":")[0]


def _with(number: int, make: Callable[[Step], Step]) -> Callable[[Plan], Plan]:
    def changed(plan: Plan) -> Plan:
        if number >= len(plan.steps):
            return plan
        steps = list(plan.steps)
        steps[number] = make(steps[number])
        return replace(plan, steps=tuple(steps))

    return changed


def _sooner(plan: Plan, number: int) -> Plan:
    """All from this step on come right after the one before."""
    if number >= len(plan.steps):
        return plan
    by = plan.steps[number].at - plan.steps[number - 1].at - 0.001
    steps = [
        replace(step, at=round(step.at - by, 4)) if index >= number else step
        for index, step in enumerate(plan.steps)
    ]
    return replace(plan, steps=tuple(steps))
