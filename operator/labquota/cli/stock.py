"""The GPUs of a cluster, for `labquota explain`: nodes and their agents' reports, as far as the asker may read them."""

from typing import Final

import msgspec

from labquota.api import API_VERSION, GPUNode, ObjectMeta
from labquota.cli import output
from labquota.cli.cluster import Cluster
from labquota.cli.failures import Forbidden
from labquota.kube.errors import NotFound
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.inventory import Inventory

_GPU_NODES: Final = f"/apis/{API_VERSION}/gpunodes"


class _NodeStatus(msgspec.Struct):
    allocatable: dict[str, str | int | float | None] = {}


class _Node(msgspec.Struct):
    metadata: ObjectMeta
    status: _NodeStatus = msgspec.field(default_factory=_NodeStatus)


class _Nodes(msgspec.Struct):
    items: list[_Node] = []


class _GPUNodes(msgspec.Struct):
    items: list[GPUNode] = []


def take(cluster: Cluster, settings: GPUSettings) -> Inventory:
    """What the cluster has. Who may not read nodes gets the prices of any node that an agent reports.

    Raises:
        NoAnswer: The cluster does not answer.
    """
    try:
        nodes = msgspec.json.decode(cluster.get("/api/v1/nodes"), type=_Nodes).items
        found = Inventory(settings)
    except Forbidden as error:
        output.note(f"GPUs are priced as if a pod could run on any node that has them: {error.message}")
        nodes, found = [], Inventory(settings, has_nodes=False)
    for node in nodes:
        found.put_node(node.metadata.name, node.metadata.labels, node.status.allocatable)
    try:
        reported = msgspec.json.decode(cluster.get(_GPU_NODES), type=_GPUNodes).items
    except NotFound:
        reported = []  # a cluster whose labquota is older
    except Forbidden as error:
        output.note(f"what agents report of GPUs is left out: {error.message}")
        reported = []
    for each in reported:
        found.put_gpus(each)
    return found
