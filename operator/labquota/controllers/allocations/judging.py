"""What follows for one pod or hold from all that is known: its status, and who else is concerned by it."""

from collections.abc import Callable, Mapping

from labquota.api import BoundDevice, GPUAllocationStatus
from labquota.clock import Clock
from labquota.controllers.allocations import evidence as known_by
from labquota.controllers.allocations import problems, standing
from labquota.controllers.allocations.evidence import Evidence
from labquota.controllers.allocations.grants import Grant
from labquota.controllers.allocations.hardware import Reports
from labquota.controllers.allocations.holdings import Holding, Holdings
from labquota.controllers.allocations.problems import Finding
from labquota.controllers.allocations.stored import Stored
from labquota.controllers.charges import Charge
from labquota.quota import points
from labquota.quota.amounts import Amounts
from labquota.quota.resources import show


class Judge:
    """Reckons statuses.

    Args:
        reports: What the nodes' agents say.
        clock: The time of conditions, and of the ends of holds.
        touch: Called with the UIDs of others who are concerned.
    """

    def __init__(self, reports: Reports, clock: Clock, touch: Callable[[str], None]) -> None:
        self._reports, self._clock, self._touch = reports, clock, touch
        self._holdings = Holdings()
        self._learnt: dict[str, int] = {}

    def is_open(self, uid: str) -> bool:
        """Whether some device of a pod was not in the inventory, so that the next report counts whatever it says."""
        return uid in self._learnt

    def recall(self, stored: Stored, charge: Charge) -> None:
        """Take what is written for true until it is looked at: of two who have one device, neither comes first."""
        if stored.status is not None:
            what = _hold_named(stored) if stored.hold is not None else _pod_named(charge)
            self._holdings.put(stored.key, Holding(what, stored.hold is not None, stored.status.devices))

    def clear(self) -> None:
        """Forget everything."""
        self._holdings = Holdings()
        self._learnt.clear()

    def forget(self, uid: str) -> None:
        """A pod or hold has nothing any more."""
        self._learnt.pop(uid, None)
        for other in self._holdings.drop(uid):
            self._touch(other)

    def of_pod(
        self, stored: Stored, charge: Charge, asks: Amounts, grants: tuple[Grant, ...], *, lives: bool
    ) -> GPUAllocationStatus:
        """The status of a pod's allocation.

        Args:
            stored: As it is stored.
            charge: The pod.
            asks: GPU resources that it asks for.
            grants: What its own status says that it was given.
            lives: Whether it is charged.
        """
        uid, known = charge.uid, stored.status or standing.NOTHING
        found = known_by.of_pod(uid, charge.node, asks, grants, self._reports.get(charge.node))
        if not found.devices and known.devices and known.devices[0].node == charge.node:
            found = Evidence(known.source, known.devices)  # nobody says otherwise
        found = _placed_as_before(found, known.devices)
        self._hold(uid, Holding(_pod_named(charge), is_hold=False, devices=found.devices if lives else ()))
        findings: dict[str, Finding] = dict.fromkeys(problems.ALL)
        learnt = self._learn(uid, found)
        if lives:
            findings[problems.MISSING] = problems.missing(found.devices, self._reports, learnt)
            findings[problems.CONFLICT] = problems.conflict(self._holdings.rivals(uid))
            findings[problems.UNACCOUNTED] = problems.unaccounted(found.devices, self._reports)
        else:
            self._learnt.pop(uid, None)
        return standing.decide(
            known,
            "Released" if not lives else "Bound" if found.devices else "Pending",
            found,
            findings,
            equivalents=equivalents(charge.amounts),
            reports=self._reports,
            generation=stored.generation,
            now=self._clock.now(),
        )

    def of_hold(self, stored: Stored, charge: Charge | None) -> GPUAllocationStatus:
        """The status of a hold; `charge` is what it costs, as far as that is known."""
        known, spec, now = stored.status or standing.NOTHING, stored.hold, self._clock.now()
        found = known_by.of_hold(() if spec is None else spec.devices, self._reports)
        found = _made_again(found, known.devices)
        lasts = spec is None or spec.expires_at is None or spec.expires_at > now
        self._hold(
            stored.uid, Holding(_hold_named(stored), is_hold=True, devices=found.devices if lasts else ())
        )
        findings: dict[str, Finding] = dict.fromkeys(problems.ALL)
        if lasts:
            findings[problems.MISSING] = problems.missing(found.devices, self._reports, 0)
            findings[problems.CONFLICT] = problems.conflict(self._holdings.rivals(stored.uid))
        is_known = all(each.uuid for each in found.devices)
        return standing.decide(
            known,
            "Expired" if not lasts else "Bound" if is_known else "Pending",
            found,
            findings,
            equivalents=known.summary.equivalents if charge is None else equivalents(charge.amounts),
            reports=self._reports,
            generation=stored.generation,
            now=now,
        )

    def _hold(self, uid: str, holding: Holding) -> None:
        for other in self._holdings.put(uid, holding):
            self._touch(other)

    def _learn(self, uid: str, found: Evidence) -> int:
        if all(each.gpu for each in found.devices):
            self._learnt.pop(uid, None)
            return 0
        return self._learnt.setdefault(uid, self._reports.arrived)


def equivalents(amounts: Mapping[str, int]) -> str:
    """What it costs, as people read it; empty where it has no price."""
    cost = max(amounts.get(key, 0) for key in points.LEDGERS)
    return show(points.EQUIVALENTS, cost) if cost else ""


def _pod_named(charge: Charge) -> str:
    return f"pod {charge.namespace}/{charge.name} of {charge.owner}"


def _hold_named(stored: Stored) -> str:
    return f"hold {stored.namespace}/{stored.name} of {stored.owner}"


def _placed_as_before(found: Evidence, known: tuple[BoundDevice, ...]) -> Evidence:
    """What is not in the inventory any more stays where it was when it was seen last."""
    if all(each.gpu for each in found.devices):
        return found
    before = {(each.node, each.resource, each.id): each for each in known if each.gpu}
    devices = (
        each if each.gpu else before.get((each.node, each.resource, each.id), each) for each in found.devices
    )
    return Evidence(found.source, tuple(devices))


def _made_again(found: Evidence, known: tuple[BoundDevice, ...]) -> Evidence:
    """A hold is of a place: a device of the same profile that is made again there is the one that is held."""
    before = {(each.node, known_by.key_of(each)): each for each in known if each.uuid}
    devices = []
    for each in found.devices:
        old = before.get((each.node, known_by.key_of(each)))
        devices.append(each if old is None or (each.uuid and each.profile == old.profile) else old)
    return Evidence(found.source, tuple(devices))
