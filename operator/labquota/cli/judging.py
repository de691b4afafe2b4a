"""What the webhook would say: the same examine() and decide(), on ledgers that are only read.

Workloads are judged one after the other, each with what the ones before it would take, as `kubectl apply` would
create them.
"""

import msgspec

from labquota.cli import looking
from labquota.cli.chain import Chain
from labquota.cli.facts import Facts
from labquota.cli.identity import Identity
from labquota.cli.workloads import Workload
from labquota.quota import admission, costs, demand, explain, fitting, placing
from labquota.quota.admission import Case, Request, Verdict
from labquota.quota.amounts import Amounts, add
from labquota.quota.costs import Item
from labquota.quota.inventory import Inventory
from labquota.quota.ledger import Ledger, in_flight
from labquota.quota.owners import OWNER_ANNOTATION, Owner
from labquota.quota.placing import Placement
from labquota.quota.points import PRICED
from labquota.quota.quantities import QuantityError
from labquota.settings import Settings


class Result(msgspec.Struct, frozen=True):
    """The answer for one workload, and all that it rests on."""

    workload: Workload
    case: Case
    verdict: Verdict
    admitted: int
    """How many of its pods would pass."""
    group_why: str
    owner_steps: tuple[str, ...]
    """How the owner was found, a sentence a step."""
    line: str
    """A refusal as the API server would hand it on; empty where all pass."""
    warnings: list[str]
    used: Amounts
    """What the owner's stored pods hold, with what the workloads before this one would."""
    reserved: Amounts
    asked: Amounts
    """What one pod asks for, with what its GPUs cost, also where nothing limits that."""
    items: tuple[Item, ...]
    """What each of its GPU resources costs."""
    placement: Placement
    inventory: Inventory

    @property
    def allowed(self) -> bool:
        """Whether all of its pods would pass."""
        return self.verdict.allowed


class Judge:
    """Judges workloads in order.

    Args:
        facts: Limits and ledgers.
        me: Who asks; None offline, unless --as names them.
        as_owner: Judge everything as this owner's.
        used: What the owner holds already, besides what the ledger says.
    """

    def __init__(self, facts: Facts, me: Identity | None, as_owner: Owner | None, used: Amounts) -> None:
        self._facts, self._used = facts, used
        self._chain = Chain(facts, me, as_owner)
        self._ledgers: dict[Owner, Ledger] = {}

    def judge(self, workload: Workload) -> Result:
        """The answer for one workload; what would pass counts for those after it.

        Raises:
            BadInput: Nobody says whose pods these are.
            NoAnswer: The cluster does not answer.
        """
        found = self._chain.of(workload)
        who, owner = found.who, found.owner
        pod = workload.pod
        pod.metadata.uid = pod.metadata.uid or "explained"
        pod.metadata.name = pod.metadata.name or workload.name
        pod.metadata.annotations = {**pod.metadata.annotations, OWNER_ANNOTATION: owner}
        request = Request(
            uid="explained",
            operation="CREATE",
            username=who.username,
            groups=who.groups,
            namespace=workload.namespace,
            name=pod.metadata.name,
            pod=pod,
            access=workload.access,
        )
        facts = self._facts
        request = looking.complete(request, facts)
        case = admission.examine(request, facts.world, facts.now, facts.groups_of)
        ledger = self._ledger(owner, workload)
        used, reserved = ledger.folded, in_flight(ledger)
        fit = fitting.fit(case, ledger, workload.count)
        verdict, self._ledgers[owner] = fit.verdict, fit.ledger
        groups = facts.world.named_groups(who.groups) if who.owner == owner else facts.groups_of(owner)
        match = facts.world.group_of(owner, groups)
        longest = Settings().create_seconds
        placement, inventory = placing.of(pod.spec), facts.world.inventory
        asked = self._asked(case, placement)
        return Result(
            workload=workload,
            case=case,
            verdict=verdict,
            admitted=fit.admitted,
            group_why=match[1] if match else "no group matches, and none is the default",
            owner_steps=found.steps,
            line="" if verdict.allowed else explain.refusal(case, verdict, facts.holders(owner), longest),
            warnings=explain.warnings(case, verdict) if verdict.allowed else [],
            used=used,
            reserved=reserved,
            asked={key: each for key, each in asked.items() if facts.world.keeps(key) or key in PRICED},
            items=tuple(costs.items(asked, placement, inventory)),
            placement=placement,
            inventory=inventory,
        )

    def _asked(self, case: Case, placement: Placement) -> Amounts:
        """All that one pod asks for; of one that cannot be read nothing: the refusal says so."""
        try:
            amounts = demand.asked(case.request.pod)
        except QuantityError:
            return case.reservation.after
        return costs.at(amounts, placement, self._facts.world.inventory)

    def _ledger(self, owner: Owner, workload: Workload) -> Ledger:
        if owner not in self._ledgers:
            ledger = self._facts.ledger(owner)
            self._ledgers[owner] = msgspec.structs.replace(ledger, folded=add(ledger.folded, self._used))
        ledger = self._ledgers[owner]
        return _without(ledger, workload, self._facts.world.inventory) if workload.stored else ledger


def _without(ledger: Ledger, workload: Workload, inventory: Inventory) -> Ledger:
    """The ledger without a stored pod's own charge, be it folded or still reserved."""
    uid = workload.pod.metadata.uid
    if any(each.uid == uid and each.creates for each in ledger.reservations):
        kept = tuple(each for each in ledger.reservations if each.uid != uid)
        return msgspec.structs.replace(ledger, reservations=kept)
    try:
        held = demand.held(workload.pod) if demand.charged(workload.pod) else {}
        held = costs.of(held, workload.pod, inventory)
    except QuantityError:
        held = {}
    folded = {key: max(0, amount - held.get(key, 0)) for key, amount in ledger.folded.items()}
    return msgspec.structs.replace(ledger, folded={key: each for key, each in folded.items() if each})
