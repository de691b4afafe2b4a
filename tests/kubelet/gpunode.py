"""One simulated GPU node, whole: a Node that kwok keeps alive, our NVML, a fake kubelet, and a real `labquota agent`.

The agent runs as in its pod: by a token that the API server gives to a pod of that node, with a folder instead of the
host's /proc, and in no network but loopback.
"""

import json
import os
import shutil
import ssl
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from controlplane import ControlPlane, Process, ports, ready
from controlplane.client import Client
from controlplane.nodes import gpu_node
from controlplane.process import wait_until
from harness import Installation, installing, manifests
from kubelet.fake import FakeKubelet
from kubelet.ids import offers
from nvml import CURRENT, Library
from nvml import Node as Nvml

__all__ = ["ALONE", "GpuNode", "install"]

ALONE = "labquota.test/alone"
"""The taint by which no pod comes that does not name the node."""
_GPUNODES = "/apis/labquota.dev/v1alpha1/gpunodes"
_ACCOUNT = "labquota-agent"


def install(plane: ControlPlane) -> None:
    """What agents need: labquota's definitions, and their rights. What is there already stays as it is."""
    paths = [installing.collection(each) for each in installing.definitions()]
    if not all(plane.client.call("GET", path)[0] == 200 for path in paths):
        Installation(plane).apply_definitions()
    folder = installing.ROOT / "config" / "install"
    for name in ("namespace", "agent"):
        plane.client.apply(installing.load(folder / f"{name}.yaml"))


Offers = Callable[[Nvml], Mapping[str, Sequence[str]]]


class GpuNode:
    """Use it with `with`; its Node and everything on it go at the end.

    Args:
        plane: where labquota's definitions and rights are installed.
        name: the node's.
        models: keys of `nvml.MODELS`, one for each GPU; more may be added to `nvml` before the start.
        offers: what the device plugin makes of it; `ids.offers` by default.
        linger: seconds for which the kubelet lists finished pods.
        tells: whether the kubelet writes `allocatedResourcesStatus`.
        labels: more labels of the Node.
        settings: of the agent, by name; it looks every second by default.
        alone: keep the scheduler from putting other pods there.
        library: which driver's NVML.

    Attributes:
        nvml: the GPUs: change and `write()` them.
        kubelet: who has what.
        process: the agent.
    """

    def __init__(
        self,
        plane: ControlPlane,
        name: str,
        *models: str,
        offers: Offers = offers,
        linger: float = 0.0,
        tells: bool = False,
        labels: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        alone: bool = True,
        library: Library = CURRENT,
    ) -> None:
        self.plane, self.name, self._alone = plane, name, alone
        self.folder = Path(tempfile.mkdtemp(prefix="lq-"))  # a socket's path has to be short
        self.proc = self.folder / "proc"
        self.proc.mkdir()
        self.nvml = Nvml(self.folder / "node.yaml", *models, name=name)
        self._offers, self._labels, self._library = offers, dict(labels or {}), library
        self.kubelet = FakeKubelet(
            plane.admin,
            name,
            self.folder / "kubelet.sock",
            lambda: self._offers(self.nvml),
            linger=linger,
            tells=tells,
        )
        self.settings: dict[str, Any] = {"scan_seconds": 1, "poll_seconds": 1, **(settings or {})}
        self.port = ports.free()
        self.process = self._agent()

    def start(self, *, agent: bool = True) -> Self:
        """Return when the agent has written what it found."""
        self.nvml.write()
        self.register()
        self.kubelet.start()
        if agent:
            self.start_agent()
        return self

    def start_agent(self) -> None:
        """Start the agent and wait for its first report."""
        self._account()
        self.process.start()
        self.process.wait_ready(60)

    def stop(self) -> None:
        """End the agent and the kubelet, and take the Node away."""
        self.process.stop()
        self.kubelet.stop()
        client = self.plane.client
        client.delete(f"/api/v1/nodes/{self.name}")
        client.delete(f"{_GPUNODES}/{self.name}")
        client.delete(self._pod(), gracePeriodSeconds=0)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def register(self) -> None:
        """Make the Node, with what the device plugin offers now; again after a change."""
        node = gpu_node(self.name)
        capacity = {
            **{key: value for key, value in node["status"]["capacity"].items() if "nvidia" not in key},
            **{name: str(len(ids)) for name, ids in self._offers(self.nvml).items()},
        }
        node["status"] = {**node["status"], "capacity": capacity, "allocatable": capacity}
        node["metadata"]["labels"] = {
            **node["metadata"]["labels"],
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.count": str(len(self.nvml.gpus)),
            **self._labels,
        }
        if self._alone:
            node["spec"] = {"taints": [{"key": ALONE, "effect": "NoSchedule"}]}
        self.plane.client.apply([node])

    def pod(self, name: str, namespace: str, **fields: Any) -> dict[str, Any]:
        """A pod on this node, past the scheduler; `fields` as in `manifests.pod`."""
        return manifests.pod(
            name, namespace, spec={"nodeName": self.name, **fields.pop("spec", {})}, **fields
        )

    def client(self) -> Client:
        """A client that calls as the agent."""
        tls = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        return Client(self.plane.servers[0], tls, (self.folder / "token").read_text())

    def runs(self, pid: int, pod: str = "", command: str = "python3") -> None:
        """Show a process in the node's /proc: in the pod of a UID, or in none."""
        own = self.proc / str(pid)
        own.mkdir()
        slice_ = f"kubepods-pod{pod.replace('-', '_')}.slice/cri-containerd-{'ab' * 32}.scope"
        path = f"/kubepods.slice/{slice_}" if pod else "/user.slice/user-1000.slice"
        (own / "comm").write_text(f"{command}\n")
        (own / "cgroup").write_text(f"0::{path}\n")

    def stored(self) -> dict[str, Any]:
        """The GPUNode; empty while there is none."""
        status, body = self.plane.client.call("GET", f"{_GPUNODES}/{self.name}")
        return body if status == 200 else {}

    def status(self) -> dict[str, Any]:
        """Its status; empty while there is none."""
        found: dict[str, Any] = self.stored().get("status", {})
        return found

    def condition(self, kind: str) -> tuple[str, str, str]:
        """Status, reason and message of a condition; empty while there is none."""
        for each in self.status().get("conditions", ()):
            if each["type"] == kind:
                return each["status"], each["reason"], each["message"]
        return "", "", ""

    def shows(self, what: Callable[[dict[str, Any]], object], seconds: float = 10) -> dict[str, Any]:
        """Wait until the status is as `what` says; returns it.

        Raises:
            AssertionError: it takes too long.
        """
        assert wait_until(lambda: bool(what(self.status())), seconds), (
            f"not within {seconds:g} s; {self.name} shows {json.dumps(self.status(), indent=1)}\n"
            f"{self.process.tail()}"
        )
        return self.status()

    def calls(self) -> int:
        """How often NVML was called."""
        path = self.folder / "calls"
        return len(path.read_bytes().splitlines()) if path.exists() else 0

    def waits(self, seconds: float) -> None:
        """Let time pass in which nothing is to happen."""
        time.sleep(seconds)

    def holders(self) -> list[tuple[str, str]]:
        """Pod and device of each holder."""
        return [(each["pod"], each["device"]) for each in self.status().get("holders", ())]

    def metrics(self) -> list[str]:
        """The agent's samples, a line each."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            lines: list[str] = answer.read().decode().splitlines()
        return [line for line in lines if not line.startswith("#")]

    def _agent(self) -> Process:
        server = urlsplit(self.plane.servers[0])
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(installing.ROOT / "operator"),
            "PYTHONUNBUFFERED": "1",
            "KUBERNETES_SERVICE_HOST": str(server.hostname),
            "KUBERNETES_SERVICE_PORT": str(server.port),
            **self.nvml.environment(self._library),
            "LABQUOTA_NVML_CALLS": str(self.folder / "calls"),
            "LABQUOTA_SERVICE_ACCOUNT": str(self.folder),
            "LABQUOTA_NODE_NAME": self.name,
            "LABQUOTA_POD_RESOURCES": str(self.kubelet.serving.path),
            "LABQUOTA_PROC": str(self.proc),
            "LABQUOTA_METRICS_HOST": "127.0.0.1",
            "LABQUOTA_METRICS_PORT": str(self.port),
            **{f"LABQUOTA_{key.upper()}": str(value) for key, value in self.settings.items()},
        }
        argv = [*_unprivileged(), sys.executable, "-m", "labquota", "agent"]
        return Process(
            f"agent-{self.name}", argv, logs=self.plane.logs, env=env, ready=ready.over_http(self.port)
        )

    def _account(self) -> None:
        """A token bound to a pod that runs on this node, as the kubelet mounts it."""
        where = f"/api/v1/namespaces/{installing.NAMESPACE}"
        agent = manifests.pod(f"agent-{self.name}", installing.NAMESPACE)
        agent["spec"] |= {"nodeName": self.name, "serviceAccountName": _ACCOUNT}
        found = self.plane.client.call("POST", f"{where}/pods", agent)[1]
        if "uid" not in found["metadata"]:
            found = self.plane.client.get(self._pod())
        bound = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": found["metadata"]["name"],
            "uid": found["metadata"]["uid"],
        }
        request = {"spec": {"expirationSeconds": 86400, "boundObjectRef": bound}}
        path = f"{where}/serviceaccounts/{_ACCOUNT}/token"
        token: str = self.plane.client.create(path, request)["status"]["token"]
        (self.folder / "token").write_text(token)
        shutil.copy(self.plane.admin.authority, self.folder / "ca.crt")

    def _pod(self) -> str:
        return f"/api/v1/namespaces/{installing.NAMESPACE}/pods/agent-{self.name}"


def _unprivileged() -> list[str]:
    """What takes all capabilities away from a program that root starts, as `docs/agent.yaml` does."""
    found = shutil.which("setpriv")
    if found is None or os.geteuid() != 0:
        return []
    return [found, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
