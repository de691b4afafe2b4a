"""The operator's view of pods with GPUs: priced by where they may run, by their node once bound, and with nodes."""

import json
from typing import Any

from labquota.controllers import charges
from labquota.controllers.budgets import Budgets
from labquota.controllers.charges import Charge
from labquota.controllers.pods import Pods
from labquota.quota.owners import Owner
from labquota.quota.placing import Placement
from labquota.quota.points import COMPUTE, MEMORY, SLOTS
from labquota.quota.world import World
from unit.builders import ALICE, group, manifest
from unit.inventories import A100_40, A100_80, V, gpu, gpunode, labels, mig, mixed, resource
from unit.simulated import Clock

SLICE = f"{V}/mig-1g.10gb"
SMALL, LARGE = mixed(A100_40, p1g_10gb=9856), mixed(A100_80, p1g_10gb=9728)
BOUND = {"node": "large"}


class Seen:
    """A view, and what it has told."""

    def __init__(self, **limits: Any) -> None:
        self.told: list[tuple[Owner, bool]] = []
        self.world = World()
        self.world.put_group(group(aggregate=limits or {"gpu-equivalents": 1, "gpu-memory": "1Ti"}))
        for name, found in (("small", SMALL), ("large", LARGE)):
            self.world.inventory.put_node(name, found, {SLICE: "4"})
        self.view = Pods(self.world, lambda owner, freed: self.told.append((owner, freed)))
        self.version = 0

    def raw(
        self, name: str = "a", *, node: str = "", spec: dict[str, Any] | None = None, **asks: Any
    ) -> bytes:
        self.version += 1
        made = manifest(name, version=str(self.version), **(asks or {SLICE: 1}))
        made["spec"] |= {"nodeName": node} if node else (spec or {})
        return json.dumps(made).encode()

    def change(self, kind: str, name: str = "a", **more: Any) -> list[tuple[Owner, bool]]:
        """One event; what was told of it."""
        self.told.clear()
        self.view.changed(kind, self.view.decode(self.raw(name, **more)), str(self.version))
        return list(self.told)

    def points(self) -> tuple[int, int, int]:
        sums = self.view.sums(ALICE)
        assert sums == self.view.recount(ALICE)
        return sums.get(COMPUTE, 0), sums.get(SLOTS, 0), sums.get(MEMORY, 0) // 2**20

    def again(self) -> list[tuple[Owner, bool]]:
        self.told.clear()
        self.view.price_again()
        return list(self.told)


def test_a_pod_costs_the_worst_case_until_it_is_bound_and_then_what_it_is() -> None:
    seen = Seen()
    assert seen.change("ADDED") == [(ALICE, False)]
    assert seen.points() == (8, 14, 9856)
    assert seen.change("MODIFIED", **BOUND) == [(ALICE, True)], "something became free"
    assert seen.points() == (8, 7, 9728)
    assert seen.change("MODIFIED", **BOUND) == []
    assert seen.change("DELETED", **BOUND) == [(ALICE, True)]
    assert seen.points() == (0, 0, 0)


def test_a_selector_says_where_a_pod_may_run() -> None:
    seen = Seen()
    seen.change("ADDED", spec={"nodeSelector": {f"{V}/gpu.product": A100_80[0]}})
    assert seen.points() == (8, 7, 9728)
    term = {"matchExpressions": [{"key": f"{V}/gpu.product", "operator": "NotIn", "values": [A100_80[0]]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    seen.change("ADDED", "b", spec={"affinity": {"nodeAffinity": required}})
    assert seen.points() == (16, 21, 9728 + 9856)


def test_nodes_that_change_move_only_the_pods_whose_price_is_another() -> None:
    seen = Seen()
    seen.change("ADDED", "bound", node="large")
    seen.change("ADDED", "waiting")
    seen.change("ADDED", "cpu", cpu=1, owner=Owner("user:bob"))
    assert seen.points() == (16, 21, 9728 + 9856)
    assert seen.again() == []
    seen.world.inventory.drop_node("small")
    assert seen.again() == [(ALICE, True)]
    assert seen.points() == (16, 14, 2 * 9728)
    seen.world.inventory.put_node("large", LARGE, {SLICE: "7"})
    assert seen.again() == [], "a label or a number more changes no price"


def test_a_node_whose_mig_layout_changes_prices_its_pods_anew_by_its_agents_word() -> None:
    seen = Seen()
    seen.change("ADDED", "a", node="large")
    devices = [mig("MIG-1", "1g.10gb", 7, 9856, 2)]
    seen.world.inventory.put_gpus(
        gpunode("large", [gpu(deviceId="20B0", migDevices=devices)], resource(SLICE, "MIG-1"))
    )
    assert seen.again() == [(ALICE, True)]
    assert seen.points() == (8, 14, 9856)


def test_a_node_that_is_not_known_yet_counts_once_it_is() -> None:
    seen = Seen()
    seen.change("ADDED", node="new")
    assert seen.points() == (8, 14, 10240), "the worst case of all nodes and of the table"
    seen.world.inventory.put_node("new", LARGE, {SLICE: "4"})
    assert seen.again() == [(ALICE, True)]
    assert seen.points() == (8, 7, 9728)


def test_a_set_that_was_read_while_nodes_changed_is_priced_as_of_now() -> None:
    seen = Seen()
    read = [seen.view.decode(seen.raw("a", node="large")), seen.view.decode(seen.raw("b"))]
    seen.world.inventory.drop_node("small")
    seen.view.replaced(read, "9")
    assert seen.points() == (16, 14, 2 * 9728)


def test_the_audits_recount_prices_a_listed_pod_as_the_view_does() -> None:
    seen = Seen()
    seen.change("ADDED", node="large")
    seen.world.inventory.put_node("large", SMALL, {SLICE: "4"})
    seen.again()
    known = seen.view.find("uid-a")
    assert known is not None
    listed = seen.view.decode(seen.raw("a", node="large"))
    assert listed.amounts == known.amounts
    assert listed.amounts is known.amounts, "shared, as those of all pods alike"


def test_a_finished_pod_is_priced_anew_and_costs_nothing_all_the_same() -> None:
    seen = Seen()
    asks: dict[str, Any] = {SLICE: 1, "phase": "Succeeded"}
    seen.change("ADDED", **asks)
    seen.world.inventory.drop_node("small")
    assert seen.again() == []
    assert seen.points() == (0, 0, 0)


def test_pods_without_gpus_have_no_place_and_share_their_amounts_with_or_without_a_node() -> None:
    seen = Seen()
    one, other = (
        seen.view.decode(seen.raw(name, node=node, cpu=1)) for name, node in (("a", ""), ("b", "large"))
    )
    assert one.place is other.place is None
    assert one.amounts is other.amounts


def test_places_are_shared_between_pods() -> None:
    seen = Seen()
    found = [seen.view.decode(seen.raw(name, node="large")).place for name in "ab"]
    assert found[0] is found[1]
    assert found[0] == Placement(node="large")
    chosen = [seen.view.decode(seen.raw(name, spec={"nodeSelector": {"a": "b"}})).place for name in "ab"]
    assert chosen[0] is chosen[1]


def test_a_long_affinity_is_not_kept_by_what_it_says() -> None:
    seen = Seen()
    terms = [{"matchExpressions": [{"key": f"k{number}", "operator": "Exists"}]} for number in range(60)]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    before = len(charges._places)  # noqa: SLF001  what is not kept shows in no other way
    assert isinstance(seen.view.decode(seen.raw(spec={"affinity": {"nodeAffinity": required}})), Charge)
    assert len(charges._places) == before  # noqa: SLF001  as above


def test_ledgers_hold_what_is_limited_and_budgets_show_equivalents_always() -> None:
    seen = Seen(pods=9)
    seen.change("ADDED", node="small")
    seen.world.inventory.put_node("whole", labels(A100_40), {f"{V}/gpu": "8"})
    seen.change("ADDED", "b", gpu=1)
    assert seen.view.sums(ALICE) == {"gpu": 2, "pods": 2}
    status = Budgets(seen.view, seen.world, Clock()).status(ALICE, None, ())
    assert status.used == {"gpu": "2", "gpu-equivalents": "1.25", "gpu-memory": "50816Mi", "pods": "2"}
    assert (status.points.compute, status.points.memory) == (64, 70)
    assert (status.summary.gpu, status.summary.equivalents, status.summary.gpu_memory) == (
        "2",
        "1.25",
        "50816Mi",
    )
    assert [each.uses["gpu-equivalents"] for each in status.pods] == ["1", "0.25"]


def test_a_budget_shows_one_limit_and_says_when_it_is_exceeded() -> None:
    seen = Seen()
    for name in "abcdefgh":
        seen.change("ADDED", name, node="large")
    status = Budgets(seen.view, seen.world, Clock()).status(ALICE, None, ())
    assert {key: each.limit for key, each in status.limits.items()} == {
        "gpu-equivalents": "1",
        "gpu-memory": "1Ti",
    }
    assert status.over_limit == ("gpu-equivalents",)
    assert (status.summary.equivalents, status.summary.over) == ("1.143/1", "gpu-equivalents")
    over = next(each for each in status.conditions if each.type == "OverLimit")
    assert over.message == "holds more than allowed of: gpu-equivalents"
