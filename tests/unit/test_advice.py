"""What is said to whoever creates, scales or changes a workload."""

import json
from typing import Any

import msgspec
import pytest

from labquota.quota import advice, outlook
from labquota.quota.ledger import Ledger
from labquota.quota.limits import Group, Override
from labquota.quota.outlook import Change
from labquota.quota.owners import OWNER_ANNOTATION, Owner
from labquota.quota.workloads import Workload
from unit.builders import ALICE, BOB, NAMES, NOW, group, override, world

SOURCE = "ResourceLimitGroup/student"
_NAMES = {**NAMES, "odd": "nvidia.com/odd"}
STUDENT = group(aggregate={"gpu": 3, "pods": 5}, perPod={"gpu": 2})


def workload(
    spec: dict[str, Any] | None = None, *, owner: str | None = ALICE, status: Any = None, **asks: Any
) -> Workload:
    """A workload as the API server sends it, whose pods ask for something."""
    stamp = {} if owner is None else {OWNER_ANNOTATION: owner}
    wanted = {_NAMES.get(key, key): str(value) for key, value in asks.items()}
    container = {"name": "main", "resources": {"requests": wanted, "limits": wanted}}
    template = {"metadata": {"annotations": stamp}, "spec": {"containers": [container]}}
    made = {
        "metadata": {"name": "train", "annotations": stamp},
        "spec": {"template": template, **(spec or {})},
    }
    return msgspec.json.decode(json.dumps({**made, "status": status or {}}).encode(), type=Workload)


def told(
    resource: str,
    new: Workload,
    old: Workload | None = None,
    *rules: Group | Override,
    replaces: bool = False,
    **folded: int,
) -> list[str]:
    change = Change(resource, "lab", "train", new, old, replaces)
    found = outlook.of(change, world(*(rules or (STUDENT,))), NOW, lambda _owner: (), Ledger(folded=folded))
    return advice.lines(found)


def rolling(replicas: int, surge: int = 0, **spec: Any) -> dict[str, Any]:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": 1}}
    return {"replicas": replicas, "strategy": strategy, **spec}


def test_where_all_pods_will_run_nothing_is_said() -> None:
    assert told("deployments", workload(rolling(3), gpu=1)) == []
    assert told("jobs", workload({"parallelism": 3, "completions": 9}, gpu=1)) == []


def test_of_too_many_replicas_it_is_said_how_many_run_and_why() -> None:
    assert told("deployments", workload(rolling(3), gpu=1), gpu=1, pods=1) == [
        "labquota: 2 of 3 pods of this Deployment will run now, the others when user:alice has room",
        f"labquota: gpu 1 a pod, then 3 of 3 GPU units are used ({SOURCE})",
    ]


def test_what_an_empty_budget_would_not_hold_either_is_said_too() -> None:
    assert told("replicasets", workload({"replicas": 9}, gpu=1), gpu=2, pods=2) == [
        "labquota: 1 of 9 pods of this ReplicaSet will run now, and never more than 3 at once (user:alice)",
        f"labquota: gpu 1 a pod, then 3 of 3 GPU units are used ({SOURCE})",
    ]


@pytest.mark.parametrize("replicas", [0, 1, 5])
def test_a_pod_that_can_never_fit_is_named_with_all_reasons(replicas: int) -> None:
    assert told("deployments", workload({"replicas": replicas}, gpu=4)) == [
        "labquota: no pod of this Deployment can ever run under the limits of user:alice:",
        f"labquota: AGGREGATE_GPU_QUOTA_EXCEEDED: gpu 4 a pod, in all at most 3 GPU units ({SOURCE})",
        f"labquota: USER_AT_LIMIT: gpu 4 a pod, at most 2 GPU units ({SOURCE})",
    ]


def test_so_is_one_that_is_refused_for_what_is_no_amount() -> None:
    assert told("daemonsets", workload(odd=1)) == [
        "labquota: no pod of this DaemonSet can ever run under the limits of user:alice:",
        (
            'labquota: UNKNOWN_GPU_RESOURCE: nobody has priced the GPU resource "nvidia.com/odd"; '
            "use a resource that the nodes offer"
        ),
    ]


def test_no_line_is_longer_than_what_reaches_people() -> None:
    long = Owner(f"user:{'a' * 900}")
    rules = group("g" * 200, aggregate={"gpu": 3})
    lines = told("deployments", workload(rolling(9), owner=long, gpu=1), None, rules)
    assert len(lines) == 2
    assert all(len(line) <= 120 for line in lines)
    assert "user:aaa" in lines[0]


def test_scaling_counts_the_pods_that_there_are() -> None:
    old, new = (workload(rolling(count), status={"replicas": 2}, gpu=1) for count in (2, 4))
    assert told("deployments", new, old, gpu=2, pods=2) == [
        "labquota: 3 of 4 pods of this Deployment will run now, and never more than 3 at once (user:alice)",
        f"labquota: gpu 1 a pod, then 3 of 3 GPU units are used ({SOURCE})",
    ]
    assert told("deployments", new, old, group(aggregate={"gpu": 4}), gpu=2, pods=2) == []


def test_of_pods_that_are_replaced_the_old_ones_make_room() -> None:
    old, new = (workload({"replicas": 1}, status={"replicas": 1}, gpu=count) for count in (2, 2))
    assert told("statefulsets", new, old, gpu=2, pods=1) == []
    larger = workload({"replicas": 1}, gpu=2)
    smaller = workload({"replicas": 1}, status={"replicas": 1}, gpu=1)
    assert told("statefulsets", larger, smaller, gpu=2, pods=2) == []
    assert told("statefulsets", larger, smaller, gpu=3, pods=2) == [
        "labquota: 0 of 1 pods of this StatefulSet will run now, the others when user:alice has room",
        f"labquota: gpu 2 a pod, then 2 of 3 GPU units are used ({SOURCE})",
    ]


def test_a_deployment_at_its_limit_that_could_never_roll_out_is_told_to_use_recreate() -> None:
    line = "labquota: user:alice has no room to roll this Deployment out: set strategy.type to Recreate"
    stuck = workload({"replicas": 3}, gpu=1)
    assert told("deployments", stuck) == [line]
    assert told(
        "deployments", stuck, workload({"replicas": 3}, status={"replicas": 3}, gpu=1), gpu=3, pods=3
    ) == [line]
    assert told("deployments", workload({"replicas": 3, "strategy": {"type": "Recreate"}}, gpu=1)) == []
    assert told("deployments", workload({"replicas": 2}, gpu=1)) == [], "there is room for one beside them"
    assert told("deployments", workload(rolling(3), gpu=1)) == [], "one may be missing"
    assert told("statefulsets", stuck) == [], "it replaces one pod after the other"
    assert told("deployments", stuck, None, group(aggregate={"cpu": 1})) == [], (
        "nothing that it asks for is limited"
    )


def test_where_some_pods_wait_only_who_rolls_out_now_is_told_so() -> None:
    old = workload({"replicas": 3}, status={"replicas": 2}, gpu=1)
    assert len(told("deployments", old, old, gpu=3, pods=3)) == 2
    lines = told("deployments", old, old, replaces=True, gpu=3, pods=3)
    assert lines[2:] == [
        "labquota: user:alice has no room to roll this Deployment out: set strategy.type to Recreate"
    ]


def test_a_roll_out_to_other_pods_is_judged_beside_the_old_ones() -> None:
    old = workload({"replicas": 1}, status={"replicas": 1}, gpu=2)
    assert told("deployments", workload({"replicas": 1}, gpu=1), old, gpu=2, pods=1) == []
    assert told("deployments", workload({"replicas": 1}, gpu=2), old, gpu=2, pods=1) == [
        "labquota: user:alice has no room to roll this Deployment out: set strategy.type to Recreate"
    ]


def test_a_job_is_as_wide_as_what_is_left_to_do() -> None:
    assert told("jobs", workload({"parallelism": 9, "completions": 3}, gpu=1)) == []
    done = workload({"parallelism": 9, "completions": 9}, status={"succeeded": 7, "active": 1}, gpu=1)
    assert told("jobs", done, done, gpu=1, pods=1) == []
    assert told("jobs", workload({"parallelism": 9}, gpu=1))[0] == (
        "labquota: 3 of 9 pods of this Job will run now, and never more than 3 at once (user:alice)"
    )


def test_one_that_makes_no_pods_for_now_is_told_only_what_can_never_run() -> None:
    assert told("jobs", workload({"parallelism": 3, "suspend": True}, gpu=1), gpu=3, pods=3) == []
    assert told("deployments", workload({"replicas": 3, "paused": True}, gpu=1), gpu=3, pods=3) == []
    assert told("jobs", workload({"suspend": True}, gpu=9))[0].startswith(
        "labquota: no pod of this Job can ever run"
    )


def test_of_a_cronjob_it_is_said_what_fits_a_run_whatever_is_held_now() -> None:
    job = {"spec": {"parallelism": 4, "template": msgspec.to_builtins(workload(gpu=1).spec.template)}}
    made = msgspec.convert({"spec": {"schedule": "@daily", "jobTemplate": job}}, Workload)
    assert told("cronjobs", made, gpu=3, pods=3) == [
        "labquota: at most 3 of 4 pods of this CronJob can run at once under the limits of user:alice",
        f"labquota: gpu 1 a pod, then 3 of 3 GPU units are used ({SOURCE})",
    ]


def test_under_warn_it_is_said_what_would_be_refused_and_under_off_nothing() -> None:
    rules: dict[str, Any] = {"aggregate": {"gpu": 3}, "perPod": {"gpu": 2}}
    assert told(
        "deployments", workload({"replicas": 4}, gpu=1), None, group(enforcement="Warn", **rules)
    ) == [
        "labquota would refuse 1 of 4 pods of this Deployment (user:alice)",
        f"labquota: gpu 1 a pod, then 3 of 3 GPU units are used ({SOURCE})",
    ]
    assert told("jobs", workload(gpu=3), None, group(enforcement="Warn", **rules)) == [
        "labquota would refuse every pod of this Job (user:alice):",
        f"labquota: USER_AT_LIMIT: gpu 3 a pod, at most 2 GPU units ({SOURCE})",
    ]
    assert told("jobs", workload(gpu=9), None, group(enforcement="Off", **rules)) == []


def test_it_is_the_budget_of_whom_the_pods_will_belong_to() -> None:
    rules = (STUDENT, override("bobs", BOB, aggregate={"gpu": 1}))
    assert "user:bob" in told("jobs", workload({"parallelism": 2}, owner=BOB, gpu=1), None, *rules)[0]
    old = workload({"parallelism": 1}, owner=BOB, gpu=1)
    new = workload({"parallelism": 2}, owner=ALICE, gpu=1)
    assert "user:bob" in told("jobs", new, old, *rules)[0], "an update changes no owner"
    made = workload({"parallelism": 2}, owner=None, gpu=1)
    limited = group("project", defaultFor=["Namespace"], aggregate={"gpu": 1})
    assert "namespace:lab" in told("jobs", made, None, limited)[0]


def test_a_suspended_owner_is_told_so() -> None:
    assert told("jobs", workload(gpu=1), None, STUDENT, override(suspended=True)) == [
        "labquota: no pod of this Job can ever run under the limits of user:alice:",
        "labquota: OWNER_SUSPENDED: user:alice is suspended by ResourceLimitOverride/deadline; ask who approved it",
    ]
