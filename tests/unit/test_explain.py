from labquota.quota import admission, explain
from labquota.quota.explain import Holder
from labquota.quota.ledger import Book, Ledger, Reservation
from labquota.quota.limits import Group
from labquota.quota.pods import Pod
from unit.builders import BOB, case, create, group, pod, request, world

GI = 1 << 30
STUDENT = group(aggregate={"gpu": 3, "memory": "96Gi", "pods": 3}, perPod={"gpu": 2})


def told(
    rules: Group,
    new: Pod,
    *held: Reservation,
    holders: tuple[Holder, ...] = (),
    folded: dict[str, int] | None = None,
) -> str:
    found = case(world(rules), request(new))
    judged = admission.decide(found, Book(Ledger(folded=folded or {}, reservations=held)))
    assert not judged.allowed
    return explain.refusal(found, judged, holders, 44)


def warned(rules: Group, new: Pod, **folded: int) -> list[str]:
    found = case(world(rules), request(new))
    return explain.warnings(found, admission.decide(found, Book(Ledger(folded=folded))))


def test_a_refusal_says_what_was_asked_used_allowed_and_by_which_object_and_who_holds_it() -> None:
    holders = (
        Holder("lab", "train-0", {"gpu": 2, "pods": 1}),
        Holder("home", "notebook", {"gpu": 1, "pods": 1}),
        Holder("home", "cpu-only", {"pods": 1}),
    )
    assert told(STUDENT, pod("d", gpu=1), holders=holders, folded={"gpu": 3, "pods": 2}) == (
        "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 1, used 3 of 3 GPU units "
        "(ResourceLimitGroup/student), 0 still fit. "
        "Held by lab/train-0 (gpu 2), home/notebook (gpu 1). "
        "Delete a pod or let one finish, or ask for less"
    )


def test_two_exceeded_resources_are_both_in_the_line() -> None:
    holders = (Holder("lab", "a", {"gpu": 2, "requests.memory": 64 * GI}),)
    line = told(
        STUDENT,
        pod("d", gpu=2, memory="40Gi"),
        holders=holders,
        folded={"gpu": 2, "requests.memory": 64 * GI},
    )
    assert line == (
        "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 2, used 2 of 3 GPU units "
        "(ResourceLimitGroup/student), 1 still fit; "
        "AGGREGATE_MEMORY_QUOTA_EXCEEDED: user:alice asked requests.memory 40Gi, used 64Gi of 96Gi "
        "(ResourceLimitGroup/student), 32Gi still fit. "
        "Held by lab/a (gpu 2, requests.memory 64Gi). "
        "Delete a pod or let one finish, or ask for less"
    )


def test_a_refusal_of_one_pod_says_how_much_one_pod_may_ask() -> None:
    assert told(STUDENT, pod("d", gpu=3)) == (
        "USER_AT_LIMIT: user:alice asked gpu 3 for one pod, at most 2 GPU units each (ResourceLimitGroup/student). "
        "Ask for less in one pod"
    )


def test_the_aggregate_comes_before_the_layer_of_one_pod() -> None:
    assert told(STUDENT, pod("d", gpu=4), folded={"gpu": 1}) == (
        "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 4, used 1 of 3 GPU units "
        "(ResourceLimitGroup/student), 2 still fit; "
        "USER_AT_LIMIT: user:alice asked gpu 4 for one pod, at most 2 GPU units each (ResourceLimitGroup/student). "
        "Delete a pod or let one finish, or ask for less"
    )


def test_requests_in_flight_that_decide_are_said_with_how_long_they_may_last() -> None:
    assert told(STUDENT, pod("d", gpu=1), create("b", gpu=1), folded={"gpu": 2}) == (
        "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 1, used 3 of 3 GPU units "
        "(ResourceLimitGroup/student), 0 still fit. "
        "1 request in flight holds gpu 1 for at most 44 s, then try again. "
        "Delete a pod or let one finish, or ask for less"
    )
    line = told(STUDENT, pod("d", gpu=1), create("b", gpu=1), create("c", gpu=1), folded={"gpu": 1})
    assert ". 2 requests in flight hold gpu 2 for at most 44 s, then try again. " in line


def test_requests_in_flight_that_do_not_decide_are_not_spoken_of() -> None:
    line = told(STUDENT, pod("d", gpu=2), create("b", gpu=1), folded={"gpu": 3})
    assert "in flight" not in line


def test_five_holders_are_named_the_largest_first_and_a_pod_in_flight_once() -> None:
    holders = [Holder("lab", f"p{number}", {"gpu": 1 + (number == 4)}) for number in range(6)]
    holders.append(Holder("lab", "p4", {"gpu": 2}))
    line = told(STUDENT, pod("d", gpu=1), holders=tuple(holders), folded={"gpu": 7})
    names = "lab/p4 (gpu 2), lab/p0 (gpu 1), lab/p1 (gpu 1), lab/p2 (gpu 1), lab/p3 (gpu 1), and others"
    assert f"Held by {names}. " in line


def test_units_are_those_of_the_resource() -> None:
    rules = group(aggregate={"cpu": 8, "pods": 1, "nvidia.com/mig-1g.10gb": 1, "ephemeral-storage": "1Gi"})
    asks = {"cpu": "8500m", "mig": 2, "ephemeral-storage": "2Gi"}
    line = told(rules, pod("d", **asks), folded={"pods": 1})
    assert "asked requests.cpu 8500m, used 0 of 8 cores" in line
    assert "asked pods 1, used 1 of 1 pods" in line
    assert "asked nvidia.com/mig-1g.10gb 2, used 0 of 1 GPU units" in line
    assert "asked requests.ephemeral-storage 2Gi, used 0 of 1Gi (" in line


def test_a_forged_stamp_gets_its_own_line_and_no_advice_about_pods() -> None:
    assert told(STUDENT, pod("d", owner=BOB, gpu=9)) == (
        'OWNER_FORGED: the pod is stamped "user:bob", but user:alice creates it; '
        "leave annotation labquota.dev/owner out; "
        "USER_AT_LIMIT: user:bob asked gpu 9 for one pod, at most 2 GPU units each (ResourceLimitGroup/student)"
    )


def test_close_to_a_limit_the_warning_says_what_is_used_now() -> None:
    assert warned(STUDENT, pod("c", gpu=1), gpu=2, pods=1) == [
        "labquota: user:alice now uses gpu 3 of 3 GPU units (ResourceLimitGroup/student)"
    ]
    assert warned(STUDENT, pod("a", gpu=1)) == []


def test_under_warn_the_line_says_what_would_be_refused() -> None:
    rules = group(aggregate={"gpu": 3}, enforcement="Warn")
    assert warned(rules, pod("a", gpu=2), gpu=2) == [
        (
            "labquota would refuse this: AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 2, "
            "used 2 of 3 GPU units (ResourceLimitGroup/student), 1 still fit"
        )
    ]


def test_causes_are_for_programs_reason_message_and_field() -> None:
    found = case(world(STUDENT), request(pod("d", gpu=3)))
    judged = admission.decide(found, Book(Ledger(folded={"gpu": 1})))
    assert explain.fields(judged.causes) == [
        {
            "reason": "AGGREGATE_GPU_QUOTA_EXCEEDED",
            "message": "asked gpu 3, used 1 of 3 GPU units (ResourceLimitGroup/student), 2 still fit",
            "field": "gpu",
        },
        {
            "reason": "USER_AT_LIMIT",
            "message": "asked gpu 3 for one pod, at most 2 GPU units each (ResourceLimitGroup/student)",
            "field": "gpu",
        },
    ]
    forged = case(world(STUDENT), request(pod("d", owner=BOB)))
    (field,) = explain.fields(forged.refusals)
    assert field["field"] == "metadata.annotations[labquota.dev/owner]"
