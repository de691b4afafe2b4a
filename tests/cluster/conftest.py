"""What several files of this stage share, besides the control plane of the whole run."""

from collections.abc import Iterator

import pytest

from controlplane import ControlPlane
from harness import CREATE_SECONDS, OWNERS, Installation, World
from kubelet.gpunode import install

_LEFT_OPEN = r"ignore:Exception ignored in. <(socket\.socket|function _SelectorTransport):"
"""The test client's: aiohttp forgets a connection that the API server closes while a large body is being sent."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", f"{_LEFT_OPEN}pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """A control plane of a file's own: what is killed there is nobody else's."""
    own = ControlPlane().start()
    try:
        yield own
    finally:
        own.stop(keep_logs=request.session.testsfailed > 0)


@pytest.fixture(scope="session", params=["policies", "webhook"])
def stamping(request: pytest.FixtureRequest) -> Iterator[tuple[ControlPlane, Installation]]:
    """Owners stamped inside the API server, and by the webhook alone, on one that has no such policies."""
    if request.param == "policies":
        yield request.getfixturevalue("control_plane"), request.getfixturevalue("installation")
        return
    own = ControlPlane(nodes=1, policies=False).start()
    settings = {"create_seconds": CREATE_SECONDS}
    try:
        with Installation(own, settings=settings, owners=OWNERS, policies=False) as installed:
            yield own, installed
    finally:
        own.stop(keep_logs=request.session.testsfailed > 0)


@pytest.fixture
def lab(stamping: tuple[ControlPlane, Installation]) -> Iterator[World]:
    """A world on either; the same must hold in both."""
    with World(*stamping) as fresh:
        yield fresh


@pytest.fixture
def gpu_world(control_plane: ControlPlane) -> Iterator[World]:
    """A world for agents, which need definitions and rights, but neither webhook nor operator."""
    install(control_plane)
    with World(control_plane) as fresh:
        yield fresh
