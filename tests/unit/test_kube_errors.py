import inspect
import json

import pytest

from labquota.kube import errors


def test_the_tree_at_the_top_of_the_module_is_complete() -> None:
    for name, cls in inspect.getmembers(errors, inspect.isclass):
        if issubclass(cls, Exception) and cls.__module__ == errors.__name__:
            assert any(
                line.strip("│├└─ ").split()[:1] == [name] for line in (errors.__doc__ or "").splitlines()
            ), name
            assert cls is errors.KubeError or issubclass(cls, errors.KubeError)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (404, "NotFound", errors.NotFound),
        (409, "AlreadyExists", errors.AlreadyExists),
        (409, "Conflict", errors.Conflict),
        (410, "Gone", errors.Gone),
        (410, "Expired", errors.Expired),
        (403, "Forbidden", errors.ApiError),
        (500, "InternalError", errors.ApiError),
    ],
)
def test_an_answer_becomes_the_error_of_its_status_and_reason(
    status: int, reason: str, kind: type[errors.ApiError]
) -> None:
    body = json.dumps({"kind": "Status", "code": status, "reason": reason, "message": "said so"}).encode()

    found = errors.of_answer(status, body)

    assert type(found) is kind
    assert (found.status, found.reason, found.message, found.retry_after) == (status, reason, "said so", None)
    assert str(found) == f"said so ({status} {reason})"


def test_a_create_that_finds_the_name_taken_is_not_a_conflict_to_retry() -> None:
    assert not issubclass(errors.AlreadyExists, errors.Conflict)


def test_the_time_to_wait_comes_from_the_status_or_from_the_header() -> None:
    told = json.dumps({"code": 429, "message": "m", "details": {"retryAfterSeconds": 7}}).encode()

    assert errors.of_answer(429, told).retry_after == 7
    assert errors.of_answer(429, b"too many", retry_after="3").retry_after == 3
    assert errors.of_answer(503, b"{}", retry_after="Wed, 21 Oct 2026 07:28:00 GMT").retry_after is None


def test_an_answer_that_is_no_status_is_quoted() -> None:
    found = errors.of_answer(502, b"<html>Bad Gateway \xff</html>\n")

    assert str(found) == "<html>Bad Gateway �</html> (502)"
    assert errors.of_answer(500, b"").message == "the API server answered 500 without a word"


def test_only_failures_that_leave_the_outcome_open_may_have_happened() -> None:
    assert errors.Unreachable("reset").may_have_happened
    assert errors.of_answer(504, b"").may_have_happened
    assert not errors.of_answer(409, b"").may_have_happened


def test_passing_failures_are_those_that_the_same_call_may_survive() -> None:
    assert errors.passing(errors.Unreachable("reset"))
    assert errors.passing(errors.of_answer(429, b""))
    assert errors.passing(errors.of_answer(503, b""))
    assert not errors.passing(errors.of_answer(403, b""))
    assert not errors.passing(errors.Lost("gone"))
