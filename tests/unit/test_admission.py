from typing import Any

import pytest

from labquota.quota import admission, verdict
from labquota.quota.cases import MIRROR_ANNOTATION, Case, Verdict
from labquota.quota.ledger import EMPTY, Book, Ledger, Reservation
from labquota.quota.limits import Group
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.pods import Pod
from labquota.quota.verdict import Exceeded, Refused
from unit.builders import ALICE, BOB, case, create, group, override, pod, request, resize, world

SOURCE = "ResourceLimitGroup/student"
STUDENT = group(aggregate={"gpu": 3, "pods": 3, "cpu": 8}, perPod={"gpu": 2})


def asked(rules: Group, new: Pod, **more: Any) -> Case:
    return case(world(rules), request(new, **more))


def judge(
    rules: Group, new: Pod, *held: Reservation, folded: dict[str, int] | None = None, **more: Any
) -> Verdict:
    return admission.decide(asked(rules, new, **more), Book(Ledger(folded=folded or {}, reservations=held)))


def codes(judged: Verdict) -> list[str]:
    return [cause.code for cause in judged.causes]


def texts(judged: Verdict) -> list[str]:
    return [cause.text for cause in judged.causes if isinstance(cause, Refused)]


def test_a_pod_that_fits_is_allowed_with_its_reservation() -> None:
    judged = judge(STUDENT, pod("a", gpu=1, cpu=1))
    assert (judged.allowed, judged.causes, judged.nearly) == (True, (), ())
    assert judged.reservation == Reservation(
        "uid-a",
        "lab",
        "a",
        "",
        {},
        {"pods": 1, "gpu": 1, "requests.cpu": 1000, "limits.cpu": 1000},
    )


def test_the_pod_that_goes_over_is_refused_with_all_that_it_exceeds() -> None:
    judged = judge(STUDENT, pod("d", gpu=2, cpu=1), create("c", gpu=1), folded={"gpu": 1, "pods": 3})
    assert not judged.allowed
    assert judged.open_reservations == 1
    assert sorted(judged.causes, key=lambda cause: cause.code) == [
        Exceeded("AGGREGATE_GPU_QUOTA_EXCEEDED", "gpu", 2, 2, 3, SOURCE, in_flight=1),
        Exceeded("AGGREGATE_PODS_QUOTA_EXCEEDED", "pods", 1, 3, 3, SOURCE),
    ]


def test_the_aggregate_is_named_before_the_layer_of_one_pod() -> None:
    assert codes(judge(STUDENT, pod("a", gpu=3), folded={"gpu": 1})) == [
        "AGGREGATE_GPU_QUOTA_EXCEEDED",
        "USER_AT_LIMIT",
    ]
    assert codes(judge(STUDENT, pod("a", gpu=3))) == ["USER_AT_LIMIT"]


def test_at_80_per_cent_the_verdict_names_what_is_held_now() -> None:
    judged = judge(STUDENT, pod("a", gpu=1), folded={"gpu": 2, "pods": 1})
    assert judged.allowed
    assert judged.nearly == (Exceeded("", "gpu", 1, 3, 3, SOURCE),)


def test_a_replay_is_allowed_again_without_a_second_charge_even_at_the_limit() -> None:
    first = asked(STUDENT, pod("a", gpu=2))
    book = Book(Ledger(folded={"gpu": 1, "pods": 2}))
    allowed = admission.decide(first, book)
    assert allowed.reservation is not None
    book.join(allowed.reservation)
    assert admission.decide(first, book) == admission.ALLOWED
    assert codes(admission.decide(asked(STUDENT, pod("a", uid="other", gpu=3)), book)) == [
        "AGGREGATE_GPU_QUOTA_EXCEEDED",
        "USER_AT_LIMIT",
    ]


def test_a_second_create_of_a_name_is_charged_only_for_what_it_asks_more() -> None:
    held = create("a", "first", gpu=2, pods=1)
    assert judge(STUDENT, pod("a", uid="second", gpu=2), held, folded={"gpu": 1, "pods": 2}).allowed
    assert codes(judge(STUDENT, pod("b", uid="second", gpu=2), held, folded={"gpu": 1, "pods": 2})) == [
        "AGGREGATE_GPU_QUOTA_EXCEEDED",
        "AGGREGATE_PODS_QUOTA_EXCEEDED",
    ]


def test_a_resize_is_compared_by_what_it_adds() -> None:
    small, large = pod("a", version="7", cpu=2), pod("a", version="7", cpu=5)
    judged = judge(STUDENT, large, old=small, folded={"requests.cpu": 5000})
    assert judged.allowed
    assert judged.reservation is not None
    assert judged.reservation.version == "7"
    assert judged.reservation.before["requests.cpu"] == 2000
    assert judged.reservation.after["requests.cpu"] == 5000
    refused = judge(STUDENT, large, old=small, folded={"requests.cpu": 5001})
    assert refused.causes == (
        Exceeded("AGGREGATE_CPU_QUOTA_EXCEEDED", "requests.cpu", 3000, 5001, 8000, SOURCE),
    )


def test_a_resize_that_takes_less_is_never_refused_and_reserves_nothing() -> None:
    small, large = pod("a", version="7", cpu=2, gpu=3), pod("a", version="7", cpu=5, gpu=3)
    found = asked(STUDENT, small, old=large)
    assert not found.needs_ledger
    assert (
        admission.decide(found, Book(Ledger(folded={"requests.cpu": 99_000, "gpu": 9}))) == admission.ALLOWED
    )


def test_a_resize_while_above_the_limit_of_something_else_is_allowed() -> None:
    small, large = pod("a", version="7", cpu=1, gpu=1), pod("a", version="7", cpu=2, gpu=1)
    assert judge(STUDENT, large, old=small, folded={"gpu": 9, "pods": 9, "requests.cpu": 1000}).allowed


def test_a_pod_that_asks_nothing_of_the_exceeded_resource_passes() -> None:
    assert judge(STUDENT, pod("a", cpu=1), folded={"gpu": 9}).allowed


@pytest.mark.parametrize("enforcement", ["Enforce", "Warn", "Off"])
def test_a_stamp_of_somebody_else_is_refused_whatever_is_enforced(enforcement: str) -> None:
    judged = judge(group(aggregate={"gpu": 3}, enforcement=enforcement), pod("a", owner=BOB), user="alice")
    assert not judged.allowed
    assert judged.reservation is None
    assert judged.causes[0] == Refused(
        "OWNER_FORGED",
        f'the pod is stamped "user:bob", but user:alice creates it; leave annotation {OWNER_ANNOTATION} out',
        f"metadata.annotations[{OWNER_ANNOTATION}]",
    )


def test_a_controller_makes_pods_for_others_and_an_admin_resizes_those_of_others() -> None:
    controller = "system:serviceaccount:kube-system:job-controller"
    assert judge(STUDENT, pod("a", owner=BOB), user=controller).allowed
    found = asked(STUDENT, pod("a", version="7", cpu=2), old=pod("a", version="7", cpu=1), user="admin")
    assert (found.owner, found.user_groups, found.refusals) == (ALICE, None, ())


def test_the_owner_of_a_resize_is_that_of_the_stored_pod() -> None:
    stored, forged = pod("a", version="7", owner=BOB), pod("a", version="7", owner=ALICE, cpu=1)
    assert asked(STUDENT, forged, old=stored).owner == BOB


def test_a_suspended_owner_makes_no_pods_and_shrinks_them_still() -> None:
    of = world(STUDENT, override("gone", suspended=True))
    refused = admission.decide(case(of, request(pod("a"))), Book(EMPTY))
    assert codes(refused) == ["OWNER_SUSPENDED"]
    assert texts(refused) == ["user:alice is suspended by ResourceLimitOverride/gone; ask who approved it"]
    shrink = request(pod("a", version="7", cpu=1), old=pod("a", version="7", cpu=2))
    assert admission.decide(case(of, shrink), Book(EMPTY)).allowed


def test_a_gpu_that_nobody_can_count_is_refused_by_name() -> None:
    judged = judge(STUDENT, pod("a", **{"nvidia.com/hyper": 1}))
    assert judged.causes == (
        Refused(
            "UNKNOWN_GPU_RESOURCE",
            'nobody has priced the GPU resource "nvidia.com/hyper"; use a resource that the nodes offer',
            "spec.containers[].resources.limits[nvidia.com/hyper]",
        ),
    )


def test_a_whole_gpu_is_refused_where_slices_alone_are_allowed() -> None:
    slices = group(aggregate={"gpu": 3}, allowWholeGPU=False)
    judged = judge(slices, pod("a", gpu=1))
    assert codes(judged) == ["WHOLE_GPU_NOT_ALLOWED"]
    assert texts(judged) == [
        f"user:alice may use MIG slices only ({SOURCE}), and the pod asks for nvidia.com/gpu"
    ]
    assert judge(slices, pod("a", mig=1)).allowed
    assert judge(slices, pod("a", version="7", gpu=1, cpu=2), old=pod("a", version="7", gpu=1, cpu=1)).allowed


def test_a_limited_key_that_is_left_unset_is_asked_for_by_the_containers_name() -> None:
    strict = group(aggregate={"cpu": 8, "gpu": 3}, perPod={"limits.memory": "1Gi"}, whenUnset="Refuse")
    judged = judge(strict, pod("a", gpu=1))
    assert judged.causes == (
        Refused(
            "REQUEST_REQUIRED",
            "requests.cpu is limited for user:alice; set resources.requests.cpu for: main",
            "spec.containers[].resources.requests.cpu",
        ),
        Refused(
            "REQUEST_REQUIRED",
            "limits.memory is limited for user:alice; set resources.limits.memory for: main",
            "spec.containers[].resources.limits.memory",
        ),
    )
    assert judge(strict, pod("a", cpu=1, memory="1Gi")).allowed


def test_a_quantity_that_cannot_be_read_is_refused_with_its_place() -> None:
    judged = judge(STUDENT, pod("a", cpu="lots"))
    assert codes(judged) == ["INVALID_REQUEST"]
    assert texts(judged)[0].startswith('container "main": cpu: quantity "lots"')


@pytest.mark.parametrize("enforcement", ["Enforce", "Warn", "Off"])
def test_what_could_not_be_written_is_never_reserved(enforcement: str) -> None:
    rules = group(aggregate={"gpu": 3}, enforcement=enforcement)
    found = asked(rules, pod("a", uid="u;1 2", gpu=1))
    assert not found.is_counted
    judged = admission.decide(found, Book(EMPTY))
    assert judged.reservation is None
    assert texts(judged) == [
        "the pod's uid, name or a resource name holds characters that Kubernetes does not allow there"
    ]
    assert judged.allowed is (enforcement != "Enforce")


def test_under_warn_the_pod_passes_with_the_reasons_and_is_reserved() -> None:
    warning = group(aggregate={"gpu": 3}, enforcement="Warn")
    judged = judge(warning, pod("a", gpu=2), folded={"gpu": 2})
    assert (judged.allowed, judged.warned, codes(judged)) == (True, True, ["AGGREGATE_GPU_QUOTA_EXCEEDED"])
    assert judged.reservation is not None


def test_under_off_nothing_is_judged_and_nothing_reserved() -> None:
    off = group(
        aggregate={"gpu": 1}, perPod={"gpu": 1}, enforcement="Off", whenUnset="Refuse", allowWholeGPU=False
    )
    found = asked(off, pod("a", gpu=5))
    assert not found.needs_ledger
    judged = admission.decide(found, Book(EMPTY))
    assert (judged.allowed, judged.warned, judged.reservation) == (True, False, None)


def test_without_an_aggregate_limit_no_ledger_is_needed_and_one_pod_is_judged_all_the_same() -> None:
    found = asked(group(perPod={"gpu": 1}), pod("a", gpu=2))
    assert not found.needs_ledger
    assert codes(admission.decide(found, Book(EMPTY))) == ["USER_AT_LIMIT"]


def test_a_refusal_that_needs_no_ledger_waits_for_none() -> None:
    found = asked(STUDENT, pod("a", owner=BOB, gpu=9))
    assert not found.needs_ledger


def test_a_static_pod_is_charged_and_never_refused() -> None:
    node = "system:node:gpu-1"
    mirror = pod("a", owner=f"user:{node}", gpu=9, annotations={MIRROR_ANNOTATION: "x"})
    rules = group(
        aggregate={"gpu": 3},
        subjects=[{"kind": "User", "name": node}],
        allowWholeGPU=False,
        perPod={"gpu": 1},
    )
    judged = judge(rules, mirror, user=node, folded={"gpu": 3})
    assert judged.allowed
    assert judged.reservation is not None
    assert judged.reservation.after["gpu"] == 9


def test_the_annotation_of_a_static_pod_is_a_claim_in_anybody_elses_hands() -> None:
    claimed = pod("a", gpu=4, annotations={MIRROR_ANNOTATION: "x"})
    assert codes(judge(STUDENT, claimed)) == ["AGGREGATE_GPU_QUOTA_EXCEEDED", "USER_AT_LIMIT"]
    assert not asked(STUDENT, claimed).is_mirror
    unmarked = asked(STUDENT, pod("a", owner="user:system:node:n"), user="system:node:n")
    assert not unmarked.is_mirror


def test_the_groups_of_the_requester_count_and_others_are_remembered() -> None:
    staff = group("staff", defaultFor=[], subjects=[{"kind": "Group", "name": "staff"}], aggregate={"gpu": 9})
    of = world(STUDENT, staff)
    own = case(of, request(pod("a"), groups=["staff", "other"]))
    assert (own.limits.group, own.user_groups, own.new_groups) == ("staff", ("staff",), True)
    again = case(of, request(pod("a"), groups=["staff"]), known=("staff",))
    assert (again.limits.group, again.new_groups) == ("staff", False)
    left = case(of, request(pod("a"), groups=["other"]), known=("staff",))
    assert (left.limits.group, left.user_groups, left.new_groups) == ("student", (), True)
    by_controller = request(pod("a"), user="system:kube-controller-manager", groups=["staff"])
    assert case(of, by_controller).limits.group == "student"
    remembered = case(of, by_controller, known=("staff",))
    assert (remembered.limits.group, remembered.user_groups, remembered.new_groups) == ("staff", None, False)


def test_new_groups_are_to_be_remembered_even_where_nothing_is_limited() -> None:
    free = group("free", defaultFor=[], subjects=[{"kind": "Group", "name": "staff"}])
    found = case(world(free), request(pod("a"), groups=["staff"]))
    assert found.needs_ledger
    assert not found.is_counted


def test_resources_that_no_limit_names_are_not_kept() -> None:
    judged = judge(STUDENT, pod("a", **{"example.com/fpga": 2}))
    assert judged.reservation is not None
    assert judged.reservation.after == {"pods": 1}


def test_eight_requests_for_one_name_may_be_in_flight_and_no_ninth() -> None:
    eight = [create("a", f"u{number}", gpu=1) for number in range(8)]
    judged = judge(STUDENT, pod("a", uid="ninth", gpu=1), *eight)
    assert codes(judged) == [verdict.TOO_MANY]
    assert texts(judged) == [
        "8 requests for pod lab/a are in flight already; wait until they are stored or given up"
    ]
    assert judge(STUDENT, pod("a", uid="eighth", gpu=1), *eight[:7]).allowed
    assert judge(STUDENT, pod("b", gpu=1), *eight).allowed


def test_a_thousand_requests_of_one_owner_may_be_in_flight_and_no_more() -> None:
    large = group(aggregate={"pods": 5000})
    many = [create(f"p{number}", pods=1) for number in range(1000)]
    judged = judge(large, pod("next"), *many)
    assert texts(judged) == [
        "1000 requests of user:alice are in flight; wait until they are stored or given up"
    ]
    assert judge(large, pod("next"), *many[1:]).allowed


def test_a_pod_of_countless_kinds_of_gpus_takes_no_more_room_in_the_ledger_than_another() -> None:
    odd = {f"nvidia.com/mig-1g.10gb{'.shared' * (number % 2)}": 1 for number in range(2)}
    odd |= {f"nvidia.com/mig-{number}g.{number}gb": 1 for number in range(1, 3000)}
    judged = judge(group(aggregate={"cpu": 8}, enforcement="Warn"), pod("a", **odd))
    assert judged.reservation is not None
    assert judged.reservation.after == {"pods": 1, "gpu": 3001}
    assert set(codes(judged)) == {verdict.UNKNOWN_GPU}


def test_under_warn_the_caps_hold_all_the_same() -> None:
    warning = group(aggregate={"gpu": 3}, enforcement="Warn")
    eight = [create("a", f"u{number}", gpu=1) for number in range(8)]
    assert not judge(warning, pod("a", uid="ninth", gpu=1), *eight).allowed


def test_a_pod_without_a_stamp_is_noticed_and_belongs_to_its_namespace() -> None:
    found = asked(STUDENT, pod("a", owner=None))
    assert (found.stamped, found.owner, found.user_groups) == (False, "namespace:lab", None)
    assert asked(STUDENT, pod("a")).stamped


def test_resizes_of_one_pod_in_flight_are_charged_from_the_lowest_to_the_highest() -> None:
    held = resize(6, {"cpu": 1000}, {"cpu": 6000}, "uid-a")
    larger = judge(
        STUDENT,
        pod("a", version="7", cpu=8),
        held,
        old=pod("a", version="7", cpu=6),
        folded={"requests.cpu": 1000},
    )
    assert larger.allowed
    above = judge(
        STUDENT,
        pod("a", version="7", cpu=9),
        held,
        old=pod("a", version="7", cpu=6),
        folded={"requests.cpu": 1000},
    )
    assert codes(above) == ["AGGREGATE_CPU_QUOTA_EXCEEDED"]
