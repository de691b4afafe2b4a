"""Fixtures that several stages share: one control plane and one labquota for the whole run, a world for each test."""

import os
from collections.abc import Iterator

import pytest

from controlplane import ControlPlane
from harness import AUDIT_SECONDS, CREATE_SECONDS, OWNERS, Installation, World

_FULL_ALONE = ("test_demo.py", "test_soak.py")
"""Minutes of what `make demo` and `make soak` show as well."""
_ALWAYS = "test_stamp_"
"""Files whose tests run without policies in every run; the others only in `make test-full`."""


_SHARED = frozenset({"control_plane", "stamping"})
"""Fixtures of the control plane that most tests share."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--planes",
        choices=("shared", "own"),
        help="only tests on the control plane that most share, or only those that start one of their own or need none",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to `make test-full` (FULL=1) what takes long and says little more; and to its lane what has another."""
    full, planes = os.environ.get("FULL"), config.getoption("--planes")
    left = [
        each
        for each in items
        if (_is_full_alone(each) and not full) or (planes is not None and _planes(each) != planes)
    ]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [each for each in items if each not in set(left)]


def _planes(item: pytest.Item) -> str:
    return "own" if _SHARED.isdisjoint(getattr(item, "fixturenames", ())) else "shared"


def _is_full_alone(item: pytest.Item) -> bool:
    if item.path.name in _FULL_ALONE:
        return True
    of_both = item.path.parent.name == "cluster" and "[webhook" in item.nodeid
    return of_both and not item.path.name.startswith(_ALWAYS)


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """One control plane with two fake GPU nodes; its logs are kept if a test failed."""
    plane = ControlPlane(nodes=2, audited=True).start()
    try:
        yield plane
    finally:
        plane.stop(keep_logs=request.session.testsfailed > 0)


@pytest.fixture(scope="session")
def installation(control_plane: ControlPlane) -> Iterator[Installation]:
    """labquota as shipped (fail-open), two webhook replicas and an operator, which audits all the time.

    It believes some controllers and identity sources (`harness.OWNERS`), which most tests never meet.

    Whatever the tests do, it may find no difference but those that a test makes for an owner called `tampered`.
    """
    settings = {"create_seconds": CREATE_SECONDS, "audit_seconds": AUDIT_SECONDS}
    with Installation(control_plane, settings=settings, owners=OWNERS) as installed:
        yield installed
        log = [each for each in installed.log("operator-0") if each["message"] == "a recount differs"]
        assert [each for each in log if "tampered" not in each["owner"]] == []


@pytest.fixture
def world(installation: Installation, control_plane: ControlPlane) -> Iterator[World]:
    """Fresh names in a cluster with labquota; what the test makes is gone after it."""
    with World(control_plane, installation) as fresh:
        yield fresh
