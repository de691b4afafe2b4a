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


@pytest.fixture
def target(world: World, installation: Installation) -> Iterator[Target]:
    """The webhook's process; it lives, holds little and has logged no fault when the test is over."""
    with Target(world, installation) as one:
        yield one
