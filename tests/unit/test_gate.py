import asyncio
import json
import logging
import re
from typing import Any

import pytest
from prometheus_client import REGISTRY

from labquota.api import API_VERSION
from labquota.kube import errors
from labquota.kube.lookups import Lookups
from labquota.quota import owners
from labquota.quota.ledger import Ledger
from labquota.quota.limits import Group
from labquota.webhook.gate import Gate
from labquota.webhook.holders import Holders
from unit.builders import ALICE, BOB, create, group, manifest, override
from unit.replicas import Replica, held, put, replica, where, whose
from unit.simulated import Cluster, Fault, run

STUDENT = group(aggregate={"gpu": 3})
USAGE = f"/apis/{API_VERSION}/ownerusages/{owners.object_name(ALICE)}"


class Door:
    """One replica behind its gate."""

    def __init__(self, *rules: Group, cluster: Cluster | None = None, **more: Any) -> None:
        self.cluster = cluster or Cluster()
        self.replica: Replica = replica(self.cluster, *rules, **more)
        self.gate = self._gate(Holders(self.cluster, self.replica.clock))

    def _gate(self, holders: Holders) -> Gate:
        one = self.replica
        lookups = Lookups(self.cluster, one.clock)
        whom = whose(self.cluster, one)
        return Gate(one.world, one.store, one.admissions, holders, whom, lookups, one.clock, 44)

    async def asks(self, name: str = "a", *, seconds: float = 10, **asks: Any) -> dict[str, Any]:
        """The response to Alice's create of such a pod."""
        asked = {
            "uid": f"review-{name}",
            "operation": "CREATE",
            "namespace": "lab",
            "name": name,
            "dryRun": asks.pop("dry_run", False),
            "userInfo": {"username": asks.pop("user", "alice"), "groups": asks.pop("user_groups", [])},
            "object": manifest(name, **asks),
        }
        return await self.sends(json.dumps({"request": asked}).encode(), seconds)

    async def resizes(
        self, name: str, old: dict[str, Any], new: dict[str, Any], **user: Any
    ) -> dict[str, Any]:
        """The response to Alice's resize of such a pod."""
        asked = {
            "uid": f"review-{name}",
            "operation": "UPDATE",
            "subResource": "resize",
            "namespace": "lab",
            "name": name,
            "userInfo": {"username": "alice", "groups": user.get("user_groups", [])},
            "object": manifest(name, version="5", **new),
            "oldObject": manifest(name, version="5", **old),
        }
        return await self.sends(json.dumps({"request": asked}).encode())

    async def sends(self, body: bytes, seconds: float = 10) -> dict[str, Any]:
        answer = json.loads(await self.gate.answer(body, seconds))
        assert answer["kind"] == "AdmissionReview"
        response: dict[str, Any] = answer["response"]
        return response


def counted(metric: str, **labels: str) -> float:
    """A metric of this process as it stands now."""
    return REGISTRY.get_sample_value(metric, labels) or 0.0


def publish(cluster: Cluster, **uses: str) -> None:
    pods = [{"namespace": "lab", "name": "train", "uses": uses}]
    cluster.store(USAGE, {"metadata": {"name": "x"}, "spec": {"owner": ALICE}, "status": {"pods": pods}})


def test_what_fits_is_allowed_and_reserved() -> None:
    async def scenario() -> None:
        door = Door(STUDENT)
        assert await door.asks(gpu=1) == {"uid": "review-a", "allowed": True}
        assert [each.name for each in held(door.cluster).reservations] == ["a"]

    run(scenario())


def test_a_refusal_names_stored_pods_and_those_in_flight_and_is_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> dict[str, Any]:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 2}, reservations=(create("new", gpu=1),)))
        publish(cluster, gpu="2", odd="what")
        return await Door(STUDENT, cluster=cluster).asks("d", gpu=1)

    caplog.set_level(logging.INFO)
    response = run(scenario())
    line = (
        "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 1, used 3 of 3 GPU units (ResourceLimitGroup/student), "
        "0 still fit. Held by lab/train (gpu 2), lab/new (gpu 1). "
        "1 request in flight holds gpu 1 for at most 44 s, then try again. "
        "Delete a pod or let one finish, or ask for less"
    )
    assert response["allowed"] is False
    assert response["status"]["code"] == 403
    assert response["status"]["message"] == line
    assert response["status"]["details"]["name"] == "d"
    assert [cause["reason"] for cause in response["status"]["details"]["causes"]] == [
        "AGGREGATE_GPU_QUOTA_EXCEEDED"
    ]
    (record,) = caplog.records
    assert (record.message, record.__dict__["line"], record.__dict__["owner"]) == (
        "refused",
        line,
        "user:alice",
    )


def test_without_a_published_budget_the_line_does_without_holders() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 3}))
        response = await Door(STUDENT, cluster=cluster).asks(gpu=1)
        assert "Held by" not in response["status"]["message"]

    run(scenario())


def test_holders_that_cannot_be_read_in_time_cost_no_refusal() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 3}))
        door = Door(STUDENT, cluster=cluster)
        cluster.plan("get", Fault(), Fault(wait=None))
        began = asyncio.get_running_loop().time()
        assert (await door.asks(gpu=1))["allowed"] is False
        assert asyncio.get_running_loop().time() - began <= 9.0

    run(scenario())


def test_a_storm_of_refusals_reads_the_holders_once_a_second() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 3}))
        publish(cluster, gpu="3")
        door = Door(STUDENT, cluster=cluster)
        await asyncio.gather(*(door.asks(f"p{number}", gpu=1) for number in range(30)))
        assert cluster.count("get", "ownerusages") == 1
        await asyncio.sleep(1.1)
        await door.asks(gpu=1)
        assert cluster.count("get", "ownerusages") == 2

    run(scenario())


@pytest.mark.parametrize(("on_error", "allowed"), [("Allow", True), ("Deny", False)])
def test_an_outage_is_answered_as_the_group_says_and_is_one_error_in_the_log(
    on_error: str,
    allowed: bool,  # noqa: FBT001  a column of the table
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> dict[str, Any]:
        return await Door(group(aggregate={"gpu": 3}, onError=on_error), folded=False).asks(gpu=1)

    response = run(scenario())
    why = "no operator has folded the cluster yet, so what user:alice holds is not known"
    assert response["allowed"] is allowed
    if allowed:
        assert response["warnings"] == [f"labquota did not check this pod: {why}"]
        assert response["auditAnnotations"] == {"unchecked": why}
    else:
        text = f"BUDGET_UNAVAILABLE: user:alice's budget cannot be checked now ({why}); try again"
        assert response["status"]["message"] == text
        assert "retryAfterSeconds" not in json.dumps(response)
    (record,) = caplog.records
    assert (record.levelname, record.__dict__["owner"], record.__dict__["pod"]) == (
        "ERROR",
        "user:alice",
        "a",
    )
    assert record.__dict__["error"] == why


@pytest.mark.parametrize(("timeout", "latest"), [(10, 9.0), (3, 2.0), (1, 0.5)])
def test_the_answer_leaves_well_before_the_api_servers_deadline(timeout: float, latest: float) -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.plan("get", Fault(wait=None))
        await Door(STUDENT, cluster=cluster).asks(gpu=1, seconds=timeout)
        assert asyncio.get_running_loop().time() <= latest + 0.001

    run(scenario())


def test_what_cannot_be_read_is_refused_with_its_uid_and_logged() -> None:
    async def scenario() -> None:
        door = Door(STUDENT)
        response = await door.sends(b'{"request": {"uid": "abc", "operation": 1')
        assert (response["uid"], response["allowed"]) == ("abc", False)
        assert response["status"]["message"].startswith(
            "INVALID_REQUEST: the AdmissionReview cannot be read: "
        )
        response = await door.asks(cpu="1e999999999")
        assert response["allowed"] in (True, False)
        response = await door.asks(cpu="1e9999999999999999999999")
        assert response["allowed"] is False

    run(scenario())


def test_a_defect_of_ours_refuses_and_never_goes_without_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Holders):
        async def of(self, owner: owners.Owner) -> Any:
            raise ZeroDivisionError(owner)

    async def scenario() -> dict[str, Any]:
        cluster = Cluster()
        put(cluster, Ledger(folded={"gpu": 3}))
        door = Door(STUDENT, cluster=cluster)
        door.gate = door._gate(Broken(cluster, door.replica.clock))  # noqa: SLF001  the same gate with one part broken
        return await door.asks(gpu=1)

    response = run(scenario())
    assert (response["uid"], response["allowed"]) == ("review-a", False)
    assert response["status"]["message"] == (
        "INVALID_REQUEST: this request cannot be judged; the administrator finds the reason in labquota's log"
    )
    assert "ZeroDivisionError" in caplog.text


def test_an_owner_without_limits_asks_no_api_server() -> None:
    async def scenario() -> None:
        door = Door(group(defaultFor=[]))
        assert (await door.asks(gpu=99))["allowed"]
        assert door.cluster.calls == []

    run(scenario())


def test_a_refusal_that_needs_no_ledger_is_given_while_the_api_server_is_away() -> None:
    async def scenario() -> None:
        door = Door(group(aggregate={"gpu": 3}, allowWholeGPU=False), folded=False)
        response = await door.asks(gpu=1)
        assert response["status"]["message"].startswith(
            "WHOLE_GPU_NOT_ALLOWED: user:alice may use MIG slices only"
        )
        assert door.cluster.calls == []

    run(scenario())


def test_under_warn_the_answer_carries_the_reasons() -> None:
    async def scenario() -> None:
        door = Door(group(aggregate={"gpu": 1}, enforcement="Warn"))
        response = await door.asks(gpu=2)
        assert response["allowed"]
        assert response["warnings"][0].startswith(
            "labquota would refuse this: AGGREGATE_GPU_QUOTA_EXCEEDED: "
        )
        assert held(door.cluster).reservations[0].after["gpu"] == 2

    run(scenario())


def test_a_dry_run_gets_the_same_answer_and_leaves_no_trace() -> None:
    async def scenario() -> None:
        door = Door(STUDENT)
        assert (await door.asks(gpu=3, dry_run=True))["allowed"]
        assert not (await door.asks(gpu=4, dry_run=True))["allowed"]
        assert where() not in door.cluster.objects

    run(scenario())


def test_pods_without_end_do_not_make_the_ledger_unreadable() -> None:
    async def scenario() -> None:
        door = Door(group(aggregate={"cpu": 100}))
        storage: dict[str, Any] = {"ephemeral-storage": "9E"}
        for number in range(25):
            assert (await door.asks(f"p{number}", **storage))["allowed"]
        assert (await door.asks("last", cpu=1))["allowed"]

    run(scenario())


@pytest.mark.parametrize(("now", "allowed"), [(2, False), (6, True)])
def test_a_limit_that_is_edited_while_a_request_queues_counts_for_that_request(
    now: int,
    allowed: bool,  # noqa: FBT001  a column of the table
) -> None:
    async def scenario() -> None:
        door = Door(group(aggregate={"gpu": 4}))
        door.cluster.plan("get", Fault(wait=2.0))
        asking = asyncio.create_task(door.asks(gpu=3 if now == 2 else 5))
        await asyncio.sleep(1)
        door.replica.world.put_group(group(aggregate={"gpu": now}))
        response = await asking
        assert response["allowed"] is allowed
        if not allowed:
            line = "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 3, used 0 of 2 GPU units"
            assert response["status"]["message"].startswith(line)

    run(scenario())


def test_an_override_that_ends_while_a_request_queues_does_not_count_for_it() -> None:
    async def scenario() -> None:
        more = override(aggregate={"gpu": 9}, expiresAt="2026-03-01T08:00:01Z")
        door = Door(STUDENT)
        door.replica.world.put_override(more)
        door.cluster.plan("get", Fault(wait=2.0))
        response = await door.asks(gpu=4)
        assert response["status"]["message"].startswith(
            "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 4, used 0 of 3 GPU units"
        )

    run(scenario())


def test_a_pod_whose_namespace_gets_another_owner_while_it_queues_is_reserved_for_that_owner() -> None:
    async def scenario() -> None:
        door = Door(group(aggregate={"gpu": 3}, defaultFor=["User", "Namespace"]))
        door.cluster.plan("get", Fault(wait=2.0))
        maker = "system:serviceaccount:kube-system:replicaset-controller"
        asking = asyncio.create_task(door.asks(gpu=1, owner=None, user=maker))
        await asyncio.sleep(1)
        door.replica.world.put_namespace("lab", {}, {owners.OWNER_ANNOTATION: BOB})
        assert (await asking)["allowed"]
        assert [each.name for each in held(door.cluster, BOB).reservations] == ["a"]
        assert list(door.cluster.objects) == [where(BOB)]

    run(scenario())


STAFF = {"subjects": [{"kind": "Group", "name": "staff"}], "onError": "Deny"}


@pytest.mark.parametrize("broken", ["hangs", "conflicts", "no operator"])
@pytest.mark.parametrize("shrinks", [True, False])
def test_what_no_limit_can_refuse_passes_though_the_groups_of_its_user_cannot_be_remembered(
    broken: str,
    shrinks: bool,  # noqa: FBT001  a row of the table
) -> None:
    async def scenario() -> None:
        limited = {"aggregate": {"cpu": 1}} if shrinks else {}
        door = Door(STUDENT, group("staff", **limited, **STAFF), folded=broken != "no operator")
        conflict = errors.Conflict(409, "Conflict", "modified")
        if broken == "hangs":
            door.cluster.plan("get", Fault(wait=None))
        door.cluster.plan("create", *(Fault(conflict) for _ in range(10_000)))
        if shrinks:
            response = await door.resizes("a", {"cpu": 4}, {"cpu": 2}, user_groups=["staff"])
        else:
            response = await door.asks(gpu=9, user_groups=["staff"])
        assert response == {"uid": "review-a", "allowed": True}
        assert asyncio.get_running_loop().time() <= 2.1

    run(scenario())


def test_the_groups_of_a_user_without_limits_are_remembered() -> None:
    async def scenario() -> None:
        door = Door(STUDENT, group("staff", **STAFF))
        assert (await door.asks(gpu=9, user_groups=["staff"]))["allowed"]
        assert held(door.cluster).groups == ("staff",)
        assert held(door.cluster).reservations == ()

    run(scenario())


def test_a_limit_that_appears_while_groups_are_being_remembered_is_kept() -> None:
    async def scenario() -> None:
        door = Door(STUDENT, group("staff", **STAFF))
        door.cluster.plan("get", Fault(wait=3.0))
        asking = asyncio.create_task(door.asks(gpu=9, user_groups=["staff"]))
        await asyncio.sleep(1)
        door.replica.world.put_group(group("staff", aggregate={"gpu": 8}, **STAFF))
        assert (await asking)["status"]["message"].startswith(
            "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 9, used 0 of 8 GPU units"
        )

    run(scenario())


def test_a_code_is_logged_and_counted_once_however_many_reasons_carry_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        door = Door(group(aggregate={"nvidia.com/gpu": 1, "gpu": 1, "example.com/fpga": 1, "pods": 0}))
        before = counted("labquota_admission_refusals_total", code="AGGREGATE_GPU_QUOTA_EXCEEDED")
        more: dict[str, Any] = {"example.com/fpga": 2}
        await door.asks(gpu=2, **more)
        after = counted("labquota_admission_refusals_total", code="AGGREGATE_GPU_QUOTA_EXCEEDED")
        assert after == before + 1

    caplog.set_level(logging.INFO)
    run(scenario())
    (record,) = caplog.records
    assert record.__dict__["codes"] == [
        "AGGREGATE_GPU_QUOTA_EXCEEDED",
        "AGGREGATE_PODS_QUOTA_EXCEEDED",
        "AGGREGATE_RESOURCE_QUOTA_EXCEEDED",
    ]


@pytest.mark.parametrize(
    ("metric", "rules", "asks", "counts"),
    [
        ("labquota_admission_owners_without_group_total", {"defaultFor": []}, {}, 1),
        ("labquota_admission_owners_without_group_total", {"aggregate": {"gpu": 3}}, {}, 0),
        ("labquota_admission_pods_without_stamp_total", {}, {"owner": None}, 1),
        ("labquota_admission_pods_without_stamp_total", {}, {}, 0),
    ],
)
def test_owners_without_a_group_and_pods_without_a_stamp_are_counted(
    metric: str, rules: dict[str, Any], asks: dict[str, Any], counts: int
) -> None:
    async def scenario() -> None:
        before = counted(metric)
        assert (await Door(group(**rules)).asks(gpu=1, **asks))["allowed"]
        assert counted(metric) == before + counts

    run(scenario())


OLD_SCRIPTS = re.compile("QUOTA_EXCEEDED|USER_AT_LIMIT")


@pytest.mark.parametrize(
    ("rules", "asks", "code"),
    [
        ({"aggregate": {"gpu": 1}}, {"gpu": 2}, "AGGREGATE_GPU_QUOTA_EXCEEDED"),
        ({"aggregate": {"nvidia.com/mig-1g.10gb": 1}}, {"mig": 2}, "AGGREGATE_GPU_QUOTA_EXCEEDED"),
        ({"aggregate": {"cpu": 1}}, {"cpu": 2}, "AGGREGATE_CPU_QUOTA_EXCEEDED"),
        ({"aggregate": {"limits.cpu": 1}}, {"cpu": 2}, "AGGREGATE_CPU_QUOTA_EXCEEDED"),
        ({"aggregate": {"memory": "1Gi"}}, {"memory": "2Gi"}, "AGGREGATE_MEMORY_QUOTA_EXCEEDED"),
        ({"aggregate": {"pods": 0}}, {}, "AGGREGATE_PODS_QUOTA_EXCEEDED"),
        ({"aggregate": {"a.b/c": 1}}, {"a.b/c": 2}, "AGGREGATE_RESOURCE_QUOTA_EXCEEDED"),
        ({"perPod": {"gpu": 1}}, {"gpu": 2}, "USER_AT_LIMIT"),
        ({"perPod": {"cpu": 1}}, {"cpu": 2}, "USER_AT_LIMIT"),
        ({"perPod": {"memory": "1Gi"}}, {"memory": "2Gi"}, "USER_AT_LIMIT"),
    ],
)
def test_scripts_that_look_for_quota_exceeded_or_user_at_limit_find_every_refusal_for_quota(
    rules: dict[str, Any], asks: dict[str, Any], code: str
) -> None:
    response = run(Door(group(**rules)).asks(**asks))
    assert response["status"]["message"].startswith(f"{code}: user:alice asked ")
    assert OLD_SCRIPTS.search(response["status"]["message"])
    assert [cause["reason"] for cause in response["status"]["details"]["causes"]] == [code]


@pytest.mark.parametrize(
    ("rules", "asks", "code"),
    [
        ({"aggregate": {"gpu": 9}, "allowWholeGPU": False}, {"gpu": 2}, "WHOLE_GPU_NOT_ALLOWED"),
        ({"aggregate": {"cpu": 1}, "whenUnset": "Refuse"}, {}, "REQUEST_REQUIRED"),
        ({"aggregate": {"gpu": 9}}, {"gpu": 1, "owner": BOB}, "OWNER_FORGED"),
        ({"aggregate": {"cpu": 1}}, {"cpu": "many"}, "INVALID_REQUEST"),
    ],
)
def test_such_scripts_take_no_other_refusal_for_one_for_quota(
    rules: dict[str, Any], asks: dict[str, Any], code: str
) -> None:
    response = run(Door(group(**rules)).asks(**asks))
    assert response["status"]["message"].startswith(f"{code}: ")
    assert not OLD_SCRIPTS.search(response["status"]["message"])


MIRROR: dict[str, Any] = {"annotations": {"kubernetes.io/config.mirror": "1"}, "user": "system:node:n1"}
TIGHT = group(aggregate={"gpu": 1}, perPod={"gpu": 1}, onError="Deny")


def test_a_static_pods_mirror_is_charged_and_never_refused() -> None:
    async def scenario() -> None:
        door = Door(TIGHT)
        assert await door.asks("m", gpu=2, **MIRROR) == {"uid": "review-m", "allowed": True}
        assert held(door.cluster).reservations[0].after["gpu"] == 2
        line = (await door.asks("a", gpu=1))["status"]["message"]
        assert line.startswith("AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 1, used 2 of 1 GPU units")

    run(scenario())


def test_the_annotation_of_a_mirror_alone_lifts_no_limit() -> None:
    response = run(Door(TIGHT).asks(gpu=2, **{**MIRROR, "user": "alice"}))
    assert response["status"]["message"].startswith("AGGREGATE_GPU_QUOTA_EXCEEDED: ")


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("get", Fault(wait=None)),
        ("create", Fault(wait=None)),
        ("create", Fault(errors.ApiError(422, "Invalid", "no"))),
        ("create", Fault(errors.Conflict(409, "Conflict", "modified"), wait=8.9)),
    ],
)
def test_a_mirror_passes_in_an_outage_and_in_a_queue_too_and_the_log_says_so(
    method: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> dict[str, Any]:
        door = Door(TIGHT)
        door.cluster.plan(method, fault, fault)
        return await door.asks(gpu=2, **MIRROR)

    response = run(scenario())
    assert response["allowed"] is True
    assert response["warnings"][0].startswith("labquota did not check this pod: ")
    assert [(record.message, record.levelname) for record in caplog.records] == [("failed_open", "ERROR")]
