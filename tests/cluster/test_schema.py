"""What an admin writes well is accepted, filled in with defaults and read by the code."""

from typing import Any

import msgspec
import pytest
import yaml

from cluster.schema_objects import Object, Resources, group, ledger, override, usage
from controlplane import ControlPlane
from labquota import api
from labquota.quota import resources as quantities

STUDENT = yaml.safe_load("""
apiVersion: labquota.dev/v1alpha1
kind: ResourceLimitGroup
metadata: {name: schema-student}
spec:
  defaultFor: [User]
  priority: 10
  subjects:
  - {kind: User, name: alice}
  - {kind: Group, name: "oidc:students"}
  - {kind: ServiceAccount, namespace: ci, name: runner}
  namespaceSelector: {matchLabels: {team: vision}}
  aggregate:
    gpu: 3
    gpu-equivalents: "2"
    gpu-memory: 80Gi
    requests.cpu: "96"
    requests.memory: 96Gi
    limits.cpu: "192"
    limits.memory: 192Gi
    requests.ephemeral-storage: 500Gi
    pods: 3
    nvidia.com/mig-3g.20gb: 1
  perPod:
    gpu: 2
    requests.memory: 32Gi
  allowWholeGPU: true
  whenUnset: Refuse
  enforcement: Enforce
  onError: Allow
""")

LONG = ".".join(["x" * 60] * 4)

GOOD: dict[str, Object] = {
    "the student group": STUDENT,
    "a group without limits": group(),
    "every owner kind": group(defaultFor=["User", "ServiceAccount", "Namespace"]),
    "a user with a blank in the name": group(subjects=[{"kind": "User", "name": "CN=Jane Doe,O=Lab"}]),
    "two accounts of one name": group(
        subjects=[{"kind": "ServiceAccount", "name": "default", "namespace": ns} for ns in ("a", "b")]
    ),
    "all namespaces": group(namespaceSelector={}),
    "namespaces by expression": group(
        namespaceSelector={
            "matchExpressions": [
                {"key": "example.com/team", "operator": "NotIn", "values": ["", "ops"]},
                {"key": "team", "operator": "Exists"},
            ]
        }
    ),
    "as much as a group can hold": group(
        aggregate={f"{LONG}/x{n}": "9" * 18 for n in range(64)},
        perPod={f"{LONG}/x{n}": "9" * 18 for n in range(64)},
        subjects=[{"kind": "User", "name": f"{n:0512}"} for n in range(1000)],
    ),
    "an override": override(
        aggregate={"gpu": "unlimited"},
        perPod={"gpu": 4},
        allowWholeGPU=True,
        suspended=False,
        notBefore="2026-03-01T08:00:00Z",
        expiresAt="2026-03-01T10:00:00.5+01:30",
        reason="paper deadline",
        approvedBy="carol",
    ),
    "an override of an unknown form of owner": override(owner="alice"),
    "a budget": usage(),
    "a ledger": ledger(owner="user:alice", ledger="1"),
}

AMOUNTS: list[tuple[str, list[str | int]]] = [
    ("gpu", [0, 3, "3", "1k", "unlimited"]),
    ("gpu-equivalents", [2, "0.571", "4/7", "500m", "unlimited"]),
    ("gpu-memory", ["80Gi", "1.5Gi", 1024, "1e9"]),
    ("pods", [0, "10"]),
    ("cpu", ["500m", "0.5", ".5", "1.", "+3", 96, "unlimited", "2E-1", "1e99", "100n"]),
    ("requests.cpu", ["1"]),
    ("limits.memory", ["16Ei", "1.5e3"]),
    ("ephemeral-storage", ["500Gi"]),
    ("limits.ephemeral-storage", ["1Ti"]),
    ("hugepages-2Mi", ["64Mi"]),
    ("requests.hugepages-1Gi", ["2Gi"]),
    ("nvidia.com/gpu", [1]),
    ("requests.nvidia.com/mig-1c.3g.20gb", ["2"]),
    ("nvidia.com/mig-1g.10gb.me.shared", ["unlimited"]),
    ("example.com/FPGA_v1", [1]),
]


@pytest.fixture(scope="module")
def resources(control_plane: ControlPlane) -> Resources:
    return Resources(control_plane)


def decode(answer: Object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(answer), type=getattr(api, answer["kind"]))


def spec(read: Any) -> Any:
    return (read.owner, read.ledger) if isinstance(read, api.OwnerLedger) else read.spec


@pytest.mark.parametrize("name", GOOD)
def test_what_is_written_well_is_accepted_and_read(resources: Resources, name: str) -> None:
    status, answer = resources.dry_run(GOOD[name])
    assert status == 201, answer["message"]
    read = decode(answer)
    _, again = resources.dry_run(msgspec.to_builtins(read))
    assert spec(decode(again)) == spec(read)
    assert read.metadata.name == GOOD[name]["metadata"]["name"]


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in AMOUNTS for value in values])
def test_every_accepted_amount_is_one_that_the_decision_can_read(
    resources: Resources, key: str, value: str | int
) -> None:
    status, answer = resources.dry_run(group(aggregate={key: value}, perPod={key: value}))
    assert status == 201, answer["message"]
    limit = quantities.parse_limit(quantities.canonical(key), value)
    assert (limit is None) == (value == "unlimited")


def test_what_a_group_leaves_out_is_filled_in(resources: Resources) -> None:
    _, answer = resources.dry_run(group())
    assert answer["spec"] == {
        "priority": 0,
        "allowWholeGPU": True,
        "whenUnset": "Refuse",
        "enforcement": "Enforce",
        "onError": "Allow",
    }


def test_what_an_override_leaves_out_stays_as_the_group_says(resources: Resources) -> None:
    _, answer = resources.dry_run(override())
    assert answer["spec"] == {"owner": "user:alice", "suspended": False}
