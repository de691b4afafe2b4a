"""One replica for the whole stage: what it takes and how fast it answers is that of one process."""

from collections.abc import Iterator

import pytest

from controlplane import ControlPlane
from harness import CREATE_SECONDS, Installation, World
from hostile.target import Target


@pytest.fixture(scope="session")
def installation(control_plane: ControlPlane) -> Iterator[Installation]:
    """labquota as shipped (fail-open), with one webhook replica and an operator."""
    with Installation(control_plane, replicas=1, settings={"create_seconds": CREATE_SECONDS}) as installed:
        yield installed


@pytest.fixture(scope="session")
def lasting(control_plane: ControlPlane, installation: Installation) -> Iterator[Target]:
    """Users and limits for all tests that leave nothing behind."""
    with World(control_plane, installation) as world:
        yield Target(world, installation)


@pytest.fixture
def target(lasting: Target) -> Iterator[Target]:
    """The webhook's process; it lives, holds little and has logged no fault when the test is over."""
    with lasting as one:
        yield one
