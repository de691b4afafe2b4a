"""What several files of this stage share, besides the control plane of the whole run."""

from collections.abc import Iterator

import pytest

from controlplane import ControlPlane


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """A control plane of a file's own: what is killed there is nobody else's."""
    own = ControlPlane().start()
    try:
        yield own
    finally:
        own.stop(keep_logs=request.session.testsfailed > 0)
