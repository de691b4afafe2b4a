"""The audit finds what no lag explains, says so, and has it repaired by the protocol."""

import asyncio

import msgspec
import pytest

from labquota import metrics
from labquota.kube import errors
from labquota.quota.amounts import Amounts
from labquota.quota.ledger import Ledger
from unit.audited import Audited, Faulty, auditing
from unit.builders import ALICE, BOB, create, manifest
from unit.operators import pod_path, soon
from unit.replicas import held, put, where
from unit.simulated import Fault, run

LAB = "/api/v1/namespaces/lab/pods"


def peopled(*names: str) -> Faulty:
    """A cluster in which alice has these pods of two GPUs each."""
    cluster = Faulty()
    cluster.store("/api/v1/namespaces/lab", {"metadata": {"name": "lab"}})
    for name in names:
        cluster.store(pod_path(name), manifest(name, gpu=2))
    return cluster


def gauges() -> tuple[float, float, float]:
    """Owners, pods and GPUs that open differences come to."""
    shown = (metrics.AUDIT_OWNERS, metrics.AUDIT_PODS, metrics.AUDIT_GPUS)
    owners, pods, gpus = (each._value.get() for each in shown)  # noqa: SLF001  as prometheus_client's docs do
    return owners, pods, gpus


def test_a_pod_that_the_watch_never_showed_is_found_named_and_charged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = peopled("a")

    async def scenario(operator: Audited) -> None:
        await soon(lambda: held(cluster).folded.get("gpu") == 2)
        cluster.unseen(lambda: cluster.store(pod_path("b"), manifest("b", gpu=1)))
        cluster.store(pod_path("bob"), manifest("bob", owner=BOB))
        assert await operator.drifts() == "pod lab/b is not in the view"
        assert gauges() == (1, 1, 1)
        await soon(lambda: held(cluster).folded.get("gpu") == 3)
        assert (await operator.repaired()).startswith("pod lab/b is not in the view; repaired by 2026-03-01T")
        assert gauges() == (0, 0, 0)
        assert operator.condition(BOB) is None
        assert operator.found() == {"missed": 1}

    run(auditing(cluster, scenario))
    (said,) = [each for each in caplog.records if each.message == "a recount differs"]
    assert said.__dict__["repair"] == "pods are listed anew, the owner is folded"
    assert [
        each.__dict__["owner"] for each in caplog.records if each.message == "a difference is repaired"
    ] == [ALICE]


def test_a_pod_that_is_gone_without_a_word_is_found_and_freed() -> None:
    cluster = peopled("a", "b")

    async def scenario(operator: Audited) -> None:
        await soon(lambda: held(cluster).folded.get("gpu") == 4)
        cluster.unseen(lambda: cluster.drop(pod_path("b")))
        assert await operator.drifts() == "pod lab/b is in the view though it is gone"
        assert gauges() == (1, 1, 2)
        await operator.repaired()
        assert held(cluster).folded == {"gpu": 2, "pods": 1}
        assert operator.found() == {"gone": 1}

    run(auditing(cluster, scenario))


@pytest.mark.parametrize("asks", [{"gpu": 2, "phase": "Succeeded"}, {"gpu": 1}, {"gpu": 2, "owner": BOB}])
def test_a_pod_whose_change_was_never_shown_is_found_and_charged_as_it_is(asks: dict[str, object]) -> None:
    cluster = peopled("a", "b")

    async def scenario(operator: Audited) -> None:
        await soon(lambda: held(cluster).folded.get("gpu") == 4)
        cluster.unseen(lambda: cluster.store(pod_path("b"), manifest("b", **asks)))
        cluster.store(pod_path("c"), manifest("c"))
        assert "pod lab/b is in the view" in await operator.drifts()
        await operator.repaired()
        assert held(cluster).folded["gpu"] == (3 if asks == {"gpu": 1} else 2)
        assert held(cluster, BOB).folded.get("gpu", 0) == (2 if "owner" in asks else 0)
        assert set(operator.found()) == {"stale"}

    run(auditing(cluster, scenario))


@pytest.mark.parametrize("unseen", [False, True])
@pytest.mark.parametrize("written", [{"gpu": 7}, {}, {"gpu": 2, "pods": 1, "requests.cpu": 1}])
def test_a_number_that_somebody_wrote_into_a_ledger_is_noticed_and_folded_over(
    written: Amounts,
    unseen: bool,  # noqa: FBT001  a column of the table
) -> None:
    cluster = peopled("a")

    async def scenario(operator: Audited) -> None:
        await soon(lambda: held(cluster).folded.get("gpu") == 2)
        await asyncio.sleep(1)
        tampered = msgspec.structs.replace(held(cluster), folded=written)
        if unseen:
            cluster.unseen(lambda: put(cluster, tampered))
        else:
            put(cluster, tampered)
            await asyncio.sleep(0.2)
            assert held(cluster).folded == {"gpu": 2, "pods": 1}, "as soon as it is seen"
        said = await operator.drifts()
        if "gpu" in written and written["gpu"] != 2:
            assert said == "the ledger held gpu 7 instead of 2, pods 0 instead of 1"
        await operator.repaired()
        assert held(cluster).folded == {"gpu": 2, "pods": 1}
        assert operator.found() == {"ledger": 1}

    run(auditing(cluster, scenario))


def test_sums_that_have_drifted_from_their_pods_are_added_up_anew_and_the_ledger_with_them() -> None:
    cluster = peopled("a", "b")

    async def scenario(operator: Audited) -> None:
        await soon(lambda: held(cluster).folded.get("gpu") == 4)
        pod = operator.view.find("uid-b")
        assert pod is not None
        right, pod.amounts = pod.amounts, {"pods": 1, "gpu": 1}
        operator.view.rebuild()
        pod.amounts = right  # so the sums are those of other pods, as if a change had been miscounted
        assert operator.view.sums(ALICE)["gpu"] == 3
        assert await operator.drifts() == "the sums held gpu 3 instead of 4"
        await operator.repaired()
        assert operator.view.sums(ALICE) == held(cluster).folded == {"gpu": 4, "pods": 2}
        assert operator.found() == {"sums": 1}

    run(auditing(cluster, scenario))


def test_a_pod_that_no_sum_has_is_found_and_counted() -> None:
    cluster = peopled("a")

    async def scenario(operator: Audited) -> None:
        await soon(lambda: held(cluster).folded.get("gpu") == 2)
        operator.view.by_owner.clear()
        assert await operator.drifts() == "pod lab/a is in no sum"
        await operator.repaired()
        assert operator.view.uncounted() == []
        assert held(cluster).folded == {"gpu": 2, "pods": 1}

    run(auditing(cluster, scenario))


def test_a_ledger_that_no_fold_was_asked_for_is_found_by_its_difference_alone() -> None:
    cluster = peopled("a")

    async def scenario(operator: Audited) -> None:
        await soon(lambda: held(cluster).folded.get("gpu") == 2)
        await asyncio.sleep(1)
        touch = operator.folder.touch
        operator.folder.touch = lambda *_args, **_more: None  # type: ignore[method-assign]  # a fold that is forgotten
        cluster.store(pod_path("b"), manifest("b", gpu=1))
        await soon(lambda: operator.view.sums(ALICE)["gpu"] == 3)
        assert await operator.drifts() == "the ledger held gpu 2 instead of 3, pods 1 instead of 2"
        assert held(cluster).folded["gpu"] == 2
        operator.folder.touch = touch  # type: ignore[method-assign]  # back again
        await operator.repaired()
        assert held(cluster).folded["gpu"] == 3

    run(auditing(cluster, scenario))


def test_a_cluster_that_never_rests_is_in_order_however_late_watches_and_answers_are() -> None:
    cluster = peopled("a", "b", "c")

    async def scenario(operator: Audited) -> None:
        before = metrics.AUDITED_PODS._value.get()  # noqa: SLF001  as prometheus_client's docs do
        for number in range(150):
            name = f"p{number % 9}"
            if pod_path(name) in cluster.objects:
                cluster.drop(pod_path(name))
            else:
                cluster.store(pod_path(name), manifest(name, uid=f"uid-{number}", gpu=1 + number % 3))
            if number % 7 == 0:
                unanswered = errors.Unreachable("no answer")
                cluster.plan(
                    "replace", Fault(unanswered, "after"), Fault(wait=1.0), Fault(unanswered, "after")
                )
            if number % 20 == 0:
                cluster.plan("get", Fault(wait=1.5), Fault(errors.Unreachable("no answer")))
            cluster.lag = (number % 4) * 0.2
            put(cluster, msgspec.structs.replace(held(cluster), reservations=(create(f"r{number}"),)))
            await asyncio.sleep(0.9)
        assert operator.found() == {}
        assert operator.condition() is None
        assert metrics.AUDITED_PODS._value.get() > before + 50  # noqa: SLF001  as prometheus_client's docs do

    run(auditing(cluster, scenario, 10.0))


def test_an_audit_of_0_seconds_reads_nothing() -> None:
    cluster = peopled("a")

    async def scenario(operator: Audited) -> None:
        await asyncio.sleep(300)
        assert cluster.count("get", "/namespaces/lab/pods") == 0
        put(cluster, Ledger(folded={"gpu": 9}, view=held(cluster).view, epoch=held(cluster).epoch))
        await soon(lambda: held(cluster).folded == {"gpu": 2, "pods": 1})
        assert operator.found() == {}

    run(auditing(cluster, scenario, 0.0))


def test_a_deposed_operator_judges_nobody() -> None:
    cluster = peopled("a")

    async def scenario(operator: Audited) -> None:
        await soon(lambda: held(cluster).folded.get("gpu") == 2)
        put(cluster, msgspec.structs.replace(held(cluster), folded={"gpu": 9}, epoch=held(cluster).epoch + 1))
        await asyncio.sleep(60)
        assert operator.found() == {}
        assert held(cluster).folded == {"gpu": 2, "pods": 1}, "in an epoch of its own above that one"

    run(auditing(cluster, scenario))


def test_what_an_operator_before_has_found_is_called_repaired_by_the_one_that_folds_after_it() -> None:
    cluster = peopled("a")

    async def scenario(operator: Audited) -> None:
        await soon(lambda: where(ALICE) in cluster.objects)
        cluster.unseen(lambda: cluster.store(pod_path("b"), manifest("b", gpu=1)))
        cluster.store(pod_path("c"), manifest("c"))
        await operator.drifts()

    async def after(operator: Audited) -> None:
        assert (await operator.repaired()).startswith("pod lab/b is not in the view; repaired by ")
        assert held(cluster).folded["gpu"] == 3

    async def both() -> None:
        await auditing(cluster, scenario)
        await auditing(cluster, after)

    run(both())


def test_what_an_operator_before_has_found_is_not_called_repaired_before_it_is_folded() -> None:
    cluster = peopled("a")

    async def scenario(operator: Audited) -> None:
        await soon(lambda: where(ALICE) in cluster.objects)
        cluster.unseen(lambda: cluster.store(pod_path("b"), manifest("b", gpu=1)))
        cluster.store(pod_path("c"), manifest("c"))
        await operator.drifts()

    async def after(operator: Audited) -> None:
        await asyncio.sleep(30)
        assert operator.condition() == ("True", "RecountDiffers", "pod lab/b is not in the view")
        cluster.walled = ""
        await operator.repaired()

    async def both() -> None:
        await auditing(cluster, scenario)
        cluster.walled = where(ALICE)
        await auditing(cluster, after)

    run(both())


def test_what_a_second_look_does_not_find_again_is_no_difference() -> None:
    cluster = peopled("a")

    async def scenario(operator: Audited) -> None:
        await soon(lambda: held(cluster).folded.get("gpu") == 2)
        cluster.unseen(lambda: cluster.store(pod_path("b"), manifest("b", gpu=1)))
        cluster.store(pod_path("c"), manifest("c"))
        looks = cluster.count("get", LAB)
        await soon(lambda: cluster.count("get", LAB) > looks, 60)
        cluster.store(pod_path("d"), manifest("d"))  # so that the view reaches the list
        await asyncio.sleep(0.5)
        cluster.store(pod_path("b"), manifest("b", gpu=1))  # an event that was late
        await asyncio.sleep(60)
        assert operator.found() == {}
        assert held(cluster).folded["gpu"] == 3

    run(auditing(cluster, scenario))


def test_a_list_that_is_on_its_way_is_not_begun_anew() -> None:
    cluster = peopled("a")

    async def scenario(operator: Audited) -> None:
        await soon(lambda: held(cluster).folded.get("gpu") == 2)
        cluster.unseen(lambda: cluster.store(pod_path("b"), manifest("b", gpu=1)))
        cluster.store(pod_path("c"), manifest("c"))
        pods = operator.watching.informers[-1]
        before, cluster.slow = pods.relists, 25.0
        await operator.drifts()
        await operator.repaired()
        assert pods.relists == before + 1
        assert operator.found() == {"missed": 1}

    run(auditing(cluster, scenario))
