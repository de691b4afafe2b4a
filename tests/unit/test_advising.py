"""Reviews of workloads: every one is let through, with warnings or without."""

import asyncio
import json
import logging
from typing import Any

import pytest

from labquota.kube import errors
from labquota.kube.ledgers import Stored
from labquota.quota.ledger import Ledger
from labquota.quota.limits import Group
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.webhook.advising import Adviser
from labquota.webhook.remembering import Memory
from unit.builders import ALICE, group
from unit.replicas import Replica, replica
from unit.simulated import Cluster, Fault, run

STUDENT = group(aggregate={"gpu": 3})
DEPLOYMENTS = "/apis/apps/v1/namespaces/lab/deployments"
RANGES = "/api/v1/namespaces/lab/limitranges"
UID = "705ab4f5-6393-11e8-b7cc-42010a800002"


class Desk:
    """One replica's adviser."""

    def __init__(self, *rules: Group) -> None:
        self.cluster = Cluster()
        self.replica: Replica = replica(self.cluster, *(rules or (STUDENT,)))
        one = self.replica
        memory = Memory(one.world, one.store, one.admissions, one.clock)
        self.adviser = Adviser(self.cluster, one.world, one.store, memory, one.clock)

    async def asks(
        self, resource: str, new: Any, old: Any = None, *, sub: str = "", until: float = 1.0
    ) -> list[str]:
        """The warnings on a workload that is created, or changed from an old one."""
        request = {
            "uid": UID,
            "operation": "CREATE" if old is None else "UPDATE",
            "resource": {"group": "apps", "version": "v1", "resource": resource},
            "subResource": sub,
            "namespace": "lab",
            "name": "web",
            "object": new,
            "oldObject": old,
        }
        return await self.sends(json.dumps({"request": request}).encode(), until)

    async def sends(self, body: bytes, until: float = 1.0) -> list[str]:
        answer = json.loads(await self.adviser.answer(body, self.replica.clock.monotonic() + until))
        response = answer["response"]
        assert (response["uid"], response["allowed"]) == (UID, True)
        warnings: list[str] = response.get("warnings", [])
        return warnings


def deployment(replicas: int, image: str = "one", **requests: Any) -> dict[str, Any]:
    stamp = {OWNER_ANNOTATION: ALICE}
    container = {"name": "main", "image": image, "resources": {"requests": requests, "limits": requests}}
    template = {"metadata": {"annotations": stamp}, "spec": {"containers": [container]}}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    spec = {"replicas": replicas, "template": template, "strategy": strategy}
    return {
        "metadata": {"name": "web", "uid": "uid-web", "annotations": stamp},
        "spec": spec,
        "status": {"replicas": min(replicas, 3)},
    }


def gpu(replicas: int, **more: Any) -> dict[str, Any]:
    return deployment(replicas, **{"nvidia.com/gpu": "1", **more})


def test_a_deployment_that_is_too_large_is_warned_of_when_it_is_created() -> None:
    lines = run(Desk().asks("deployments", gpu(5)))
    assert lines == [
        "labquota: 3 of 5 pods of this Deployment will run now, and never more than 3 at once (user:alice)",
        "labquota: gpu 1 a pod, then 3 of 3 GPU units are used (ResourceLimitGroup/student)",
    ]
    assert run(Desk().asks("deployments", gpu(2))) == []


def test_what_the_replicas_copy_of_the_ledger_shows_counts() -> None:
    desk = Desk()
    desk.replica.store.changed("MODIFIED", Stored(ALICE, Ledger(folded={"gpu": 2}), "1"), "1")
    assert "1 of 2 pods" in run(desk.asks("deployments", gpu(2)))[0]


def test_a_scale_is_judged_by_the_template_of_what_is_scaled() -> None:
    desk = Desk()
    desk.cluster.store(f"{DEPLOYMENTS}/web", gpu(3))
    desk.replica.store.changed("MODIFIED", Stored(ALICE, Ledger(folded={"gpu": 3}), "1"), "1")
    scale = {"kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 4}}
    lines = run(desk.asks("deployments", scale, {**scale, "spec": {"replicas": 3}}, sub="scale"))
    assert lines[0].startswith("labquota: 3 of 4 pods of this Deployment will run now")


def test_a_status_that_is_behind_is_waited_for_but_not_for_long() -> None:
    async def scenario() -> None:
        desk = Desk()
        desk.replica.store.changed("MODIFIED", Stored(ALICE, Ledger(folded={"gpu": 2}), "1"), "1")
        behind = {**gpu(2), "status": {"replicas": 0}}
        desk.cluster.store(f"{DEPLOYMENTS}/web", behind)
        asyncio.get_running_loop().call_later(0.2, desk.cluster.store, f"{DEPLOYMENTS}/web", gpu(2))
        assert await desk.asks("deployments", {**gpu(3), "status": {}}, behind) == [
            "labquota: user:alice has no room to roll this Deployment out: set strategy.type to Recreate"
        ]
        began = asyncio.get_running_loop().time()
        desk.cluster.store(f"{DEPLOYMENTS}/web", behind)
        assert "1 of 3 pods" in (await desk.asks("deployments", gpu(3), behind))[0], "it has no pods"
        assert asyncio.get_running_loop().time() - began < 0.5

    run(scenario())


def test_only_an_update_that_changes_the_template_is_a_roll_out() -> None:
    desk = Desk()
    desk.cluster.store(f"{DEPLOYMENTS}/web", gpu(5))
    desk.replica.store.changed("MODIFIED", Stored(ALICE, Ledger(folded={"gpu": 3}), "1"), "1")
    told = [run(desk.asks("deployments", new, gpu(5))) for new in (gpu(5), gpu(5, image="two"))]
    assert [len(lines) for lines in told] == [2, 3]
    assert (
        told[1][2]
        == "labquota: user:alice has no room to roll this Deployment out: set strategy.type to Recreate"
    )


def test_what_a_limit_range_will_add_counts() -> None:
    desk = Desk(group(aggregate={"cpu": 4}, whenUnset="Refuse"))
    assert "REQUEST_REQUIRED" in run(desk.asks("deployments", deployment(2)))[1]
    desk.replica.clock.shift += 10
    item = {"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}}
    desk.cluster.store(f"{RANGES}/defaults", {"metadata": {"name": "defaults"}, "spec": {"limits": [item]}})
    assert run(desk.asks("deployments", deployment(2))) == []
    assert "4 of 5 pods" in run(desk.asks("deployments", deployment(5)))[0]
    assert desk.cluster.count("get", "limitranges") == 2, "they are remembered for some seconds"


@pytest.mark.parametrize(
    "error", [errors.Unreachable("cut off"), errors.ApiError(403, "Forbidden", "not you")]
)
def test_what_cannot_be_read_is_no_reason_to_say_anything_wrong(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk()
    desk.cluster.plan("get", Fault(error))
    caplog.set_level(logging.INFO)
    assert run(desk.asks("deployments", gpu(5))) == []
    assert caplog.records[-1].message == "nothing is said about a workload"


def test_an_answer_that_does_not_come_in_time_is_not_waited_for() -> None:
    async def scenario() -> None:
        desk = Desk()
        desk.cluster.plan("get", Fault(wait=None))
        began = asyncio.get_running_loop().time()
        assert await desk.asks("deployments", gpu(5), until=0.7) == []
        assert asyncio.get_running_loop().time() - began == pytest.approx(0.7)

    run(scenario())


@pytest.mark.parametrize(
    "odd",
    [
        {"spec": "none"},
        {"spec": {"replicas": "many"}},
        {"spec": {"replicas": 3, "template": []}},
        {},
        {"spec": {"replicas": 3, "template": {"spec": {"containers": []}}}},
    ],
)
def test_an_odd_workload_is_let_through_without_a_word(odd: dict[str, Any]) -> None:
    assert run(Desk().asks("deployments", odd)) == []
    assert run(Desk().asks("unheard-of", odd)) == []


@pytest.mark.parametrize("body", [b"{}", b"[" * 100_000, b"\xff", b"null"])
def test_a_body_that_is_no_review_is_let_through(body: bytes) -> None:
    desk = Desk()
    answer = json.loads(run(desk.adviser.answer(body, 1.0)))
    assert answer["response"]["allowed"] is True


def test_a_bug_is_let_through_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk()
    monkeypatch.setattr(desk.replica.world, "limits_of", lambda *_: 1 / 0)
    assert run(desk.asks("deployments", gpu(5))) == []
    assert caplog.records[-1].message == "a workload cannot be judged"


def test_a_workload_whose_pods_reach_for_gpus_is_told_at_once() -> None:
    reaches = deployment(1)
    main = reaches["spec"]["template"]["spec"]["containers"][0]
    main["env"] = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]
    first, second = run(Desk().asks("deployments", reaches))
    assert first == "labquota: no pod of this Deployment can ever run under the limits of user:alice:"
    assert second.startswith(
        'labquota: GPU_NOT_REQUESTED: container main sets NVIDIA_VISIBLE_DEVICES to "all" and'
    )
    main["envFrom"] = [{"configMapRef": {"name": "env"}}]
    del main["env"]
    assert run(Desk().asks("deployments", reaches)) == [], "what would have to be read is told by the pods"
