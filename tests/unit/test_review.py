import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labquota.webhook import review
from labquota.webhook.review import Unreadable
from unit.builders import manifest

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"


def body(**request: Any) -> bytes:
    whole = {
        "uid": UID,
        "operation": "CREATE",
        "namespace": "lab",
        "name": "a",
        "userInfo": {
            "username": "alice",
            "groups": ["students", "system:authenticated"],
            "extra": {"x": ["y"]},
        },
        "object": manifest("a", gpu=1),
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions"},
        **request,
    }
    return json.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": whole}
    ).encode()


def refused(raw: bytes) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        review.decode(raw)
    return caught.value


def test_a_review_of_a_create_is_read_as_far_as_it_matters() -> None:
    request = review.decode(body(dryRun=True))
    assert (request.uid, request.operation, request.username) == (UID, "CREATE", "alice")
    assert request.groups == ("students", "system:authenticated")
    assert (request.namespace, request.name, request.dry_run, request.old_pod) == ("lab", "a", True, None)
    assert request.pod.metadata.uid == "uid-a"


def test_a_review_of_a_resize_holds_the_pod_before() -> None:
    request = review.decode(
        body(operation="UPDATE", subResource="resize", oldObject=manifest("a", version="7"))
    )
    assert request.old_pod is not None
    assert request.old_pod.metadata.resource_version == "7"


def test_the_pod_before_is_nothing_to_a_create() -> None:
    assert review.decode(body(oldObject=manifest("a"))).old_pod is None


def test_a_generated_name_is_taken_from_the_pod() -> None:
    assert review.decode(body(name="")).name == "a"


@pytest.mark.parametrize(
    ("raw", "uid", "line"),
    [
        (b"", "", "Input data was truncated"),
        (b"hello", "", "JSON is malformed"),
        (b"[]", "", "Expected `object`, got `array`"),
        (b"{}", "", "Object missing required field `request`"),
        (body()[:300], UID, "Input data was truncated"),
        (body() + b"x", UID, "trailing characters"),
        (body(operation="DELETE"), UID, "Invalid enum value 'DELETE' - at `$.request.operation`"),
        (body(object=None), UID, "Expected `object`, got `null` - at `$.request.object`"),
        (body(namespace=7), UID, "Expected `str`, got `int` - at `$.request.namespace`"),
        (
            body(userInfo={"username": ["a"]}),
            UID,
            "Expected `str`, got `array` - at `$.request.userInfo.username`",
        ),
        (body(object={"spec": {"containers": {}}}), UID, "Expected `array`, got `object`"),
        (body(object={"metadata": {"generation": "two"}}), UID, "Expected `int`, got `str`"),
        (body(object={"metadata": {"uid": "\ud800"}}), UID, "surrogate"),
        (body().replace(b'"lab"', b'"l\x00b"'), UID, "invalid character"),
        (body().replace(b'"lab"', b'"l\xffb"'), UID, "utf-8"),
        (body().replace(b'"lab"', b"1e999999"), UID, "Number out of range"),
        (b'{"request": {"uid": "%s", "x": ' % UID.encode() + b"[" * 100_000, UID, "recursion"),
    ],
)
def test_a_body_that_cannot_be_read_is_named_and_its_uid_found(raw: bytes, uid: str, line: str) -> None:
    error = refused(raw)
    assert error.uid == uid
    assert str(error).startswith("the AdmissionReview cannot be read: ")
    assert line in str(error)


def test_of_two_keys_alike_the_last_counts_as_in_the_api_server() -> None:
    twice = body().replace(b'"namespace": "lab"', b'"namespace": "first", "namespace": "second"', 1)
    assert review.decode(twice).namespace == "second"


def test_a_number_of_any_size_is_read() -> None:
    assert review.decode(body(object={"metadata": {"generation": 2**70}})).pod.metadata.generation == 2**70


@given(st.integers(0, len(body())), st.binary(max_size=4))
def test_whatever_becomes_of_a_body_it_is_read_or_refused(at: int, noise: bytes) -> None:
    raw = body()
    for broken in (raw[:at], raw[:at] + noise + raw[at:], raw[:at] + noise + raw[at + len(noise) :]):
        try:
            review.decode(broken)
        except Unreadable as error:
            if at > 200:
                assert error.uid == UID  # noqa: PT017  whether it raises is what is tried


def test_an_allowed_request_is_answered_with_its_uid_and_warnings() -> None:
    assert json.loads(review.allow(UID)) == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": UID, "allowed": True},
    }
    assert json.loads(review.allow(UID, ["mind"]))["response"]["warnings"] == ["mind"]


def test_what_passes_unchecked_is_named_to_the_audit_log() -> None:
    response = json.loads(review.allow(UID, unchecked="no operator"))["response"]
    assert response == {"uid": UID, "allowed": True, "auditAnnotations": {"unchecked": "no operator"}}


def test_a_refusal_is_403_with_its_causes_and_nothing_that_asks_to_try_again() -> None:
    cause = {"reason": "USER_AT_LIMIT", "message": "asked", "field": "gpu"}
    response = json.loads(review.deny(UID, "no", [cause], "a"))["response"]
    assert response == {
        "uid": UID,
        "allowed": False,
        "status": {
            "status": "Failure",
            "code": 403,
            "reason": "Forbidden",
            "message": "no",
            "details": {"name": "a", "kind": "pods", "causes": [cause]},
        },
    }


def test_a_pods_text_never_holds_what_could_not_be_written_again() -> None:
    text = review.decode(body(name="é\u2028")).name
    assert msgspec.json.decode(msgspec.json.encode(text)) == "é\u2028"
