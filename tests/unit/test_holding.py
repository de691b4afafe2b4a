"""What a hold costs, and why it may be refused: by the device itself, with the codes and limits of pods."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from labquota import api
from labquota.quota import admission, owners, verdict
from labquota.quota.admission import Case, Verdict
from labquota.quota.cases import Hold, Request
from labquota.quota.deviceids import WHOLE
from labquota.quota.ledger import EMPTY, Book, Ending, Ledger
from labquota.quota.limits import Group
from labquota.quota.pods import Metadata, Pod
from labquota.quota.world import World
from unit.builders import NOW, group, world
from unit.keeping import gpu, mig, report

NODE = "gpu-1"


def device(gpu_: int = 0, instance: int = WHOLE) -> api.AllocationDevice:
    """A device of the node, by its place."""
    return api.AllocationDevice(
        node=NODE,
        gpu=f"GPU-{gpu_}",
        gpu_instance=instance,
        compute_instance=WHOLE if instance == WHOLE else 0,
    )


def lab(*rules: Group) -> World:
    """A world with one node: a GPU that is cut in a quarter and two whole ones."""
    of = world(*rules)
    profile = mig(1, profile="3g.40gb") | {"memory": 40448, "gpuSlices": 3, "computeSlices": 3, "size": 4}
    gpus = [gpu(0, profile, memory=81920), gpu(1, memory=81920), gpu(2, memory=81920)]
    seen = report(*gpus)
    resources = [
        {"name": "nvidia.com/mig-3g.40gb", "count": 1, "replicas": 1, "devices": ["MIG-1"]},
        {"name": "nvidia.com/gpu", "count": 2, "replicas": 1, "devices": ["GPU-1", "GPU-2"]},
    ]
    seen["status"]["resources"] = resources
    of.inventory.put_gpus(msgspec.convert(seen, api.GPUNode))
    return of


def request(*devices: api.AllocationDevice, owner: str = "user:alice", **more: Any) -> Request:
    """Alice asks for these to be kept."""
    user = more.pop("user", "alice")
    expires = more.pop("expires", None)
    return Request(
        uid="review",
        operation="CREATE",
        username=user,
        groups=(),
        namespace="lab",
        name="desk",
        pod=Pod(metadata=Metadata(uid="uid-desk", name="desk", namespace="lab")),
        hold=Hold(owner, devices, expires),
        **more,
    )


def examine(of: World, asked: Request) -> Case:
    return admission.examine(asked, of, NOW, lambda _owner: ())


def judge(of: World, asked: Request, ledger: Ledger = EMPTY) -> Verdict:
    return admission.decide(examine(of, asked), Book(ledger, NOW.timestamp()))


def codes(judged: Verdict) -> list[str]:
    return [cause.code for cause in judged.causes]


def test_a_slice_costs_its_points_its_memory_a_unit_and_one_of_its_name() -> None:
    of = lab(
        group(aggregate={"gpu": 5, "gpu-equivalents": 3, "gpu-memory": "500Gi", "nvidia.com/mig-3g.40gb": 1})
    )
    case = examine(of, request(device(0, 1)))
    assert case.reservation.after == {
        "gpu": 1,
        "gpu-compute": 24,
        "gpu-slots": 28,
        "gpu-memory": 40448 * 2**20,
        "nvidia.com/mig-3g.40gb": 1,
    }
    assert case.reservation.name == "gpuallocation/desk", "a pod of that name is another thing"
    assert "pods" not in case.reservation.after


def test_devices_are_added_up_and_one_that_is_named_twice_is_one() -> None:
    of = lab(group(aggregate={"gpu": 5}))
    assert examine(of, request(device(1), device(2), device(1))).reservation.after == {"gpu": 2}


def test_a_hold_over_the_limit_is_refused_with_the_code_of_a_pod() -> None:
    of = lab(group(aggregate={"gpu-equivalents": 1}))
    judged = judge(of, request(device(1), device(0, 1)))
    assert codes(judged) == ["AGGREGATE_GPU_QUOTA_EXCEEDED"]
    assert judge(of, request(device(1))).allowed
    assert codes(judge(of, request(device(1)), Ledger(folded={"gpu-compute": 8, "gpu-slots": 7}))) == [
        "AGGREGATE_GPU_QUOTA_EXCEEDED"
    ]


def test_one_hold_is_as_one_pod_to_the_second_layer() -> None:
    of = lab(group(perPod={"gpu": 1}))
    assert codes(judge(of, request(device(1), device(2)))) == ["USER_AT_LIMIT"]
    assert judge(of, request(device(1))).allowed


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        (
            request(device(7)),
            verdict.UNKNOWN_GPU,
            "no node reports GPU-7 of node gpu-1; kubectl get gpunodes shows what there is",
        ),
        (
            request(device(0, 5)),
            verdict.UNKNOWN_GPU,
            "no node reports GPU-0 5/0 of node gpu-1; kubectl get gpunodes shows what there is",
        ),
        (
            request(device(1), owner="alice"),
            verdict.UNREADABLE,
            'owner "alice" is not of the form user:NAME, serviceaccount:NAMESPACE/NAME or namespace:NAME',
        ),
        (
            request(device(1), expires=NOW - timedelta(seconds=1)),
            verdict.UNREADABLE,
            "spec.expiresAt has passed: it is 2026-03-01T08:00:00Z by now",
        ),
        (
            request(device(1), owner="namespace:course"),
            verdict.FORGED,
            "what namespace:course holds is charged to user:prof; name that as spec.owner",
        ),
    ],
    ids=["gpu", "slice", "nobody", "over", "somebody-elses"],
)
def test_a_hold_of_what_is_not_there_or_not_theirs_is_refused(asked: Request, code: str, text: str) -> None:
    of = lab(group(aggregate={"gpu": 5}))
    of.put_namespace("course", {}, {"labquota.dev/owner": "user:prof"})
    judged = judge(of, asked)
    assert not judged.allowed
    assert [(each.code, each.text) for each in judged.causes if isinstance(each, verdict.Refused)] == [
        (code, text)
    ]


def test_what_a_service_account_holds_is_its_owners() -> None:
    of = lab(group(aggregate={"gpu": 5}))
    asked = msgspec.structs.replace(
        request(device(1), owner="serviceaccount:lab/ci"), owner=owners.parse("user:alice")
    )
    (cause,) = judge(of, asked).causes
    assert isinstance(cause, verdict.Refused)
    assert cause.text == "what serviceaccount:lab/ci holds is charged to user:alice; name that as spec.owner"


def test_who_may_use_slices_only_may_not_hold_a_whole_gpu() -> None:
    of = lab(group(aggregate={"gpu": 5}, allowWholeGPU=False))
    (cause,) = judge(of, request(device(1))).causes
    assert isinstance(cause, verdict.Refused)
    assert (cause.code, cause.text) == (
        "WHOLE_GPU_NOT_ALLOWED",
        "user:alice may use MIG slices only (ResourceLimitGroup/student), and GPU-1 of node gpu-1 is a whole GPU",
    )
    assert judge(of, request(device(0, 1))).allowed


def test_a_hold_that_has_ended_by_the_clock_counts_no_more_whoever_has_yet_to_take_it_out() -> None:
    of = lab(group(aggregate={"gpu": 2}))
    end = int(NOW.timestamp())
    held = Ledger(folded={"gpu": 2}, holds="7", endings=(Ending(end, {"gpu": 1}),))
    assert judge(of, request(device(1)), held).allowed
    held = Ledger(folded={"gpu": 2}, holds="7", endings=(Ending(end + 1, {"gpu": 1}),))
    judged = judge(of, request(device(1)), held)
    assert codes(judged) == ["AGGREGATE_GPU_QUOTA_EXCEEDED"]


def test_a_refusal_does_not_take_what_has_ended_for_requests_in_flight() -> None:
    of = lab(group(aggregate={"gpu": 2}))
    ledger = Ledger(folded={"gpu": 3}, holds="7", endings=(Ending(int(NOW.timestamp()), {"gpu": 1}),))
    (cause,) = judge(of, request(device(1)), ledger).causes
    assert isinstance(cause, verdict.Exceeded)
    assert (cause.used, cause.in_flight, cause.waits) == (2, 0, False)
