"""Fixtures that several stages share: one control plane and one labquota for the whole run, a world for each test."""

from collections.abc import Iterator

import pytest

from controlplane import ControlPlane
from harness import AUDIT_SECONDS, CREATE_SECONDS, OWNERS, Installation, World


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
