"""`labquota agent` as it runs on a node, beside the real kubelet and NVIDIA's real plugin.

A real pod of its account runs on the node, and the agent calls by the token that the kubelet keeps in that pod: the API
server has written the node's name into it. It runs in the node's namespaces of mounts, network and processes, as a
DaemonSet's pod with hostPID does.
"""

import http.client
import os
import sys
from urllib.parse import urlsplit

from controlplane import ControlPlane, ControlPlaneError, Process
from controlplane.process import wait_until
from harness import installing
from node.pods import pod
from node.realnode import RealNode

__all__ = ["agent"]

ACCOUNT = "labquota-agent"
METRICS = 18080
"""A port of the node's own loopback, where nobody else listens."""


def agent(plane: ControlPlane, node: RealNode) -> Process:
    """Start an agent with the rights that are shipped; returns once its GPUNode is written.

    Raises:
        ControlPlaneError: its pod does not run, or it reports nothing.
    """
    plane.client.apply(installing.load(installing.ROOT / "config" / "install" / "agent.yaml"))
    server = urlsplit(plane.servers[0])
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(installing.ROOT / "operator"),
        "PYTHONUNBUFFERED": "1",
        "KUBERNETES_SERVICE_HOST": str(server.hostname),
        "KUBERNETES_SERVICE_PORT": str(server.port),
        "LABQUOTA_SERVICE_ACCOUNT": _token(plane, node),
        "LABQUOTA_NODE_NAME": node.name,
        "LABQUOTA_METRICS_HOST": "127.0.0.1",
        "LABQUOTA_METRICS_PORT": str(METRICS),
        # Half a minute and five seconds in a real cluster: tests wait for what it sees.
        "LABQUOTA_SCAN_SECONDS": "1",
        "LABQUOTA_POLL_SECONDS": "1",
        **node.gpus.environment(),
    }
    path = f"/apis/labquota.dev/v1alpha1/gpunodes/{node.name}"

    def written() -> bool:
        try:
            status, found = plane.client.call("GET", path)
        except (OSError, http.client.HTTPException):
            return False
        return status == 200 and bool(found.get("status", {}).get("gpus"))

    process = node.box.inside("agent", [sys.executable, "-m", "labquota", "agent"], env, written)
    process.start()
    process.wait_ready(60)
    return process


def _token(plane: ControlPlane, node: RealNode) -> str:
    """The folder in which the kubelet keeps the token of the agent's pod, as it is called inside."""
    collection = f"/api/v1/namespaces/{installing.NAMESPACE}/pods"
    body = pod(
        "agent", installing.NAMESPACE, grace=0, spec={"serviceAccountName": ACCOUNT, "nodeName": node.name}
    )
    made = plane.client.create(collection, body)

    def running() -> bool:
        return bool(plane.client.get(f"{collection}/agent")["status"]["phase"] == "Running")

    if not wait_until(running, 30, every=0.1):
        raise ControlPlaneError(
            f"the agent's pod does not run: {plane.client.get(f'{collection}/agent')['status']}"
        )
    volumes = f"/var/lib/kubelet/pods/{made['metadata']['uid']}/volumes/kubernetes.io~projected"
    return f"{volumes}/{made['spec']['volumes'][0]['name']}"
