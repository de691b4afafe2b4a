"""One control plane whose only node is real, one labquota on it, and an agent beside the kubelet."""

from collections.abc import Iterator

import pytest

from controlplane import ControlPlane
from harness import World
from node import beside
from node.realnode import RealNode
from node.story import Story
from nvml import Node

MODEL = "A100-SXM4-40GB"
LAYOUT = ("3g.20gb", "2g.10gb", "1g.5gb", "1g.5gb")
"""Of the first GPU; the second is whole, and the third is the tests' to break and to cut anew."""
SPARE = ("4g.20gb",)


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """One control plane without fake nodes; its logs are kept if a test failed."""
    plane = ControlPlane(audited=True).start()
    try:
        yield plane
    finally:
        plane.stop(keep_logs=request.session.testsfailed > 0)


@pytest.fixture(scope="session")
def node(control_plane: ControlPlane, installation: object) -> Iterator[RealNode]:
    """The real node, with labels as NVIDIA's feature discovery writes them, and labquota's agent."""
    assert installation
    gpus = Node(control_plane.folder / "gpus.yaml", name="real")
    gpus.add(MODEL, LAYOUT)
    gpus.add(MODEL)
    gpus.add(MODEL, SPARE)
    gpus.write()
    with RealNode(control_plane, gpus) as started:
        product = {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB", "nvidia.com/mig.strategy": "mixed"}
        control_plane.client.merge(f"/api/v1/nodes/{started.name}", {"metadata": {"labels": product}})
        beside.agent(control_plane, started)
        yield started


@pytest.fixture
def story(world: World, node: RealNode) -> Iterator[Story]:
    """A namespace of the test's own on the node; no device of it is held any more when the next test begins."""
    fresh = Story(world.plane, node, world.namespace())
    yield fresh
    world.close()
    fresh.empty()
