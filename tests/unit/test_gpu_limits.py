"""Limits of gpu-equivalents and gpu-memory: two ledgers inside, one for people, priced by where a pod may run."""

import time
from typing import Any

import pytest

from labquota import gpusettings
from labquota.quota import admission, explain, limits, pods, verdict
from labquota.quota.cases import Case, Verdict
from labquota.quota.explain import Holder
from labquota.quota.fitting import fit
from labquota.quota.inventory import Inventory
from labquota.quota.ledger import EMPTY, Book, Ledger, Reservation
from labquota.quota.limits import Group, Override
from labquota.quota.points import COMPUTE, MEMORY, SLOTS
from unit.builders import ALICE, NOW, case, group, override, pod, request
from unit.builders import world as world_
from unit.inventories import A100_40, A100_80, V, inventory, labels, mixed

ONE = group(aggregate={"gpu-equivalents": "1"})
SMALL = (
    "small",
    mixed(A100_40, p1g_5gb=4864, p1g_10gb=9856, p3g_20gb=19968, p4g_20gb=19968),
    {f"{V}/mig-{each}": 1 for each in ("1g.5gb", "1g.10gb", "3g.20gb", "4g.20gb")},
)
LARGE = ("large", mixed(A100_80, p1g_10gb=9728), {f"{V}/mig-1g.10gb": 7})
GPUS = ("whole", labels(A100_40), {f"{V}/gpu": 8})
BOTH = inventory(SMALL, LARGE, GPUS)


def asking(name: str = "a", spec: dict[str, Any] | None = None, **profiles: int) -> pods.Pod:
    """A pod that asks for slices: `p4g_20gb=1`, or `gpu=1`."""
    names = {key: f"{V}/mig-{key[1:].replace('_', '.')}" for key in profiles if key != "gpu"}
    made = pod(name, **{names.get(key, key): count for key, count in profiles.items()})
    more = pods.convert({"spec": spec or {}}).spec
    made.spec.node_name, made.spec.node_selector, made.spec.affinity = (
        more.node_name,
        more.node_selector,
        more.affinity,
    )
    return made


def examined(new: pods.Pod, *rules: Group | Override, of: Inventory = BOTH, **more: Any) -> Case:
    made = world_(*(rules or (ONE,)))
    made.inventory = of
    return case(made, request(new, **more))


def held(*asked: pods.Pod, rules: tuple[Group | Override, ...] = (), of: Inventory = BOTH) -> dict[str, int]:
    """What the ledger says when these are stored."""
    total: dict[str, int] = {}
    for each in asked:
        for key, amount in examined(each, *rules, of=of).reservation.after.items():
            total[key] = total.get(key, 0) + amount
    return total


def judge(found: Case, folded: dict[str, int] | None = None, *flying: Reservation) -> Verdict:
    return admission.decide(found, Book(Ledger(folded=folded or {}, reservations=flying)))


def line(found: Case, judged: Verdict, *holders: Holder) -> str:
    assert not judged.allowed
    return explain.refusal(found, judged, holders, 44)


def test_a_limit_of_equivalents_is_two_limits_and_people_see_one() -> None:
    rules = group(aggregate={"gpu-equivalents": "1/2", "gpu": 3}, perPod={"gpu-equivalents": "4/7"}).limits
    assert {key: each.amount for key, each in rules.aggregate.items()} == {COMPUTE: 28, SLOTS: 28, "gpu": 3}
    shown = limits.shown(rules.aggregate)
    assert {key: each.amount for key, each in shown.items()} == {"gpu-equivalents": 28, "gpu": 3}
    assert {key: each.amount for key, each in limits.shown(rules.per_pod).items()} == {"gpu-equivalents": 32}
    problems = group(aggregate={"gpu-compute": 3}).problems
    assert problems[0].startswith('spec.aggregate[gpu-compute]: resource "gpu-compute" cannot be limited')


def test_one_equivalent_is_4g_and_3g_and_the_next_1g_is_refused_in_one_clear_line() -> None:
    first, second = asking("a", p4g_20gb=1), asking("b", p3g_20gb=1)
    assert judge(examined(first)).allowed
    assert judge(examined(second), held(first)).allowed
    assert held(first, second) == {"gpu": 2, "pods": 2, COMPUTE: 56, SLOTS: 56}
    third = examined(asking("c", p1g_5gb=1))
    judged = judge(third, held(first, second))
    holders = Holder("lab", "a", {"gpu-equivalents": 32}), Holder("lab", "b", {COMPUTE: 24, SLOTS: 28})
    assert line(third, judged, *holders) == (
        "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu-equivalents 0.143, used 1 of 1 GPUs "
        "(ResourceLimitGroup/student), 0 still fit. "
        "Held by lab/a (gpu-equivalents 0.571), lab/b (gpu-equivalents 0.5). "
        "Delete a pod or let one finish, or ask for less"
    )
    (cause,) = explain.fields(judged.causes)
    assert (cause["reason"], cause["field"]) == ("AGGREGATE_GPU_QUOTA_EXCEEDED", "gpu-equivalents")


@pytest.mark.parametrize(("count", "allowed"), [(7, True), (8, False)])
def test_seven_slices_of_a_card_fit_and_eight_do_not(count: int, allowed: bool) -> None:  # noqa: FBT001  a column of the table
    assert judge(examined(asking(p1g_5gb=count))).allowed is allowed


@pytest.mark.parametrize(("count", "allowed"), [(4, True), (5, False)])
def test_memory_counts_as_compute_does(count: int, allowed: bool) -> None:  # noqa: FBT001  as above
    found = examined(asking(spec={"nodeName": "small"}, p1g_10gb=count))
    judged = judge(found)
    assert judged.allowed is allowed
    if not allowed:
        (cause,) = judged.causes
        assert isinstance(cause, verdict.Exceeded)
        assert [each.key for each in cause.ledgers] == [SLOTS]
        assert (cause.key, cause.asked, cause.limit) == ("gpu-equivalents", 70, 56)


def test_the_same_name_costs_what_it_is_where_the_pod_may_run() -> None:
    small, large = {f"{V}/gpu.product": A100_40[0]}, {f"{V}/gpu.product": A100_80[0]}
    assert not judge(examined(asking(p1g_10gb=7, spec={"nodeSelector": small}))).allowed
    assert not judge(examined(asking(p1g_10gb=7))).allowed, "it may run on the dearer one"
    assert judge(examined(asking(p1g_10gb=7, spec={"nodeSelector": large}))).allowed


def test_from_80_per_cent_on_one_warning_says_so() -> None:
    found = examined(asking(p3g_20gb=1))
    judged = judge(found, held(asking("b", p3g_20gb=1)))
    assert judged.allowed
    assert explain.warnings(found, judged) == [
        "labquota: user:alice now uses gpu-equivalents 1 of 1 GPUs (ResourceLimitGroup/student)"
    ]


def test_the_layer_of_one_pod_knows_equivalents_and_memory() -> None:
    rules = group(perPod={"gpu-equivalents": "0.5", "gpu-memory": "20Gi"})
    judged = judge(examined(asking(p4g_20gb=1, p1g_5gb=1), rules))
    found = examined(asking(p4g_20gb=1, p1g_5gb=1), rules)
    assert line(found, judged) == (
        "USER_AT_LIMIT: user:alice asked gpu-equivalents 0.714 for one pod, at most 0.5 GPUs each "
        "(ResourceLimitGroup/student); "
        "USER_AT_LIMIT: user:alice asked gpu-memory 24832Mi for one pod, at most 20Gi each "
        "(ResourceLimitGroup/student). Ask for less in one pod"
    )
    assert judge(examined(asking(p3g_20gb=1), rules)).allowed


def test_gpu_memory_is_what_slices_have() -> None:
    rules = group(aggregate={"gpu-memory": "40Gi"})
    first = asking(p3g_20gb=2)
    assert held(first, rules=(rules,)) == {"gpu": 2, "pods": 1, MEMORY: 2 * 19968 * 2**20}
    found = examined(asking("b", p1g_5gb=1), rules)
    assert line(found, judge(found, held(first, rules=(rules,)))) == (
        "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu-memory 4864Mi, used 39Gi of 40Gi "
        "(ResourceLimitGroup/student), 1Gi still fit. Delete a pod or let one finish, or ask for less"
    )


def test_an_override_gives_more_or_lifts_the_limit() -> None:
    more = override(aggregate={"gpu-equivalents": 2})
    assert judge(examined(asking(gpu=2), ONE, more)).allowed
    judged = judge(examined(asking(gpu=3), ONE, more))
    assert [cause.source for cause in judged.causes if isinstance(cause, verdict.Exceeded)] == [
        "ResourceLimitOverride/deadline"
    ]
    lifted = override(aggregate={"gpu-equivalents": "unlimited"})
    assert judge(examined(asking(gpu=64), ONE, lifted)).allowed


def test_requests_in_flight_decide_only_where_they_do_in_each_ledger_that_is_exceeded() -> None:
    flying = examined(asking("b", p4g_20gb=1)).reservation
    found = examined(asking("c", p4g_20gb=1))
    judged = judge(found, {COMPUTE: 8, SLOTS: 7}, flying)
    assert "1 request in flight holds gpu-equivalents 0.571 for at most 44 s" in line(found, judged)
    small = examined(asking("e", spec={"nodeName": "small"}, p1g_10gb=1))
    tiny = Reservation("uid-d", "lab", "d", "", {}, {SLOTS: 1})
    judged = judge(small, {COMPUTE: 48, SLOTS: 42}, tiny)
    assert "1 request in flight holds gpu-equivalents 0.018" in line(small, judged), (
        "compute has room as it is"
    )
    judged = judge(found, {COMPUTE: 8, SLOTS: 42}, flying)
    assert "in flight" not in line(found, judged), "the memory would not do without it either"


def test_a_ledger_keeps_prices_only_where_something_limits_them() -> None:
    plain = examined(asking(gpu=1), group(aggregate={"gpu": 3}))
    assert plain.reservation.after == {"gpu": 1, "pods": 1}
    assert plain.grows == {"gpu": 1, "pods": 1}


def test_how_many_fit_is_reckoned_by_both_ledgers() -> None:
    found = examined(asking(p1g_10gb=1, spec={"nodeName": "small"}))
    assert fit(found, EMPTY, 10).admitted == 4
    found = examined(asking(p1g_10gb=1, spec={"nodeName": "large"}))
    assert fit(found, EMPTY, 10).admitted == 7


def test_a_name_that_nobody_has_priced_is_refused_with_what_the_nodes_offer() -> None:
    made = pod("a", **{f"{V}/a100": 1, f"{V}/mig-1g.5gb": 1})
    found = examined(made)
    assert line(found, judge(found)) == (
        'UNKNOWN_GPU_RESOURCE: nobody has priced the GPU resource "nvidia.com/a100"; use a resource that the nodes '
        "offer: nvidia.com/gpu, nvidia.com/mig-1g.10gb, nvidia.com/mig-1g.5gb, nvidia.com/mig-3g.20gb, "
        "nvidia.com/mig-4g.20gb"
    )
    well_formed = examined(pod("a", **{f"{V}/mig-9g.99gb": 1}), of=Inventory())
    assert line(well_formed, judge(well_formed)) == (
        'UNKNOWN_GPU_RESOURCE: nobody has priced the GPU resource "nvidia.com/mig-9g.99gb"; '
        "use a resource that the nodes offer"
    )


def test_countless_invented_names_cost_little_time_and_are_all_refused() -> None:
    invented = {f"{V}/mig-{number % 90}g.{number}gb": 1 for number in range(20_000)}
    began = time.process_time()
    found = examined(pod("a", **invented))
    assert time.process_time() - began < 2, "by names alone"
    judged = judge(found)
    assert len(judged.causes) > 19_900
    assert len(line(found, judged)) < 3_000
    assert line(found, judged).count("nvidia.com/mig-3g.20gb") == 1, "what the nodes offer is said once"


def test_what_nobody_has_priced_is_never_free_where_it_is_only_warned_of() -> None:
    warning = group(aggregate={"gpu-equivalents": 2}, enforcement="Warn")
    assert held(pod("a", **{f"{V}/a100": 2}), rules=(warning,)) == {
        "gpu": 2,
        "pods": 1,
        COMPUTE: 112,
        SLOTS: 112,
    }


def test_another_prefix_of_the_administrators_has_to_be_priced_too() -> None:
    set_ = gpusettings.read("""
        resourcePrefixes: [nvidia.com/, gpu.example.org/]
        resources:
          gpu.example.org/half: {gpuEquivalents: "0.5", memory: 10Gi}
          nvidia.com/hostdev: {gpuEquivalents: 0}
          lab.example.org/card: {gpuEquivalents: 1}
    """)
    of = Inventory(set_)
    rules = group(aggregate={"gpu-equivalents": 2, "gpu": 9, "gpu-memory": "1Ti"})
    asks = {"gpu.example.org/half": 1, f"{V}/hostdev": 4, "lab.example.org/card": 1, "example.org/fpga": 1}
    assert held(pod("a", **asks), rules=(rules,), of=of) == {
        "gpu": 2,
        "pods": 1,
        COMPUTE: 84,
        SLOTS: 84,
        MEMORY: 10 * 2**30,
    }
    found = examined(pod("a", **{"gpu.example.org/full": 1}), rules, of=of)
    assert [cause.code for cause in judge(found).causes] == [verdict.UNKNOWN_GPU]


def test_a_name_of_the_vendor_that_is_no_gpu_by_the_settings_counts_as_none() -> None:
    rules = group(aggregate={"gpu": 1, "gpu-equivalents": 1})
    for text in (
        "resourcePrefixes: [nvidia.com/gpu, nvidia.com/mig-]",
        f"resources: {{{V}/hostdev: {{gpuEquivalents: 0}}}}",
    ):
        of = Inventory(gpusettings.read(text))
        assert of.is_plain, "pods without GPUs are not even looked at"
        found = examined(pod("a", **{f"{V}/hostdev": 4, f"{V}/gpu": 1}), rules, of=of)
        assert judge(found).allowed
        assert found.reservation.after["gpu"] == 1
        assert held(pod("a", **{f"{V}/hostdev": 4}), rules=(rules,), of=of) == {"pods": 1}


def test_whole_gpus_are_judged_by_what_they_are_and_not_by_their_name() -> None:
    slices_only = group(aggregate={"pods": 9}, allowWholeGPU=False)
    single = ("single", labels((f"{A100_40[0]}-MIG-1g.5gb", 4864)), {f"{V}/gpu": 7})
    assert judge(examined(asking(gpu=1), slices_only, of=inventory(single))).allowed, (
        "a slice by another name"
    )
    mixed_up = examined(asking(gpu=1), slices_only, of=inventory(single, GPUS))
    assert line(mixed_up, judge(mixed_up)) == (
        "WHOLE_GPU_NOT_ALLOWED: user:alice may use MIG slices only (ResourceLimitGroup/student), "
        "and the pod asks for nvidia.com/gpu"
    )
    there = asking(gpu=1, spec={"nodeSelector": {f"{V}/gpu.product": f"{A100_40[0]}-MIG-1g.5gb"}})
    assert judge(examined(there, slices_only, of=inventory(single, GPUS))).allowed, "it goes to the slices"
    assert not judge(examined(asking(gpu=1), slices_only, of=Inventory())).allowed, "no node says otherwise"
    assert judge(examined(asking(p1g_5gb=1), slices_only)).allowed


def test_a_resize_of_a_pod_with_gpus_asks_for_no_more_of_them() -> None:
    old, new = (asking("a", spec={"nodeName": "small"}, p1g_10gb=1) for _ in range(2))
    for each, cpu in ((old, "1"), (new, "2")):
        each.metadata.resource_version = "7"
        each.spec.containers[0].resources.requests |= {"cpu": cpu}
    rules = group(aggregate={"gpu-equivalents": "0.1", "cpu": 8})
    found = examined(new, rules, old=old)
    assert found.grows == {"requests.cpu": 1000}
    assert found.reservation.before[SLOTS] == found.reservation.after[SLOTS] == 14
    assert judge(found, {SLOTS: 14, COMPUTE: 8}).allowed


def test_a_case_is_examined_again_when_prices_change() -> None:
    made = world_(ONE)
    made.inventory = inventory(LARGE)
    before = case(made, request(asking(p1g_10gb=7)))
    revision = made.revision(NOW)
    made.inventory.put_node("small", SMALL[1], dict.fromkeys(SMALL[2], "1"))
    assert made.revision(NOW) > revision
    after = case(made, request(asking(p1g_10gb=7)))
    assert before.reservation.after[SLOTS] == 49
    assert after.reservation.after[SLOTS] == 98
    assert after.owner == ALICE
