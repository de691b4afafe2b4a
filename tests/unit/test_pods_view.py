from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labquota.controllers.ended import MOST, Ended
from labquota.controllers.pods import Pods
from labquota.quota.owners import OWNER_ANNOTATION, Owner
from labquota.quota.quantities import MAX
from labquota.quota.world import World
from unit.builders import ALICE, BOB, group
from unit.operators import charge

LAB = Owner("namespace:lab")


class Seen:
    """A view and what it has told."""

    def __init__(self) -> None:
        self.told: list[tuple[Owner, bool]] = []
        self.world = World()
        self.view = Pods(self.world, lambda owner, freed: self.told.append((owner, freed)))
        self._version = 0

    def change(self, kind: str, name: str = "a", **asks: Any) -> list[tuple[Owner, bool]]:
        """One event; what was told of it."""
        self.told.clear()
        self._version += 1
        self.view.changed(
            kind, charge(self.view, name, version=str(self._version), **asks), str(self._version)
        )
        return list(self.told)


def test_a_pod_is_charged_when_it_comes_and_free_when_it_goes() -> None:
    seen = Seen()
    assert seen.change("ADDED", gpu=2) == [(ALICE, False)]
    assert seen.view.sums(ALICE) == {"pods": 1, "gpu": 2}
    assert not seen.view.has_ended("uid-a")
    assert seen.change("DELETED", gpu=2) == [(ALICE, True)]
    assert (seen.view.sums(ALICE), list(seen.view.owners())) == ({}, [])
    assert seen.view.has_ended("uid-a")


def test_a_finished_pod_is_free_at_once_and_stays_free_when_it_goes() -> None:
    seen = Seen()
    seen.change("ADDED", gpu=2, phase="Running")
    for phase in ("Succeeded", "Failed"):
        assert seen.change("MODIFIED", gpu=2, phase="Running") in ([], [(ALICE, False)])
        assert seen.change("MODIFIED", gpu=2, phase=phase) == [(ALICE, True)]
        assert seen.view.sums(ALICE) == {}
    assert seen.change("DELETED", gpu=2, phase="Failed") == [(ALICE, False)]
    assert seen.view.sums(ALICE) == {}


def test_pending_running_and_unknown_pods_are_charged() -> None:
    seen = Seen()
    for phase in ("Pending", "Running", "Unknown", ""):
        seen.change("MODIFIED", gpu=1, phase=phase)
        assert seen.view.sums(ALICE)["gpu"] == 1


def test_a_change_that_costs_nothing_is_not_told() -> None:
    seen = Seen()
    seen.change("ADDED", gpu=1)
    assert seen.change("MODIFIED", gpu=1, phase="Running") == []
    assert seen.view.by_uid["uid-a"].version == "2"
    assert seen.change("MODIFIED", gpu=3) == [(ALICE, True)]
    assert seen.view.sums(ALICE)["gpu"] == 3


def test_a_pod_that_changes_owner_is_told_to_both() -> None:
    seen = Seen()
    seen.change("ADDED", owner=ALICE, gpu=1)
    assert seen.change("MODIFIED", owner=BOB, gpu=1) == [(ALICE, True), (BOB, True)]
    assert (seen.view.sums(ALICE), seen.view.sums(BOB)["gpu"]) == ({}, 1)


def test_pods_without_a_stamp_follow_their_namespaces_owner_and_stamped_ones_do_not() -> None:
    seen = Seen()
    seen.change("ADDED", "a", owner=None, gpu=1)
    seen.change("ADDED", "b", owner=ALICE, gpu=1)
    assert seen.view.sums(LAB)["gpu"] == 1
    seen.world.put_namespace("lab", {}, {OWNER_ANNOTATION: BOB})
    seen.view.own_again()
    assert (seen.view.sums(LAB), seen.view.sums(BOB)["gpu"], seen.view.sums(ALICE)["gpu"]) == ({}, 1, 1)


def test_a_new_whole_set_takes_away_what_is_not_in_it() -> None:
    seen = Seen()
    seen.change("ADDED", "a", gpu=1)
    seen.change("ADDED", "b", gpu=2)
    seen.view.replaced([charge(seen.view, "b", gpu=3), charge(seen.view, "c", gpu=4)], "50")
    assert (seen.view.version, seen.view.sums(ALICE)["gpu"]) == ("50", 7)
    assert seen.view.has_ended("uid-a")
    assert not seen.view.has_ended("uid-b")
    seen.view.progressed("60")
    assert seen.view.version == "60"


def test_news_are_pods_that_the_watch_has_shown_first_and_once() -> None:
    seen = Seen()
    seen.view.replaced([charge(seen.view, "old", gpu=1)], "5")
    seen.change("MODIFIED", "old", gpu=2)
    seen.change("ADDED", "a")
    seen.change("MODIFIED", "a", gpu=1)
    assert seen.view.news(ALICE) == {"uid-a"}
    assert seen.view.news(ALICE) == set()
    seen.view.news_again(ALICE, {"uid-a"})
    assert seen.view.news(ALICE) == {"uid-a"}
    seen.change("ADDED", "b")
    seen.view.no_news()
    assert seen.view.news(ALICE) == set()


def test_pods_on_lost_nodes_are_free_until_their_node_comes_back() -> None:
    seen = Seen()
    seen.change("ADDED", "a", gpu=1)
    seen.change("ADDED", "b", gpu=2)
    seen.told.clear()
    seen.view.lose(frozenset({"uid-a", "unknown"}))
    assert (seen.told, seen.view.sums(ALICE)["gpu"]) == ([(ALICE, True)], 2)
    seen.change("MODIFIED", "a", gpu=5)
    assert seen.view.sums(ALICE)["gpu"] == 2
    seen.told.clear()
    seen.view.lose(frozenset())
    assert (seen.told, seen.view.sums(ALICE)["gpu"]) == ([(ALICE, False)], 7)


def test_a_pod_that_goes_while_it_is_lost_leaves_the_sums_right() -> None:
    seen = Seen()
    seen.change("ADDED", "a", gpu=1)
    seen.view.lose(frozenset({"uid-a"}))
    seen.change("DELETED", "a", gpu=1)
    seen.view.lose(frozenset())
    assert seen.view.sums(ALICE) == {}


def test_of_ended_pods_the_latest_are_remembered_and_never_more_than_twice_as_many() -> None:
    remembered = Ended()
    for number in range(3 * MOST):
        remembered.add(number)
    assert all(number in remembered for number in range(2 * MOST, 3 * MOST))
    assert not any(number in remembered for number in range(MOST))


def test_sums_stop_at_the_largest_number_and_come_back_from_it() -> None:
    seen = Seen()
    for name in "abc":
        seen.change("ADDED", name, memory="9E")
    assert seen.view.sums(ALICE)["requests.memory"] == MAX
    for name in "ab":
        seen.change("DELETED", name, memory="9E")
    assert seen.view.sums(ALICE)["requests.memory"] == 9 * 10**18


def test_resources_that_a_ledger_does_not_keep_are_in_no_sum() -> None:
    seen = Seen()
    asks: dict[str, Any] = {"example.com/fpga": 1}
    seen.change("ADDED", **asks)
    assert seen.view.sums(ALICE) == {"pods": 1}
    seen.world.put_group(group(aggregate={"example.com/fpga": 3}))
    assert seen.view.sums(ALICE) == {"pods": 1, "example.com/fpga": 1}


NAMES, OWNERS = st.sampled_from("abcd"), st.sampled_from([ALICE, BOB, None])
STEPS = st.tuples(
    st.sampled_from(["ADDED", "MODIFIED", "DELETED", "REPLACED", "LOST", "OWNED"]),
    st.lists(
        st.tuples(NAMES, OWNERS, st.integers(0, 3), st.sampled_from(["Running", "Failed"])),
        max_size=3,
        unique_by=lambda of: of[0],
    ),
)


@given(st.lists(STEPS, max_size=25))
def test_sums_equal_a_recount_whatever_happens(
    steps: list[tuple[str, list[tuple[str, Owner | None, int, str]]]],
) -> None:
    seen = Seen()
    lost: frozenset[str] = frozenset()
    for kind, pods in steps:
        charges = [
            charge(seen.view, name, owner=owner, gpu=gpu, phase=phase) for name, owner, gpu, phase in pods
        ]
        if kind == "REPLACED":
            seen.view.replaced(charges, "1")
        elif kind == "LOST":
            lost = frozenset(each.uid for each in charges)
            seen.view.lose(lost)
        elif kind == "OWNED":
            seen.world.put_namespace("lab", {}, {OWNER_ANNOTATION: BOB} if pods else {})
            seen.view.own_again()
        else:
            for each in charges:
                seen.view.changed(kind, each, "1")
        recount: dict[Owner, dict[str, int]] = {}
        for each in seen.view.by_uid.values():
            if each.charged and each.uid not in lost:
                sums = recount.setdefault(each.owner, {})
                for key, amount in each.amounts.items():
                    if seen.world.keeps(key):  # no ledger keeps what nobody limits by that name
                        sums[key] = sums.get(key, 0) + amount
        assert {
            owner: seen.view.sums(owner) for owner in (ALICE, BOB, LAB) if seen.view.sums(owner)
        } == recount
        members = {
            owner: {each.uid for each in seen.view.by_uid.values() if each.owner == owner}
            for owner in (ALICE, BOB, LAB)
        }
        chained = {owner: [each.uid for each in seen.view.pods_of(owner)] for owner in seen.view.owners()}
        assert {owner: set(uids) for owner, uids in chained.items()} == {
            owner: uids for owner, uids in members.items() if uids
        }
        assert all(len(uids) == seen.view.by_owner[owner].count for owner, uids in chained.items())


def test_sums_that_were_miscounted_are_recounted_from_the_pods_and_put_right() -> None:
    seen = Seen()
    seen.change("ADDED", "a", gpu=2)
    seen.change("ADDED", "b", gpu=1, phase="Succeeded")
    seen.change("ADDED", "c", gpu=1, owner=BOB)
    assert seen.view.recount(ALICE) == seen.view.sums(ALICE) == {"pods": 1, "gpu": 2}
    pod = seen.view.find("uid-a")
    assert pod is not None
    pod.amounts = {"pods": 1, "gpu": 3}  # behind the view's back: no change that it is told of is miscounted
    assert seen.view.recount(ALICE) == {"pods": 1, "gpu": 3} != seen.view.sums(ALICE)
    seen.told.clear()
    seen.view.rebuild()
    assert seen.told == [(ALICE, True)]
    assert seen.view.sums(ALICE) == {"pods": 1, "gpu": 3}
    assert seen.change("DELETED", "a", gpu=2) == [(ALICE, True)]
    assert (seen.view.sums(ALICE), seen.view.sums(BOB)) == ({}, {"pods": 1, "gpu": 1})


def test_a_pod_that_is_not_among_those_of_its_owner_is_found_and_counted() -> None:
    seen = Seen()
    seen.change("ADDED", "a", gpu=2)
    assert seen.view.uncounted() == []
    seen.view.by_owner.clear()
    assert [each.name for each in seen.view.uncounted()] == ["a"]
    assert seen.view.recount(ALICE) == {}
    seen.view.rebuild()
    assert seen.view.uncounted() == []
    assert seen.view.recount(ALICE) == seen.view.sums(ALICE) == {"pods": 1, "gpu": 2}
