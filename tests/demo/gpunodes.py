"""The demo's GPU nodes: whole cards, slices and replicas, labelled and offered as NVIDIA's GPU operator does it.

On each runs a real `labquota agent`. What it looks at is made up below it: an NVML library of our own, which shows the
GPUs of a YAML file, and the socket of a kubelet, which gives these GPUs to the pods that kwok runs.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from demo.shell import Shell, Unexpected
from demo.stage import Stage
from demo.transcript import Transcript
from kubelet import offers
from kubelet.gpunode import GpuNode
from nvml import BuildError

__all__ = ["SHARED", "SLICES", "WHOLE", "at", "start"]

WHOLE, SLICES, SHARED = "gpu-whole", "gpu-slices", "gpu-shared"
REPLICAS = 4
CUTS = (["4g.20gb", "3g.20gb"], ["2g.10gb", "2g.10gb", "1g.5gb", "1g.5gb", "1g.5gb"])
"""What each A100 is cut into."""
_H200, _A100, _L40S = "H200", "A100-SXM4-40GB", "L40S"


def start(stage: Stage) -> dict[str, GpuNode]:
    """Add the three nodes, each with its agent; they end with the stage.

    Returns:
        The nodes by name.

    Raises:
        Unexpected: nothing here can make the library.
        ControlPlaneError: an agent does not start.
    """
    try:
        nodes = [_whole(stage), _slices(stage), _shared(stage)]
    except BuildError as error:
        raise Unexpected("an NVML library that agents can load", str(error)) from None
    for each in nodes:
        each.start(agent=False)
        stage.stack.callback(each.stop)
    with ThreadPoolExecutor() as pool:
        list(pool.map(GpuNode.start_agent, nodes))
    return {each.name: each for each in nodes}


def at(node: GpuNode, transcript: Transcript) -> Shell:
    """A prompt on a node, in the folder of the YAML file with its GPUs."""
    return Shell(node.name, node.folder, {}, transcript)


def _whole(stage: Stage) -> GpuNode:
    return GpuNode(stage.plane, WHOLE, _H200, _H200, alone=False, labels=_labels(_H200, 143771))


def _slices(stage: Stage) -> GpuNode:
    labels = _labels(_A100, 40960) | {"nvidia.com/mig.strategy": "mixed"}
    for profile in {each for cut in CUTS for each in cut}:
        name = f"nvidia.com/mig-{profile}"
        count = sum(cut.count(profile) for cut in CUTS)
        labels |= {f"{name}.product": f"NVIDIA-{_A100}-MIG-{profile}", f"{name}.count": str(count)}
    node = GpuNode(stage.plane, SLICES, _A100, _A100, alone=False, labels=labels)
    for gpu, cut in zip(node.nvml.gpus, CUTS, strict=True):
        node.nvml.cut(gpu, cut)
    return node


def _shared(stage: Stage) -> GpuNode:
    labels = _labels(f"{_L40S}-SHARED", 46068, REPLICAS) | {"nvidia.com/gpu.sharing-strategy": "time-slicing"}
    shared = partial(offers, replicas=REPLICAS)
    return GpuNode(stage.plane, SHARED, _L40S, alone=False, labels=labels, offers=shared)


def _labels(product: str, mebibytes: int, replicas: int = 1) -> dict[str, str]:
    """What GPU feature discovery writes of a node's GPUs."""
    return {
        "nvidia.com/gpu.deploy.client": "true",
        "nvidia.com/gpu.product": f"NVIDIA-{product}",
        "nvidia.com/gpu.memory": str(mebibytes),
        "nvidia.com/gpu.replicas": str(replicas),
    }
