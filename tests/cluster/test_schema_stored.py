"""Objects of labquota's kinds as they are stored, and what people see of them through kubectl.

On a control plane of its own: where an operator runs, it writes what it knows over these, and removes the budgets of
owners who hold nothing.
"""

import re
from datetime import UTC, datetime

import msgspec
import pytest
import yaml

from cluster.schema_objects import Object, Resources, group, ledger, override, path, usage
from controlplane import ControlPlane
from labquota import api

READY = api.Condition(
    type="Ready",
    status="True",
    reason="Compiled",
    message="in force",
    last_transition_time=datetime(2026, 3, 1, 8, 0, tzinfo=UTC),
    observed_generation=1,
)

WRITTEN: list[tuple[Object, msgspec.Struct | None]] = [
    (
        group(
            "schema-a",
            priority=10,
            defaultFor=["User"],
            aggregate={"gpu": 3, "requests.cpu": "96", "requests.memory": "96Gi", "pods": 3},
        ),
        api.ResourceLimitGroupStatus(conditions=(READY,), owners=12, over_limit=1),
    ),
    (group("schema-b", enforcement="Warn", aggregate={"cpu": "500m", "memory": "unlimited"}), None),
    (
        override(
            "schema-a",
            notBefore="2026-03-01T08:00:00Z",
            expiresAt="2026-03-31T18:00:00Z",
            approvedBy="carol",
        ),
        api.ResourceLimitOverrideStatus(phase="Active"),
    ),
    (override("schema-b", owner="namespace:vision"), None),
    (
        usage("schema-a"),
        api.OwnerUsageStatus(
            group="student",
            limits={"gpu": api.UsageLimit(limit="3", source="ResourceLimitGroup/student")},
            used={"gpu": "4", "requests.cpu": "12"},
            reserved={"gpu": "1"},
            summary=api.UsageSummary(
                gpu="4/3", equivalents="1.5/2", cpu="12/96", memory="20Gi/96Gi", pods="2/3", over="gpu"
            ),
            over_limit=("gpu",),
            pods=(api.UsagePod(namespace="vision", name="train-0", uses={"gpu": "2"}),),
        ),
    ),
    (usage("schema-b", owner="namespace:vision"), api.OwnerUsageStatus(conditions=(READY,))),
    (ledger("schema-a", owner="user:alice", ledger="1"), None),
]

TABLES = {
    "rlg": [
        "NAME|DEFAULT FOR|PRIORITY|GPU|CPU|MEMORY|PODS|ENFORCEMENT|OWNERS|OVER LIMIT|READY|AGE",
        'schema-a|["User"]|10|3|96|96Gi|3|Enforce|12|1|True|(age)',
        "schema-b||0||500m|unlimited||Warn||||(age)",
    ],
    "rlo": [
        "NAME|OWNER|PHASE|NOT BEFORE|EXPIRES|APPROVED BY|AGE",
        "schema-a|user:alice|Active|2026-03-01T08:00:00Z|2026-03-31T18:00:00Z|carol|(age)",
        "schema-b|namespace:vision|||||(age)",
    ],
    "ou": [
        "NAME|OWNER|GROUP|GPU|EQUIVALENTS|CPU|MEMORY|PODS|OVER|AGE",
        "schema-a|user:alice|student|4/3|1.5/2|12/96|20Gi/96Gi|2/3|gpu|(age)",
        "schema-b|namespace:vision||||||||(age)",
    ],
    "ol": ["NAME|OWNER|AGE", "schema-a|user:alice|(age)"],
}

EXPLAINED = {
    "rlg.spec.aggregate": "over all of their pods in the whole cluster",
    "rlg.spec.allowWholeGPU": "false allows MIG slices only",
    "resourcelimitoverride.spec.expiresAt": "It ends by the clock, whether or not any controller runs.",
    "ownerusage.status.limits": "Resource key to its limit",
    "ownerledger.ledger": "in a form that only labquota reads",
}


@pytest.fixture(scope="module")
def resources(plane: ControlPlane) -> Resources:
    """Labquota's kinds without labquota, with the objects of `WRITTEN`."""
    resources = Resources(plane)
    for body, status in WRITTEN:
        stored = resources.create(body)
        if status is not None:
            code, answer = resources.put_status({**stored, "status": msgspec.to_builtins(status)})
            assert code == 200, answer["message"]
    return resources


def kubectl(resources: Resources, *arguments: str, stdin: str | None = None) -> str:
    done = resources.plane.kubectl(resources.plane.admin, *arguments, stdin=stdin)
    return done.stdout + done.stderr


def cells(table: str) -> list[str]:
    """The rows of a table of kubectl, cut where its columns begin; ages are all one."""
    lines = table.splitlines()
    starts = [head.start() for head in re.finditer(r"\S+( \S+)*", lines[0])]
    ends = [*starts[1:], None]
    rows = ["|".join(line[a:b].strip() for a, b in zip(starts, ends, strict=True)) for line in lines]
    return [re.sub(r"\|[0-9ms]+$", "|(age)", row) for row in rows]


@pytest.mark.parametrize("short", TABLES)
def test_kubectl_get_shows_the_columns(resources: Resources, short: str) -> None:
    names = [row.split("|")[0] for row in TABLES[short][1:]]
    assert cells(kubectl(resources, "get", short, *names)) == TABLES[short]


def test_the_category_shows_what_people_read_and_not_the_ledgers(resources: Resources) -> None:
    kinds = {line.split(".")[0] for line in kubectl(resources, "get", "labquota", "-o", "name").splitlines()}
    assert kinds == {"resourcelimitgroup", "resourcelimitoverride", "ownerusage"}


@pytest.mark.parametrize("field", EXPLAINED)
def test_kubectl_explain_knows_every_kind(resources: Resources, field: str) -> None:
    assert EXPLAINED[field] in " ".join(kubectl(resources, "explain", field).split())


def test_kubectl_apply_refuses_an_unknown_field(resources: Resources) -> None:
    manifest = yaml.safe_dump(group("schema-c", agregate={"gpu": 1}))
    assert 'unknown field "spec.agregate"' in kubectl(resources, "apply", "-f", "-", stdin=manifest)


def test_an_applied_group_can_be_edited_by_apply(resources: Resources) -> None:
    for gpus in (1, 2):
        manifest = yaml.safe_dump(
            group("schema-c", subjects=[{"kind": "User", "name": "a"}], aggregate={"gpu": gpus})
        )
        kubectl(resources, "apply", "--server-side", "-f", "-", stdin=manifest)
    shown = kubectl(resources, "get", "rlg", "schema-c", "-o", "jsonpath={.spec.aggregate.gpu}")
    resources.delete(group("schema-c"))
    assert shown == "2"


STATUS: list[tuple[Object, msgspec.Struct]] = [
    (group(), api.ResourceLimitGroupStatus()),
    (
        group(),
        api.ResourceLimitGroupStatus(conditions=(READY,), observed_generation=1, owners=12, over_limit=1),
    ),
    (
        override(),
        api.ResourceLimitOverrideStatus(phase="Expired", conditions=(READY,), observed_generation=3),
    ),
    (usage(), api.OwnerUsageStatus()),
]


@pytest.mark.parametrize(("body", "status"), STATUS)
def test_what_the_operator_writes_passes_its_own_schema(
    resources: Resources, body: Object, status: msgspec.Struct
) -> None:
    stored = resources.create(body)
    code, answer = resources.put_status({**stored, "status": msgspec.to_builtins(status)})
    resources.delete(body)
    assert code == 200, answer["message"]
    assert msgspec.convert(answer["status"], type(status)) == status


def test_a_budget_never_changes_hands(resources: Resources) -> None:
    stored = resources.create(usage())
    stored["spec"]["owner"] = "user:bob"
    status, answer = resources.client.call("PUT", path(stored), stored)
    resources.delete(stored)
    assert status == 422
    assert "spec.owner" in answer["message"]
    assert "cannot be changed: an OwnerUsage belongs to one owner for good" in answer["message"]
