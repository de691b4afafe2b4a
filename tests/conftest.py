"""Fixtures that several stages share: one control plane and one labquota for the whole run, a world for each test."""

from collections.abc import Iterator

import pytest

from controlplane import ControlPlane
from harness import CREATE_SECONDS, Installation, World


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
    """labquota as shipped (fail-open), two webhook replicas and an operator."""
    with Installation(control_plane, settings={"create_seconds": CREATE_SECONDS}) as installed:
        yield installed


@pytest.fixture
def world(installation: Installation, control_plane: ControlPlane) -> Iterator[World]:
    """Fresh names in a cluster with labquota; what the test makes is gone after it."""
    with World(control_plane, installation) as fresh:
        yield fresh
