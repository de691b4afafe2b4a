"""Every pod asks for the same, and holds the same, to labquota and to Kubernetes.

Kubernetes' side is `PodRequests` and `PodLimits` with the scheduler's options, on the pod as the API server's
defaults leave it. labquota differs on purpose in two things, and only in these:

* amounts that do not fit 64 bits saturate, where MilliValue() and Value() wrap around;
* an infeasible resize is dropped only while its condition speaks of the pod's present generation.
"""

import json
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings

from labquota.quota import demand, pods
from labquota.quota.amounts import Amounts
from labquota.quota.quantities import MAX, MILLI, NANO
from oracle import Answer, Oracle, generate

Manifest = dict[str, Any]
WRITTEN_FINER_THAN_STORED: Manifest = {
    "spec": {
        "resources": {"limits": {"memory": "1Gi"}},
        "containers": [{"name": name, "resources": {"requests": {"cpu": "1n"}}} for name in "ab"],
    },
}
HUGEPAGES_ASKED_FOR_THE_POD: Manifest = {
    "spec": {
        "resources": {"requests": {"hugepages-2Mi": "2Mi"}},
        "containers": [
            {"name": "a", "resources": {"requests": {"cpu": "1"}, "limits": {"hugepages-2Mi": "2Mi"}}}
        ],
    },
    "status": {"resources": {"requests": {"cpu": "3"}}},
}
KEYS = ("requests.cpu", "limits.cpu", "requests.memory", "limits.memory")
REPEATABLE = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))


def key_of(name: str, side: str) -> str | None:
    if "/" in name or side == "limits":
        return (
            name
            if side == "requests"
            else f"limits.{name}"
            if name in {"cpu", "memory", "ephemeral-storage"}
            else None
        )
    return f"requests.{name}"


def expected(answer: Answer) -> Amounts:
    amounts: Amounts = {"pods": 1}
    for side in ("requests", "limits"):
        for name, number in answer[side].items():
            key = key_of(name, side)
            scale, rounded = (MILLI, number["milli"]) if name == "cpu" else (NANO, number["value"])
            exact = -(-int(number["nano"]) // scale)
            if key is None or not exact:
                continue
            if exact <= MAX:
                assert exact == rounded, f"{key}: {number} is not rounded as expected of Kubernetes"
            amounts[key] = min(exact, MAX)
    gpu = sum(amount for key, amount in amounts.items() if key.startswith("nvidia.com/"))
    return {**amounts, "gpu": min(gpu, MAX)} if gpu else amounts


def without_stale_conditions(manifest: Manifest) -> Manifest:
    """Kubernetes looks at the first such condition, of whatever generation it speaks."""
    status = manifest.get("status", {})
    pending = [one for one in status.get("conditions", ()) if one.get("type") == "PodResizePending"]
    generation = manifest.get("metadata", {}).get("generation", 0)
    if not pending or pending[0].get("observedGeneration", 0) == generation:
        return manifest
    kept = [one for one in status["conditions"] if one not in pending]
    return {**manifest, "status": {**status, "conditions": kept}}


def check(manifest: Manifest, mine: Amounts, answer: Answer) -> None:
    said = f"\n{yaml.safe_dump(manifest, sort_keys=False)}\nlabquota:   {mine}\nKubernetes: {answer}"
    assert "error" not in answer, said
    theirs = expected(answer)
    assert mine == theirs, f"{said}\nof which:   {theirs}"


@settings(REPEATABLE, max_examples=1500)
@given(manifest=generate.pods(status=False))
@example(manifest=WRITTEN_FINER_THAN_STORED)
def test_a_pod_asks_for_what_kubernetes_says(oracle: Oracle, manifest: Manifest) -> None:
    mine = demand.asked(pods.decode(json.dumps(manifest).encode()))
    check(manifest, mine, oracle.pod(manifest, held=False))


@settings(REPEATABLE, max_examples=3000)
@given(manifest=generate.pods(status=True))
@example(manifest=HUGEPAGES_ASKED_FOR_THE_POD)
def test_a_pod_holds_what_the_scheduler_says(oracle: Oracle, manifest: Manifest) -> None:
    mine = demand.held(pods.decode(json.dumps(manifest).encode()))
    check(manifest, mine, oracle.pod(without_stale_conditions(manifest), held=True))


@settings(REPEATABLE, max_examples=1000)
@given(manifest=generate.pods(status=False))
def test_a_container_leaves_unset_what_resourcequota_says(oracle: Oracle, manifest: Manifest) -> None:
    missing = demand.unset(pods.decode(json.dumps(manifest).encode()), KEYS)
    parts = [f"{key} for: {','.join(sorted(names))}" for key, names in sorted(missing.items())]
    mine = f"must specify {'; '.join(parts)}" if parts else ""
    theirs = oracle.pod(manifest, held=False, required=KEYS)
    assert mine == theirs["refusal"], f"\n{yaml.safe_dump(manifest)}\nlabquota: {mine}\nKubernetes: {theirs}"
