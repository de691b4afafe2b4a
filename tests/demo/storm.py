"""Two hundred creates at once, answered by both replicas, end at exactly the limit."""

import asyncio
import time
from collections import Counter

from demo.shell import Unexpected
from demo.stage import Stage
from harness import Answer, AsyncClient, manifests, probe

__all__ = ["storm"]

CREATES = 200
LIMIT = 100
REPLICAS = ("webhook-0", "webhook-1")
WEBHOOK = "pods.labquota.dev"


def storm(stage: Stage) -> None:
    stage.transcript.act(f"{CREATES} creates at once through both replicas")
    stage.namespace("workshop")
    stage.admin.run("kubectl apply -f tests/demo/files/workshop.yaml", says=("sam-workshop created",))
    stage.admin.run(
        "kubectl wait --for=jsonpath={.status.phase}=Active resourcelimitoverride/sam-workshop",
        says=("condition met",),
    )
    stage.transcript.say(f"Sam sends {CREATES} pods of one GPU, each over a connection of its own.")
    before = {name: _answered(stage, name) for name in REPLICAS}
    opened = probe.failed_open(stage.plane.client, WEBHOOK)
    began = time.monotonic()
    answers = asyncio.run(_create(stage))
    seconds = time.monotonic() - began
    outcomes = Counter(_outcome(answer) for answer in answers)
    for outcome, count in outcomes.most_common():
        stage.transcript.output(f"{count:4} x {outcome}")
    stage.transcript.output(f"        in {seconds:.1f} s")
    _check(outcomes)
    by_replica = {name: _answered(stage, name) - before[name] for name in REPLICAS}
    for name, answered in by_replica.items():
        stage.transcript.output(f"{answered:4.0f} answered by {name}")
    if sum(by_replica.values()) != CREATES or not all(by_replica.values()):
        raise Unexpected(f"both replicas to have answered, {CREATES} together", str(by_replica))
    passed = probe.failed_open(stage.plane.client, WEBHOOK) - opened
    stage.transcript.output(f"{passed:4} passed without an answer")
    if passed:
        raise Unexpected("no pod to pass without an answer", f"{passed} did")
    stored = len(stage.plane.client.get("/api/v1/namespaces/workshop/pods")["items"])
    if stored != LIMIT:
        raise Unexpected(f"{LIMIT} pods to be stored", f"{stored} are")
    stage.wait_used("user:sam", f"{LIMIT}/{LIMIT}")
    stage["sam"].run("kubectl get ownerusage", says=("user:sam", f"{LIMIT}/{LIMIT}"))


async def _create(stage: Stage) -> list[Answer]:
    """All creates at once, as Sam."""
    pod = manifests.pod("task-", "workshop", generate_name=True, cpu=1, memory="1Gi", gpu=1)
    async with AsyncClient(stage["sam"].user, connections=CREATES) as client:
        return await asyncio.gather(*(client.create_pod(pod) for _ in range(CREATES)))


def _outcome(answer: Answer) -> str:
    if answer.ok:
        return "created"
    codes = " and ".join(sorted(cause["reason"] for cause in answer.causes))
    return f"{answer.status} {codes or answer.message}"


def _check(outcomes: Counter[str]) -> None:
    refused = sum(count for outcome, count in outcomes.items() if "AGGREGATE_GPU_QUOTA_EXCEEDED" in outcome)
    if outcomes["created"] != LIMIT or refused != CREATES - LIMIT:
        expected = f"{LIMIT} to be created and {CREATES - LIMIT} refused with AGGREGATE_GPU_QUOTA_EXCEEDED"
        raise Unexpected(expected, ", ".join(f"{count} x {each}" for each, count in outcomes.items()))


def _answered(stage: Stage, name: str) -> float:
    """How many reviews a replica says that it has answered, whatever the answer."""
    metric = "labquota_admission_requests_total"
    found = stage.installed.metrics(name)
    return sum(value for key, value in found.items() if key.startswith(metric))
