"""Fixtures that several stages share."""

from collections.abc import Iterator

import pytest

from controlplane import ControlPlane


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """One control plane with two fake GPU nodes for the whole run; its logs are kept if a test failed."""
    plane = ControlPlane(nodes=2, audited=True).start()
    try:
        yield plane
    finally:
        plane.stop(keep_logs=request.session.testsfailed > 0)
