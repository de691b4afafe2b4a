"""A hold at the door: read from its review, judged and reserved like a pod, whoever asks twice or only tries."""

import json
from typing import Any

import msgspec

from labquota import api
from labquota.kube.lookups import Lookups
from labquota.quota.owners import Owner
from labquota.webhook import holds
from labquota.webhook.gate import Gate
from labquota.webhook.holders import Holders
from unit.builders import ALICE, group
from unit.keeping import gpu, report
from unit.replicas import Replica, held, replica, whose
from unit.simulated import Cluster, run

DEVICE = {"node": "gpu-1", "gpu": "GPU-1"}


class Door:
    """One replica behind its gate, that knows a node with three whole GPUs."""

    def __init__(self, **aggregate: Any) -> None:
        self.cluster = Cluster()
        self.replica: Replica = replica(self.cluster, group(aggregate=aggregate or {"gpu": 1}))
        one = self.replica
        seen = report(*(gpu(index, memory=81920) for index in range(3)))
        one.world.inventory.put_gpus(msgspec.convert(seen, api.GPUNode))
        holders, lookups = Holders(self.cluster, one.clock), Lookups(self.cluster, one.clock)
        whom = whose(self.cluster, one)
        self.gate = Gate(one.world, one.store, one.admissions, holders, whom, lookups, one.clock, 44)

    async def asks(
        self, name: str = "desk", *devices: Any, owner: str = ALICE, dry_run: bool = False, **spec: Any
    ) -> dict[str, Any]:
        """The response to Alice's create of such a hold."""
        asked = {
            "uid": f"review-{name}",
            "operation": "CREATE",
            "namespace": "lab",
            "name": name,
            "dryRun": dry_run,
            "userInfo": {"username": "alice", "groups": []},
            "object": {
                "metadata": {"name": name, "namespace": "lab", "uid": f"uid-{name}"},
                "spec": {"owner": owner, "devices": list(devices) or [DEVICE], **spec},
            },
        }
        return await self.sends({"request": asked})

    async def sends(self, review: Any) -> dict[str, Any]:
        answer = self.gate.begin(
            json.dumps(review).encode(), 10, self.replica.clock.monotonic(), holds.decode
        )
        response: dict[str, Any] = json.loads(answer if isinstance(answer, bytes) else await answer)[
            "response"
        ]
        return response


def test_a_hold_is_reserved_before_it_is_answered_and_the_next_is_refused() -> None:
    async def scenario() -> None:
        door = Door()
        assert (await door.asks())["allowed"]
        (reservation,) = held(door.cluster).reservations
        assert (reservation.uid, reservation.name, reservation.after) == (
            "uid-desk",
            "gpuallocation/desk",
            {"gpu": 1},
        )
        assert (await door.asks())["allowed"], "a replay is charged already"
        refused = await door.asks("seat")
        assert not refused["allowed"]
        assert refused["status"]["message"].startswith(
            "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 1, used 1 of 1 GPU units (ResourceLimitGroup/student)"
        )
        assert "Held by lab/gpuallocation/desk (gpu 1)" in refused["status"]["message"]
        assert len(held(door.cluster).reservations) == 1

    run(scenario())


def test_a_dry_run_keeps_nothing() -> None:
    async def scenario() -> None:
        door = Door()
        assert (await door.asks(dry_run=True))["allowed"]
        assert held(door.cluster).reservations == ()

    run(scenario())


def test_a_pod_finds_the_hold_in_its_way() -> None:
    async def scenario() -> None:
        door = Door()
        assert (await door.asks())["allowed"]
        judged = await door.replica.judge("train", gpu=1)
        assert [cause.code for cause in judged.causes] == ["AGGREGATE_GPU_QUOTA_EXCEEDED"]

    run(scenario())


def test_whose_a_service_account_is_decides_who_pays() -> None:
    async def scenario() -> None:
        door = Door()
        account = {"metadata": {"name": "ci", "annotations": {"labquota.dev/owner": Owner("user:bob")}}}
        door.cluster.store("/api/v1/namespaces/lab/serviceaccounts/ci", account)
        refused = await door.asks(owner="serviceaccount:lab/ci")
        assert refused["status"]["message"] == (
            "OWNER_FORGED: what serviceaccount:lab/ci holds is charged to user:bob; name that as spec.owner"
        )

    run(scenario())


def test_what_cannot_be_read_is_refused_with_its_uid() -> None:
    async def scenario() -> None:
        refused = await Door().sends({"request": {"uid": "review-1", "object": {"spec": {"devices": 7}}}})
        assert (refused["uid"], refused["allowed"]) == ("review-1", False)
        assert refused["status"]["message"].startswith("INVALID_REQUEST: the AdmissionReview cannot be read")

    run(scenario())
