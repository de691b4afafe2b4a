import json

import pytest

from labquota.kube import errors, ledgers
from labquota.kube.ledgers import PATH, Ledgers, NameTaken, Stored
from labquota.quota import owners
from labquota.quota.encoding import LedgerError
from labquota.quota.ledger import EMPTY, Ledger
from labquota.quota.owners import Owner
from unit.builders import ALICE, BOB, create
from unit.simulated import Cluster, Fault, run

WHERE = f"{PATH}/{owners.object_name(ALICE)}"
ONE = Ledger(folded={"gpu": 1}, view="7")


def stored(version: int, ledger: Ledger = ONE, owner: Owner = ALICE) -> Stored:
    return Stored(owner, ledger, str(version), "u")


def test_the_first_swap_makes_the_ledger_and_the_next_replaces_it() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        store = Ledgers(cluster)
        assert await store.read(ALICE) is None
        first = await store.swap(ledgers.blank(ALICE), ONE)
        assert store.copy(ALICE) == first
        second = await store.swap(first, Ledger(folded={"gpu": 2}))
        assert await Ledgers(cluster).read(ALICE) == second
        assert cluster.objects[WHERE]["owner"] == ALICE
        assert cluster.count("create") == cluster.count("replace") == 1

    run(scenario())


@pytest.mark.parametrize("how", ["changed", "removed", "made again", "made meanwhile"])
def test_a_ledger_that_is_no_longer_the_one_that_was_read_is_never_overwritten(how: str) -> None:
    async def scenario() -> None:
        cluster = Cluster()
        store = Ledgers(cluster)
        before = ledgers.blank(ALICE)
        if how != "made meanwhile":
            before = await store.swap(before, ONE)
        if how in {"removed", "made again"}:
            cluster.drop(WHERE)
        if how != "removed":
            await Ledgers(cluster).swap(
                before if how == "changed" else ledgers.blank(ALICE), Ledger(folded={"gpu": 5})
            )
        with pytest.raises(errors.Conflict):
            await store.swap(before, EMPTY)
        found = await store.read(ALICE)
        assert (found.ledger.folded if found else None) == (None if how == "removed" else {"gpu": 5})

    run(scenario())


def test_a_swap_without_an_answer_keeps_the_copy_and_says_that_it_may_have_happened() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        store = Ledgers(cluster)
        first = await store.swap(ledgers.blank(ALICE), ONE)
        cluster.plan("replace", Fault(errors.Unreachable("cut off"), "after"))
        with pytest.raises(errors.Unreachable) as caught:
            await store.swap(first, EMPTY)
        assert caught.value.may_have_happened
        assert store.copy(ALICE) == first

    run(scenario())


def test_the_newest_copy_is_kept_whether_it_was_watched_or_written() -> None:
    told: list[Owner] = []
    store = Ledgers(Cluster(), told.append)
    store.changed("ADDED", stored(9), "9")
    store.changed("MODIFIED", stored(100), "100")
    store.changed("MODIFIED", stored(99), "99")
    found = store.copy(ALICE)
    assert found is not None
    assert found.version == "100"
    assert told == [ALICE, ALICE]
    store.changed("DELETED", stored(99), "99")
    assert store.copy(ALICE) == found
    store.changed("DELETED", stored(101), "101")
    assert store.copy(ALICE) is None


def test_a_whole_set_takes_the_place_of_all_copies_whatever_version_they_claim() -> None:
    store = Ledgers(Cluster())
    store.changed("ADDED", stored(9), "9")
    store.changed("ADDED", stored(30, owner=BOB), "30")
    store.replaced([stored(11, owner=Owner("user:eve"))], "20")
    assert sorted(store.copies) == ["user:eve"], "version 30 may be of a history that a restore has ended"


def test_a_ledger_that_somebody_removed_is_told_so_that_it_is_made_again() -> None:
    told: list[Owner] = []
    store = Ledgers(Cluster(), told.append)
    store.changed("ADDED", stored(9), "9")
    store.changed("DELETED", stored(10), "10")
    assert told == [ALICE, ALICE]
    store.changed("ADDED", stored(11), "11")
    store.replaced([], "20")
    assert told == [ALICE] * 4, "also where the watch was away when it happened"


def test_a_quorum_read_always_replaces_the_copy_and_is_told() -> None:
    async def scenario() -> None:
        told: list[Owner] = []
        cluster = Cluster()
        store = Ledgers(cluster, told.append)
        await Ledgers(cluster).swap(ledgers.blank(ALICE), ONE)
        store.changed("ADDED", stored(10**9, Ledger(folded={"gpu": 99})), "1000000000")
        told.clear()
        found = await store.read(ALICE)
        assert found is not None
        assert found.ledger == ONE  # as after a restore of etcd: the truth is older than the copy
        assert (store.copy(ALICE), told) == (found, [ALICE])
        await store.read(ALICE)
        assert told == [ALICE]
        cluster.drop(WHERE)
        assert await store.read(ALICE) is None
        assert store.copy(ALICE) is None

    run(scenario())


def test_a_ledger_is_removed_only_if_it_is_still_the_one_that_was_read() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        store = Ledgers(cluster)
        first = await store.swap(ledgers.blank(ALICE), ONE)
        second = await Ledgers(cluster).swap(first, EMPTY)
        with pytest.raises(errors.Conflict):
            await store.remove(first)
        assert WHERE in cluster.objects
        await store.remove(second)
        assert WHERE not in cluster.objects

    run(scenario())


def test_a_ledger_under_our_name_that_is_somebody_elses_is_never_taken_for_ours() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.store(WHERE, {"metadata": {"name": "x"}, "owner": BOB, "ledger": "1 0 0 - -"})
        store = Ledgers(cluster)
        line = f"the ledger of user:alice would be {owners.object_name(ALICE)}, which is that of user:bob"
        with pytest.raises(NameTaken, match=line):
            await store.read(ALICE)
        assert store.copies == {}

    run(scenario())


def test_a_string_that_cannot_be_read_is_an_error_and_no_empty_ledger() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.store(WHERE, {"metadata": {"name": "x"}, "owner": ALICE, "ledger": "7 what is this"})
        with pytest.raises(LedgerError, match='ledger format "7" is not known here'):
            await Ledgers(cluster).read(ALICE)

    run(scenario())


def test_groups_are_those_that_the_ledger_remembers() -> None:
    store = Ledgers(Cluster())
    assert store.groups(ALICE) == ()
    store.changed("ADDED", stored(9, Ledger(groups=("staff",))), "9")
    assert store.groups(ALICE) == ("staff",)


def test_what_is_stored_is_one_string_and_no_managed_fields() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        store = Ledgers(cluster)
        written = await store.swap(ledgers.blank(ALICE), Ledger(reservations=(create("a", gpu=1),)))
        item = json.loads(cluster.bodies[0])
        assert item == {
            "apiVersion": "labquota.dev/v1alpha1",
            "kind": "OwnerLedger",
            "metadata": {"name": owners.object_name(ALICE), "managedFields": [{}]},
            "owner": "user:alice",
            "ledger": "1 0 0 - -;uid-a lab a - - - gpu=1",
        }
        assert (
            ledgers.decode(json.dumps({**item, "metadata": {"resourceVersion": "1"}}).encode()).ledger
            == written.ledger
        )

    run(scenario())


def test_a_conflict_does_not_make_a_replica_forget_the_users_groups() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        store = Ledgers(cluster)
        written = await store.swap(ledgers.blank(ALICE), Ledger(groups=("students",)))
        await Ledgers(cluster).swap(written, Ledger(groups=("students",), epoch=2))
        with pytest.raises(errors.Conflict):
            await store.swap(written, Ledger())
        assert store.groups(ALICE) == ("students",), "a controller's pod would pass without them"

    run(scenario())
