import asyncio
import random

import pytest
from prometheus_client import REGISTRY

from labquota.kube import errors, marker
from labquota.kube.ledgers import Stored
from labquota.quota.admission import Case, Verdict
from labquota.quota.ledger import Book, Ledger
from labquota.quota.verdict import Refused
from labquota.webhook import worker
from labquota.webhook.means import Outage
from labquota.webhook.purse import BURST_SECONDS
from unit.builders import ALICE, BOB, create, group
from unit.replicas import all_of, held, put, replica, where
from unit.simulated import Cluster, Fault, run

STUDENT = group(aggregate={"gpu": 3})
CUT_OFF = errors.Unreachable("no answer from the API server: cut off")


def codes(judged: Verdict) -> list[str]:
    return [cause.code for cause in judged.causes]


def test_a_pod_is_let_through_only_once_its_reservation_is_stored() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, STUDENT)
        assert (await one.judge("a", gpu=1)).allowed
        assert [each.name for each in held(cluster).reservations] == ["a"]
        assert Book(held(cluster)).total["gpu"] == 1

    run(scenario())


def test_requests_that_come_together_share_one_swap() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, group(aggregate={"gpu": 100}))
        verdicts = await all_of(*(one.judge(f"p{number}", gpu=1) for number in range(50)))
        assert all(verdict.allowed for verdict in verdicts)
        assert cluster.count("create", "ownerledgers") == one.means.swaps == 1
        assert len(held(cluster).reservations) == 50
        assert (await one.judge("next", gpu=80 - 50)).allowed
        assert cluster.count("replace", "ownerledgers") == 1
        assert cluster.count("get", "ownerledgers") == 1

    run(scenario())


def test_a_batch_is_judged_in_order_and_ends_at_the_limit() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, STUDENT)
        verdicts = await all_of(*(one.judge(f"p{number}", gpu=1) for number in range(6)))
        assert [verdict.allowed for verdict in verdicts] == [True, True, True, False, False, False]
        assert codes(verdicts[5]) == ["AGGREGATE_GPU_QUOTA_EXCEEDED"]
        assert Book(held(cluster)).total["gpu"] == 3
        assert cluster.count("get", "ownerledgers") == 1

    run(scenario())


def test_after_a_conflict_the_ledger_is_read_afresh_and_judged_again() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one, two = replica(cluster, STUDENT), replica(cluster, STUDENT)
        assert (await one.judge("a", gpu=1)).allowed
        assert (await two.judge("b", gpu=1)).allowed
        stale = await one.judge("c", gpu=2)
        assert codes(stale) == ["AGGREGATE_GPU_QUOTA_EXCEEDED"]
        assert one.means.conflicts == 1
        assert (await one.judge("d", gpu=1)).allowed
        assert Book(held(cluster)).total["gpu"] == 3

    run(scenario())


def test_swaps_and_conflicts_are_counters_of_the_process() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        names = ("labquota_ledger_swaps_total", "labquota_ledger_conflicts_total")
        before = [REGISTRY.get_sample_value(name) or 0 for name in names]
        one, two = replica(cluster, STUDENT), replica(cluster, STUDENT)
        await one.judge("a", gpu=1)
        await two.judge("b", gpu=1)
        await one.judge("c", gpu=1)
        after = [REGISTRY.get_sample_value(name) or 0 for name in names]
        assert [now - then for now, then in zip(after, before, strict=True)] == [4, 1]

    run(scenario())


def test_a_refusal_is_never_given_on_a_stale_copy() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, STUDENT)
        assert (await one.judge("a", gpu=3)).allowed
        put(
            cluster, Ledger()
        )  # the pod is gone and the operator has folded that; this replica has not seen it
        assert (await one.judge("b", gpu=3)).allowed
        reads = cluster.count("get", "ownerledgers")
        assert not (await one.judge("c", gpu=1)).allowed
        assert cluster.count("get", "ownerledgers") == reads + 1

    run(scenario())


def test_one_fresh_read_serves_all_refusals_of_a_batch() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 3}))
        one = replica(cluster, STUDENT)
        await one.store.read(ALICE)
        reads = cluster.count("get")
        verdicts = await all_of(*(one.judge(f"p{number}", gpu=1) for number in range(20)))
        assert not any(verdict.allowed for verdict in verdicts)
        assert cluster.count("get") == reads + 1
        assert one.means.swaps == 0

    run(scenario())


@pytest.mark.parametrize("first", ["create", "replace"])
def test_an_answer_that_is_lost_after_the_write_charges_once(first: str) -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, STUDENT)
        if first == "replace":
            assert (await one.judge("a", gpu=1)).allowed
        cluster.plan(first, Fault(CUT_OFF, "after"))
        assert (await one.judge("b", gpu=2)).allowed
        assert [each.name for each in held(cluster).reservations].count("b") == 1
        assert cluster.count(first, "ownerledgers") == 1

    run(scenario())


def test_a_replay_at_the_limit_is_allowed_and_writes_nothing() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one, two = replica(cluster, STUDENT), replica(cluster, STUDENT)
        assert (await one.judge("a", gpu=3)).allowed
        before = cluster.version
        assert (await one.judge("a", gpu=3)).allowed
        assert (await two.judge("a", gpu=3)).allowed
        assert cluster.version == before

    run(scenario())


def test_a_dry_run_is_judged_and_never_written() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(
            cluster, STUDENT, group("staff", subjects=[{"kind": "Group", "name": "g"}], aggregate={"gpu": 3})
        )
        assert (await one.judge("a", gpu=3, dry_run=True, user_groups=["g"])).allowed
        assert not (await one.judge("b", gpu=4, dry_run=True)).allowed
        assert where() not in cluster.objects
        both = await all_of(one.judge("c", gpu=2, dry_run=True), one.judge("d", gpu=2), one.judge("e", gpu=2))
        assert [verdict.allowed for verdict in both] == [True, True, False]
        assert [each.name for each in held(cluster).reservations] == ["d"]

    run(scenario())


def test_the_groups_of_the_newest_request_are_kept_with_the_ledger() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        staff = group("staff", subjects=[{"kind": "Group", "name": "g"}], aggregate={"gpu": 9})
        one = replica(cluster, STUDENT, staff)
        assert (await one.judge("a", gpu=1, user_groups=["g", "h"])).allowed
        assert held(cluster).groups == ("g",)
        assert (await one.judge("b", gpu=1)).allowed
        assert held(cluster).groups == ()
        assert one.store.groups(ALICE) == ()

    run(scenario())


def test_groups_are_kept_where_nothing_is_limited_and_written_once() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, group("admin", subjects=[{"kind": "Group", "name": "g"}]))
        assert (await one.judge("a", gpu=9, user_groups=["g"])).allowed
        assert (held(cluster).groups, held(cluster).reservations) == (("g",), ())
        assert not one.case("b", gpu=9, user_groups=["g"]).needs_ledger

    run(scenario())


def test_without_a_ledger_a_current_marker_means_that_nothing_is_held() -> None:
    async def scenario() -> None:
        one = replica(Cluster(), STUDENT, folded=False)
        line = "no operator has folded the cluster yet, so what user:alice holds is not known"
        with pytest.raises(Outage, match=f"^{line}$"):
            await one.judge("a", gpu=1)
        one.beat()
        assert (await one.judge("a", gpu=1)).allowed

    run(scenario())


def test_with_a_ledger_no_marker_is_needed_to_allow() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 1}))
        assert (await replica(cluster, STUDENT, folded=False).judge("a", gpu=1)).allowed

    run(scenario())


def test_without_a_heartbeat_a_refusal_over_the_aggregate_is_an_outage_and_an_allowance_is_not() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, group(aggregate={"gpu": 3}, perPod={"gpu": 3}))
        one.clock.shift = 15
        assert (await one.judge("a", gpu=3)).allowed
        with pytest.raises(
            Outage, match=r"^no operator frees what finished pods held, so a refusal may be wrong$"
        ):
            await one.judge("b", gpu=1)
        one.beat()
        assert codes(await one.judge("b", gpu=1)) == ["AGGREGATE_GPU_QUOTA_EXCEEDED"]

    run(scenario())


def test_without_a_heartbeat_a_warning_is_still_a_warning() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 3}))
        one = replica(cluster, group(aggregate={"gpu": 3}, enforcement="Warn"))
        one.clock.shift = 15
        judged = await one.judge("a", gpu=1)
        assert (judged.allowed, codes(judged)) == (True, ["AGGREGATE_GPU_QUOTA_EXCEEDED"])

    run(scenario())


def test_without_a_heartbeat_one_pod_is_still_refused_what_no_pod_may_ask() -> None:
    async def scenario() -> None:
        one = replica(Cluster(), group(aggregate={"gpu": 9}, perPod={"gpu": 3}))
        one.clock.shift = 15
        assert codes(await one.judge("a", gpu=4)) == ["USER_AT_LIMIT"]

    run(scenario())


LEASE = "/apis/coordination.k8s.io/v1/namespaces/labquota-system/leases/labquota-operator"


def beat(cluster: Cluster, number: int) -> None:
    """The operator's Lease as it is stored, whatever the replicas have seen of it."""
    cluster.store(LEASE, {"metadata": {"name": "x", "annotations": dict(marker.of("7", "crd", number))}})


def test_with_a_silent_watch_of_the_lease_a_refusal_stands_while_the_operator_works() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 3}))
        one = replica(cluster, STUDENT)
        one.clock.shift = 20
        beat(cluster, 2)
        assert codes(await one.judge("a", gpu=1)) == ["AGGREGATE_GPU_QUOTA_EXCEEDED"]
        one.clock.shift = 40
        with pytest.raises(Outage, match=r"^no operator frees what finished pods held"):
            await one.judge("b", gpu=1)

    run(scenario())


def test_in_a_storm_of_refusals_the_lease_is_read_once_a_second() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, STUDENT)
        one.clock.shift = 20
        for owner in (ALICE, BOB):
            put(cluster, Ledger(folded={"gpu": 3}), owner)
        for expected in (1, 2):
            asked = [one.judge(f"p{n}", owner=owner, gpu=1) for n in range(20) for owner in (ALICE, BOB)]
            assert all(isinstance(each, Outage) for each in await all_of(*asked))
            assert cluster.count("get", "leases") == expected
            await asyncio.sleep(1)

    run(scenario())


@pytest.mark.parametrize("seconds", [1.0, 9.0])
def test_a_lease_that_cannot_be_read_in_time_is_an_outage_and_not_the_owners_fault(seconds: float) -> None:
    async def scenario() -> None:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 3}))
        one = replica(cluster, STUDENT)
        one.clock.shift = 20
        cluster.plan("get", Fault(), Fault(wait=None))
        with pytest.raises(Outage, match=r"^no operator frees what finished pods held"):
            await one.judge("a", seconds, gpu=1)
        assert asyncio.get_running_loop().time() <= 2

    run(scenario())


def test_an_allowance_does_not_wait_for_the_lease() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 2}))
        one = replica(cluster, STUDENT)
        one.clock.shift = 20
        cluster.plan("get", Fault(), Fault(wait=None))
        above = asyncio.create_task(one.judge("a", gpu=2))
        assert (await one.judge("b", gpu=1)).allowed
        assert asyncio.get_running_loop().time() == 0
        with pytest.raises(Outage):
            await above

    run(scenario())


def test_without_a_ledger_a_marker_that_the_watch_has_missed_is_read() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, STUDENT, folded=False)
        one.marker.crd.uid = "crd"
        beat(cluster, 1)
        assert (await one.judge("a", gpu=1)).allowed

    run(scenario())


def test_an_owner_in_the_same_batch_is_not_allowed_because_others_are() -> None:
    async def scenario() -> None:
        one = replica(Cluster(), STUDENT)
        one.clock.shift = 15
        fits, above = await all_of(one.judge("a", gpu=2), one.judge("b", gpu=2))
        assert fits.allowed
        assert isinstance(above, Outage)

    run(scenario())


def test_an_api_server_that_does_not_answer_in_time_is_an_outage() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.plan("get", Fault(wait=None))
        one = replica(cluster, STUDENT)
        with pytest.raises(Outage, match=r"^the API server does not answer$"):
            await one.judge("a", gpu=1)
        assert asyncio.get_running_loop().time() == pytest.approx(9.0)

    run(scenario())


def test_an_api_server_that_refuses_connections_is_tried_again_until_the_deadline() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, STUDENT)
        cluster.plan("get", *(Fault(CUT_OFF) for _ in range(3)))
        cluster.plan(
            "create",
            Fault(errors.ApiError(503, "", "etcd is away")),
            Fault(errors.ApiError(429, "", "busy", 1)),
        )
        assert (await one.judge("a", gpu=1)).allowed
        cluster.plan("replace", *(Fault(CUT_OFF) for _ in range(1000)))
        with pytest.raises(Outage, match="cut off"):
            await one.judge("b", gpu=1)
        cluster.faults.clear()
        assert (await one.judge("b", gpu=1)).allowed

    run(scenario())


def test_an_api_server_that_says_no_is_an_outage_at_once() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.plan("create", Fault(errors.ApiError(422, "Invalid", "ledger: Invalid value")))
        with pytest.raises(Outage, match="ledger: Invalid value"):
            await replica(cluster, STUDENT).judge("a", gpu=1)
        assert asyncio.get_running_loop().time() < 1

    run(scenario())


def test_an_api_server_that_does_not_know_us_is_given_three_seconds_to_learn_its_roles() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        unknown = errors.ApiError(403, "Forbidden", "not allowed to create ownerledgers")
        cluster.plan("create", Fault(unknown), Fault(unknown))
        one = replica(cluster, STUDENT)
        assert (await one.judge("a", gpu=1)).allowed
        cluster.plan("replace", *(Fault(unknown) for _ in range(1000)))
        began = asyncio.get_running_loop().time()
        with pytest.raises(Outage, match="not allowed to create ownerledgers"):
            await one.judge("b", gpu=1)
        assert 3 <= asyncio.get_running_loop().time() - began < 4

    run(scenario())


def test_an_owners_own_queue_is_refused_and_never_an_outage() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, STUDENT)
        cluster.plan("create", Fault(wait=3.0))
        first = asyncio.create_task(one.judge("a", gpu=1))
        await asyncio.sleep(0.5)
        late = await one.judge("b", seconds=2.0, gpu=1)
        text = "requests of user:alice queue for longer than the API server waits; send fewer at once"
        assert late.causes == (Refused("OWNER_QUEUE_FULL", text),)
        assert (await first).allowed
        await asyncio.sleep(5)
        assert [each.name for each in held(cluster).reservations] == ["a"]

    run(scenario())


def test_conflicts_of_an_owners_own_storm_end_in_a_refusal_at_the_deadline() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        put(cluster, Ledger())
        one = replica(cluster, STUDENT)
        cluster.plan("replace", *(Fault(errors.Conflict(409, "Conflict", "modified")) for _ in range(10_000)))
        judged = await one.judge("a", gpu=1)
        assert codes(judged) == ["OWNER_QUEUE_FULL"]
        assert asyncio.get_running_loop().time() == pytest.approx(9.0)

    run(scenario())


def test_a_request_that_nobody_waits_for_any_more_is_not_reserved() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, STUDENT)
        cluster.plan("get", Fault(wait=3.0))
        judged = await one.judge("a", seconds=1.0, gpu=1)
        assert not judged.allowed
        await asyncio.sleep(10)
        assert where() not in cluster.objects

    run(scenario())


def test_a_ledger_that_cannot_be_read_is_an_outage_with_the_reason() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.store(where(), {"metadata": {"name": "x"}, "owner": ALICE, "ledger": "7 new"})
        with pytest.raises(
            Outage, match=r'^ledger format "7" is not known here; this release reads 1 and 2$'
        ):
            await replica(cluster, STUDENT).judge("a", gpu=1)

    run(scenario())


def test_a_name_that_comes_out_like_another_owners_is_refused() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.store(where(), {"metadata": {"name": "x"}, "owner": BOB, "ledger": "1 0 0 - -"})
        judged = await replica(cluster, STUDENT).judge("a", gpu=1)
        assert codes(judged) == ["INVALID_REQUEST"]

    run(scenario())


def test_one_owners_requests_change_nobody_elses_ledger() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, STUDENT)
        assert (await one.judge("a", gpu=3)).allowed
        before = cluster.objects[where()]["metadata"]["resourceVersion"]
        both = await all_of(*(one.judge(f"b{number}", owner=BOB, gpu=1) for number in range(5)))
        assert sum(verdict.allowed for verdict in both) == 3
        assert cluster.objects[where()]["metadata"]["resourceVersion"] == before
        assert Book(held(cluster, BOB)).total["gpu"] == 3

    run(scenario())


def test_a_slow_owner_does_not_hold_up_another() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, STUDENT)
        cluster.plan("get", Fault(wait=None))
        slow = asyncio.create_task(one.judge("a", gpu=1))
        await asyncio.sleep(0.1)
        assert (await one.judge("b", owner=BOB, gpu=1)).allowed
        with pytest.raises(Outage):
            await slow

    run(scenario())


def test_a_bug_leaves_no_request_without_an_answer_and_the_next_is_served() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.plan("get", Fault(ZeroDivisionError("oops")))
        one = replica(cluster, STUDENT)
        both = await all_of(one.judge("a", gpu=1), one.judge("b", gpu=1))
        assert [str(each) for each in both] == ["ZeroDivisionError: oops"] * 2
        assert (await one.judge("a", gpu=1)).allowed

    run(scenario())


def test_a_request_that_sets_off_a_bug_is_refused_alone_and_opens_no_gate() -> None:
    async def scenario() -> None:
        one = replica(Cluster(), STUDENT)
        good = one.case("a", gpu=1)
        asked = [good]

        def broken() -> Case:
            return asked.pop()  # an IndexError from the second time on

        bad, well = await all_of(one.admissions.judge(broken, 5), one.admissions.judge(lambda: good, 5))
        assert [cause.code for cause in bad.causes] == ["INVALID_REQUEST"]
        assert not bad.allowed
        assert well.allowed

    run(scenario())


def test_nothing_is_kept_of_an_owner_who_has_been_served() -> None:
    async def scenario() -> None:
        one = replica(Cluster(), STUDENT)
        await one.judge("a", gpu=1)
        await asyncio.sleep(BURST_SECONDS + 0.1)
        assert one.admissions._workers == {}  # noqa: SLF001  what does not grow is not to be seen from outside

    run(scenario())


def test_with_many_in_flight_a_replica_lets_the_operator_go_first() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        some = tuple(create(f"p{number}", gpu=1) for number in range(worker.CROWDED + 1))
        put(cluster, Ledger(reservations=some))
        one = replica(cluster, group(aggregate={"gpu": 1000}))
        await one.store.read(ALICE)
        assert (await one.judge("next", gpu=1)).allowed
        assert asyncio.get_running_loop().time() > 0
        put(cluster, Ledger(reservations=some[:-1]), BOB)
        await one.store.read(BOB)
        now = asyncio.get_running_loop().time()
        assert (await one.judge("next", owner=BOB, gpu=1)).allowed
        assert asyncio.get_running_loop().time() == now

    run(scenario())


@pytest.mark.parametrize("seed", range(40))
def test_two_replicas_admit_exactly_the_limit_whatever_their_order(seed: int) -> None:
    async def scenario() -> None:
        rng = random.Random(seed)
        cluster = Cluster(rng)
        seen: list[int] = []

        def note(path: str, _item: object) -> None:
            if path == where():
                seen.append(Book(held(cluster)).total.get("gpu", 0))

        cluster.after_write = note
        both = [replica(cluster, group(aggregate={"gpu": 10}), seed=seed * 2 + number) for number in range(2)]
        for method in ("get", "create", "replace"):
            cluster.plan(
                method,
                *(
                    Fault(CUT_OFF, rng.choice(["before", "after"]))
                    if rng.random() < 0.2
                    else Fault(wait=rng.random() / 10)
                    for _ in range(15)
                ),
            )

        async def one_of(number: int) -> Verdict:
            await asyncio.sleep(rng.random() / 5)
            return await rng.choice(both).judge(f"p{number}", gpu=1)

        verdicts = await all_of(*(one_of(number) for number in range(30)))
        assert sum(verdict.allowed for verdict in verdicts) == 10
        assert Book(held(cluster)).total["gpu"] == 10
        assert len(held(cluster).reservations) == 10
        assert max(seen) == 10

    run(scenario())


def test_a_book_is_not_kept_for_another_ledger_that_a_restore_has_given_the_same_version() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one = replica(cluster, STUDENT)
        assert (await one.judge("a", gpu=1)).allowed
        written = one.store.copy(ALICE)
        assert written is not None
        other = Ledger(folded={"gpu": 3}, view="7")
        assert one.means.open(Stored(ALICE, other, written.version, written.uid)).total == {"gpu": 3}

    run(scenario())


def test_without_a_heartbeat_who_is_over_both_layers_is_still_refused() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 3}, view="7"))
        one = replica(cluster, group(aggregate={"gpu": 3}, perPod={"gpu": 2}))
        await asyncio.sleep(marker.HEARTBEAT_SECONDS + 1)
        judged = await one.judge("a", gpu=3)
        assert codes(judged) == ["AGGREGATE_GPU_QUOTA_EXCEEDED", "USER_AT_LIMIT"]

    run(scenario())
