"""labquota installed on a control plane: webhook replicas behind one port, an operator, and their rights.

Every replica listens on the same port of loopback (SO_REUSEPORT): the kernel spreads the API server's connections
over them as a Service would. Where wires are to be cut, each has a port of its own, and the wires do the spreading.
"""

import json
import os
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controlplane import ControlPlane, ControlPlaneError, Process, User, Wires, ports, ready
from controlplane.certificates import Authority
from controlplane.process import wait_until
from harness import installing, probe

__all__ = ["Installation"]


class Installation:
    """CRDs, rights, policies, `labquota webhook` and `labquota operator`, the registration last.

    Args:
        plane: where to install; it is running.
        replicas: webhook processes.
        operators: operator processes; one is active, the others stand by.
        settings: settings of labquota by name (`{"create_seconds": 8}`), for every process.
        failure_policy: `Ignore` or `Fail` instead of what is shipped.
        wires: what stands between API servers and labquota's processes; nothing by default.
        owners: the owners' settings as YAML; nobody is trusted by default.
        policies: whether owners are stamped by policies; else by the webhook alone.

    Attributes:
        url: where the API server calls the webhook.
        webhook_user: whom the webhook calls the API server as.
        operator_user: whom the operator calls the API server as.
    """

    def __init__(
        self,
        plane: ControlPlane,
        *,
        replicas: int = 2,
        operators: int = 1,
        settings: Mapping[str, Any] | None = None,
        failure_policy: str | None = None,
        wires: Wires | None = None,
        owners: str = "",
        policies: bool = True,
    ) -> None:
        self._plane, self._replicas, self._operators = plane, replicas, operators
        self._owners, self._policies = owners, policies
        self._settings = {f"LABQUOTA_{key.upper()}": str(value) for key, value in (settings or {}).items()}
        self._failure_policy = failure_policy
        self._metrics_ports: dict[str, int] = {}
        self._wires = wires
        port = ports.free()
        own = {f"webhook-{number}": port if wires is None else ports.free() for number in range(replicas)}
        self._ports = own
        self.url = f"https://127.0.0.1:{port if wires is None else wires.spread(own)}"

    def start(self) -> Self:
        """Install and return when every process is ready and the API server asks the webhook.

        Raises:
            ControlPlaneError: something is not ready in time; the end of its log is in the message.
        """
        self._authority = Authority(self._plane.folder / "labquota", "labquota")
        self._serving = self._authority.server("webhook")
        self.apply_definitions()
        if self._owners:
            self._owners_file().write_text(self._owners)
        more = installing.everything_else(self._plane.minor, self._owners, policies=self._policies)
        self._plane.client.apply(more)
        self.webhook_user = self._plane.service_account(installing.NAMESPACE, "labquota-webhook")
        self.operator_user = self._plane.service_account(installing.NAMESPACE, "labquota-operator")
        for number in range(self._operators):
            self._process("operator", number, self.operator_user).start()
        for number in range(self._replicas):
            self._process("webhook", number, self.webhook_user).start()
        for name in self._metrics_ports:
            self._plane.processes[name].wait_ready(60)
        self.register()
        return self

    def stop(self) -> None:
        """Unregister and end the processes; objects stay."""
        self.unregister()
        for name in self._metrics_ports:
            self._plane.processes.pop(name).stop()
        self._metrics_ports.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def webhook(self, number: int = 0) -> Process:
        """The webhook replica with that number: kill, pause, resume, restart it."""
        return self._plane.processes[f"webhook-{number}"]

    def operator(self, number: int = 0) -> Process:
        """The operator with that number."""
        return self._plane.processes[f"operator-{number}"]

    def register(self, failure_policy: str | None = None) -> None:
        """Apply the webhook's registration and wait until every API server calls it and stamps owners.

        Args:
            failure_policy: another one from now on.
        """
        self._failure_policy = failure_policy or self._failure_policy
        registration = self._registrations()
        self._plane.client.apply(registration)
        # beside policies the mutating one is asked about few objects, and never about this one
        asked = [each for each in registration if not self._policies or "Validating" in each["kind"]]
        names = [webhook["name"] for each in asked for webhook in each["webhooks"] if _is_about_pods(webhook)]
        probe.wait(self._plane, names)

    def unregister(self) -> None:
        """Delete the registration: from now on no pod asks the webhook."""
        for each in self._registrations():
            self._plane.client.delete(self._plane.client.path_of(each))

    def apply_definitions(self) -> None:
        """Apply the CRDs and wait until every API server lists the resources that they define."""
        self._plane.client.apply(installing.definitions())
        paths = [installing.collection(each) for each in installing.definitions()]
        clients = [self._plane.admin.client(number) for number in range(len(self._plane.servers))]

        def served() -> bool:
            # Established is not enough: for a moment more, lists answer 429 "storage is (re)initializing".
            return all(client.call("GET", path)[0] == 200 for client in clients for path in paths)

        if not wait_until(served, 30, every=0.05):
            raise ControlPlaneError(f"the API server does not serve all of {', '.join(paths)}")

    def metrics(self, name: str) -> dict[str, float]:
        """The metrics of a process (`webhook-0`), by name with labels as Prometheus writes it."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self._metrics_ports[name]}/metrics", timeout=10
        ) as answer:
            lines = answer.read().decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {key: float(value) for key, _, value in samples}

    def log(self, name: str) -> list[dict[str, Any]]:
        """The log of a process (`webhook-0`): one JSON object a line; lines that are none are left out."""
        lines = self._plane.processes[name].log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def _registrations(self) -> list[dict[str, Any]]:
        authority, failure = self._authority.certificate, self._failure_policy
        return installing.registrations(self.url, authority, failure, self._owners, policies=self._policies)

    def _owners_file(self) -> Path:
        return self._plane.folder / "labquota" / "owners.yaml"

    def _kubeconfig(self, kind: str, number: int, user: User) -> Path:
        """How a pod of that account calls: by token, which costs the API server less than a certificate."""
        account = f"/api/v1/namespaces/{installing.NAMESPACE}/serviceaccounts/labquota-{kind}"
        request = {"spec": {"expirationSeconds": 86400}}
        token = self._plane.client.create(f"{account}/token", request)["status"]["token"]
        server = number % len(self._plane.servers)
        path = user.kubeconfig_for(server)
        config = json.loads(path.read_text())
        config["users"][0]["user"] = {"token": token}
        if self._wires is not None:
            port = int(self._plane.servers[server].rpartition(":")[2])
            reached = self._wires.link(f"{kind}-{number}", f"kube-apiserver-{server}", port)
            config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{reached}"
            path = path.with_name(f"{kind}-{number}.kubeconfig")
            path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path

    def _process(self, kind: str, number: int, user: User) -> Process:
        name, port = f"{kind}-{number}", ports.free()
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(installing.ROOT / "operator"),
            "PYTHONUNBUFFERED": "1",
            "KUBECONFIG": str(self._kubeconfig(kind, number, user)),
            "LABQUOTA_IDENTITY": name,
            "LABQUOTA_HOST": "127.0.0.1",
            "LABQUOTA_PORT": str(self._ports.get(name, 0)),
            "LABQUOTA_REUSE_PORT": "true",
            "LABQUOTA_TLS_CERT": str(self._serving.certificate),
            "LABQUOTA_TLS_KEY": str(self._serving.key),
            "LABQUOTA_METRICS_HOST": "127.0.0.1",
            "LABQUOTA_METRICS_PORT": str(port),
            **({"LABQUOTA_OWNERS": str(self._owners_file())} if self._owners else {}),
            **self._settings,
        }
        argv = [sys.executable, "-m", "labquota", kind]
        process = Process(name, argv, logs=self._plane.logs, env=env, ready=ready.over_http(port))
        self._metrics_ports[name] = port
        self._plane.processes[name] = process
        return process


def _is_about_pods(webhook: Mapping[str, Any]) -> bool:
    return any("pods" in each["resources"] and "CREATE" in each["operations"] for each in webhook["rules"])
