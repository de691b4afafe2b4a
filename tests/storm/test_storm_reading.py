"""What the checker is fed: pods, ledgers and audit lines are read for what they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness import manifests
from labquota.quota import demand, encoding
from labquota.quota.ledger import Ledger, Reservation
from labquota.quota.pods import decode
from storm import charges
from storm.auditing import AuditLogs, read
from storm.checker import LEAST
from storm.history import LedgerSeen, PodSeen, Request
from storm.population import LEAST as FLOOR
from storm.seeing import ledger_seen, pod_seen

META = {"namespace": "ns", "name": "a", "uid": "u1", "resourceVersion": "7"}
STAMPED = {**META, "annotations": {"labquota.dev/owner": "user:ann"}}


def stored(*, phase: str = "Running", **amounts: Any) -> dict[str, Any]:
    made = manifests.pod("a", "ns", **amounts)
    return {"metadata": STAMPED, "spec": made["spec"], "status": {"phase": phase}}


def line(verb: str, *, subresource: str = "", code: int = 201, **fields: Any) -> bytes:
    ref = {"resource": "pods", "namespace": "ns", "name": "a", "apiVersion": "v1", "subresource": subresource}
    status = {"metadata": {}, "code": code, "message": fields.pop("message", "")}
    event = {"kind": "Event", "verb": verb, "objectRef": ref, "responseStatus": status, "requestURI": "/pods"}
    return json.dumps({**event, **fields}, separators=(",", ":")).encode() + b"\n"


ANSWER: dict[str, Any] = {"responseObject": {"kind": "Pod", "metadata": {**META, "generateName": "a-"}}}


def test_what_a_pod_holds_is_added_up_in_base_units() -> None:
    pod = stored(cpu="300m", memory="64Mi", gpu=2, mig={"1g.10gb": 1})
    assert charges.of(pod) == {
        "pods": 1,
        "requests.cpu": 300,
        "limits.cpu": 300,
        "requests.memory": 64 * 2**20,
        "limits.memory": 64 * 2**20,
        "nvidia.com/gpu": 2,
        "nvidia.com/mig-1g.10gb": 1,
        "gpu": 3,
    }
    assert charges.of(stored(cpu=1, phase="Succeeded")) == {}


@pytest.mark.parametrize(
    "amounts", [{"cpu": "100m"}, {"cpu": 2, "memory": "1Gi", "gpu": 1}, {"mig": {"1g.10gb": 2}}]
)
def test_it_is_what_labquota_makes_of_it_too(amounts: dict[str, Any]) -> None:
    pod = stored(**amounts)
    assert charges.of(pod) == demand.held(decode(json.dumps(pod).encode()))


def test_a_container_that_still_runs_with_more_than_is_asked_holds_what_it_runs_with() -> None:
    pod = stored(cpu="1")
    running = {"requests": {"cpu": "3"}, "limits": {"cpu": "3"}}
    pod["status"]["containerStatuses"] = [
        {"name": "main", "allocatedResources": {"cpu": "2"}, "resources": running}
    ]
    assert charges.of(pod) == {"pods": 1, "requests.cpu": 3000, "limits.cpu": 3000}


def test_a_pod_that_is_gone_holds_nothing_whatever_it_was() -> None:
    assert pod_seen(stored(cpu=1)) == PodSeen(
        7, "u1", "ns/a", "user:ann", {"pods": 1, "requests.cpu": 1000, "limits.cpu": 1000}
    )
    assert pod_seen(stored(cpu=1), gone=True) == PodSeen(7, "u1", "ns/a", "user:ann", {}, gone=True)


def test_a_ledger_is_read_with_its_total_and_what_is_reserved() -> None:
    text = encoding.encode(
        Ledger(folded={"pods": 2}, reservations=(Reservation("u9", "ns", "b", "", {}, {"pods": 1}),))
    )
    item = {"metadata": {"resourceVersion": "8"}, "owner": "user:ann", "ledger": text}
    assert ledger_seen(item) == LedgerSeen(8, "user:ann", {"pods": 3}, ("u9",), text)
    assert ledger_seen(item, gone=True).total == {}


def test_a_judged_create_is_known_by_its_pods_uid() -> None:
    assert read(line("create", **ANSWER)) == Request("create", "ns/a", 201, "u1", 7)


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        (
            {"failed-open.validating.webhook.admission.k8s.io/round_0_index_0": "pods.labquota.dev"},
            "pods.labquota.dev gave no answer",
        ),
        ({"pods.labquota.dev/unchecked": "no operator"}, "no operator"),
        ({"authorization.k8s.io/decision": "allow"}, ""),
    ],
)
def test_who_was_let_pass_in_an_outage_is_told_by_the_annotations(
    annotation: dict[str, str], why: str
) -> None:
    found = read(line("create", annotations=annotation, **ANSWER))
    assert found is not None
    assert found.unjudged == why


def test_dry_runs_refusals_and_deletions_are_told_apart() -> None:
    dry = read(line("create", requestURI="/pods?dryRun=All", **ANSWER))
    assert dry is not None
    assert dry.dry_run
    refused = read(line("create", code=403, message="AGGREGATE_PODS_QUOTA_EXCEEDED: …"))
    assert refused == Request("create", "ns/a", 403, message="AGGREGATE_PODS_QUOTA_EXCEEDED: …")
    assert read(line("delete", code=404)) == Request("delete", "ns/a", 404)
    assert read(line("create", subresource="binding")) is None
    assert read(line("create", objectRef={"resource": "leases", "apiGroup": "coordination.k8s.io"})) is None


@pytest.mark.parametrize(("cpu", "verb"), [(FLOOR["cpu"], LEAST), ("300m", "resize")])
def test_a_resize_to_the_least_is_told_from_others(cpu: str, verb: str) -> None:
    patch: dict[str, Any] = {
        "requestObject": manifests.resize({"main": {"cpu": cpu, "memory": FLOOR["memory"]}})
    }
    found = read(line("patch", subresource="resize", code=200, **patch, **ANSWER))
    assert found == Request(verb, "ns/a", 200, "u1", 7)


def test_logs_are_read_once_and_from_where_they_were(tmp_path: Path) -> None:
    log = tmp_path / "audit-0.log"
    log.write_bytes(line("create", **ANSWER))
    logs = AuditLogs(tmp_path)
    with log.open("ab") as more:
        more.write(line("delete", code=200))
        more.write(line("create", code=500)[:40])  # its API server was killed here, and started again
        more.write(line("create", code=409))
        more.write(line("delete", code=404)[:40])  # this one is still being written
    assert [(each.verb, each.code) for each in logs.requests(("ns",))] == [("delete", 200), ("create", 409)]
    assert list(logs.requests(("ns",))) == []


def test_a_log_that_got_another_name_is_read_to_its_end_and_the_new_one_from_its_beginning(
    tmp_path: Path,
) -> None:
    log = tmp_path / "audit-0.log"
    log.write_bytes(10 * line("create", **ANSWER))
    logs = AuditLogs(tmp_path)
    with log.open("ab") as more:
        more.write(line("delete", code=200))
    log.rename(tmp_path / "audit-0-2026-01-01T00-00-00.000.log")
    log.write_bytes(line("delete", code=404))
    assert [each.code for each in logs.requests(("ns",))] == [200, 404]
