"""Whatever body comes, the answer is an AdmissionReview that allows what was judged or refuses with a code.

Nothing here is an outage: API server and operator are there, so no input may be answered as if they were not.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile import cases
from labquota.kube.lookups import Lookups
from labquota.quota import encoding
from labquota.webhook import review
from labquota.webhook.gate import Gate
from labquota.webhook.holders import Holders
from labquota.webhook.review import Unreadable
from unit import simulated
from unit.builders import group
from unit.replicas import replica, whose
from unit.simulated import Cluster

REAL = {name: raw for name, raw in cases.REVIEWS.items() if name.endswith(".json")}
LIMITS = {"gpu": 8, "requests.cpu": "64", "requests.memory": "256Gi", "pods": 20, "nvidia.com/mig-1g.10gb": 4}


class Asked:
    """A gate of its own for one review, the answer in parts, and the ledgers afterwards."""

    def __init__(self, body: bytes, enforcement: str = "Enforce") -> None:
        self.cluster = Cluster()
        one = replica(self.cluster, group(aggregate=LIMITS, perPod={"gpu": 8}, enforcement=enforcement))
        holders = Holders(self.cluster, one.clock)
        lookups = Lookups(self.cluster, one.clock)
        whom = whose(self.cluster, one)
        gate = Gate(one.world, one.store, one.admissions, holders, whom, lookups, one.clock, 44)
        answer = json.loads(simulated.run(gate.answer(body, 10)))
        assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
        self.response: dict[str, Any] = answer["response"]
        self.allowed = self.response["allowed"]
        self.said = [*self.response.get("warnings", ()), self.response.get("status", {}).get("message", "")]

    def check(self, body: bytes) -> None:
        """What holds of every answer."""
        assert not any("did not check" in line or "cannot be judged" in line for line in self.said), self.said
        try:
            request = review.decode(body)
        except Unreadable as error:
            assert self.allowed is False
            assert self.response["uid"] == error.uid  # noqa: PT017  whether it raises is what is tried
        else:
            assert self.response["uid"] == request.uid
        if self.allowed:
            assert "status" not in self.response
            return
        status = self.response["status"]
        assert (status["code"], status["reason"], status["status"]) == (403, "Forbidden", "Failure")
        causes = [cause["reason"] for cause in status["details"]["causes"]]
        assert causes
        assert status["message"].startswith(causes[0])
        assert len(status["message"]) < 8_000
        assert not any("/ownerledgers/" in path for path in self.cluster.objects), "a refusal writes nothing"


@pytest.fixture(autouse=True)
def quietly(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is logged as a fault of labquota's own or as an outage."""
    caplog.set_level("ERROR", logger="labquota")
    yield
    assert [record.message for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


@pytest.mark.parametrize("name", cases.REVIEWS)
def test_a_kept_review_is_allowed_or_refused_with_its_uid(name: str) -> None:
    body = cases.REVIEWS[name]
    Asked(body).check(body)


@pytest.mark.parametrize("name", [name for name in REAL if name != "delete.json"])
def test_a_review_of_a_real_api_server_is_judged_and_never_called_unreadable(name: str) -> None:
    asked = Asked(REAL[name])
    assert asked.allowed or "INVALID_REQUEST" not in asked.said[-1]
    assert asked.response["uid"] == json.loads(REAL[name])["request"]["uid"]


def test_the_pod_that_is_charged_is_the_one_that_the_api_server_made_of_the_same_keys_twice() -> None:
    """It was sent with two specs. Go's decoder merges them: CPU of the second, memory and GPUs of the first."""
    asked = Asked(REAL["create-twice.json"])
    (ledger,) = (item["ledger"] for path, item in asked.cluster.objects.items() if "/ownerledgers/" in path)
    (reserved,) = encoding.decode(ledger).reservations
    cpu = {"requests.cpu": 1000, "limits.cpu": 1000}
    assert reserved.after == {"gpu": 7, "pods": 1, "requests.memory": 7 << 30, **cpu}


@settings(max_examples=1_000 * cases.SCALE, deadline=None)
@given(cases.bytes_like(list(cases.REVIEWS.values())), st.sampled_from(["Enforce", "Warn"]))
def test_a_body_with_any_bytes_changed_is_answered(body: bytes, enforcement: str) -> None:
    with cases.keeping(body):
        Asked(body, enforcement).check(body)


@settings(max_examples=1_000 * cases.SCALE, deadline=None)
@given(cases.trees_like(list(REAL.values())), st.sampled_from(["Enforce", "Warn"]))
def test_a_review_with_any_values_exchanged_is_answered(body: bytes, enforcement: str) -> None:
    with cases.keeping(body):
        asked = Asked(body, enforcement)
        asked.check(body)
    request = json.loads(body).get("request")
    uid = request.get("uid") if isinstance(request, dict) else None
    if isinstance(uid, str) and uid.isascii() and uid.replace("-", "").isalnum() and len(uid) <= 64:
        assert asked.response["uid"] == uid, (
            "without its uid the API server takes no answer, and opens the gate"
        )


@settings(max_examples=200 * cases.SCALE, deadline=None)
@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: msgspec.json.encode({"request": text}))
)
def test_what_was_never_a_review_is_refused(body: bytes) -> None:
    asked = Asked(body)
    asked.check(body)
    assert asked.allowed is False


@pytest.mark.parametrize("depth", [100, 900, 1_100, 10_000, 1_000_000])
@pytest.mark.parametrize("way", ["objects", "arrays", "never closed"])
def test_nesting_of_any_depth_is_answered_with_the_uid(depth: int, way: str) -> None:
    opened, closed = {"objects": (b'{"a":', b"}"), "arrays": (b"[", b"]"), "never closed": (b"[", b"")}[way]
    body = REAL["create.json"].replace(
        b'"metadata":{', b'"metadata":{"deep":%b,' % (opened * depth + b"1" + closed * depth), 1
    )
    began = time.process_time()
    asked = Asked(body)
    asked.check(body)
    assert asked.response["uid"] == json.loads(REAL["create.json"])["request"]["uid"]
    assert asked.allowed or asked.said[-1].startswith("INVALID_REQUEST: ")
    assert time.process_time() - began < 1.0
