"""The control plane as one thing: start it, add users to it, break parts of it, stop it."""

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controlplane import audit, binaries, flags, folders, ports, ready
from controlplane.certificates import Authority, new_key
from controlplane.client import Client
from controlplane.errors import ControlPlaneError
from controlplane.nodes import gpu_node
from controlplane.process import Process, wait_until
from controlplane.users import Bearer, User, Users, grant
from controlplane.wires import Wires

__all__ = ["ControlPlane"]


class ControlPlane:
    """etcd, API servers, controller-manager, scheduler and, if there are nodes, kwok.

    Args:
        apiservers: how many, on one etcd.
        nodes: how many fake GPU nodes; 0 leaves pods unscheduled and starts no kwok.
        audited: keep an audit log of writes (`audit_events` reads it).
        bodies: resources whose audited creates and updates are kept with what was asked and answered.
        apiserver_flags: more flags for every API server; they win over ours.
        wires: what stands between the API servers and etcd; nothing by default.
        witness: start one more API server, which nobody is told of. It keeps no cache, so that a watch on it misses
            nothing whatever becomes of the others.
        policies: whether the API servers have MutatingAdmissionPolicy; without it they do not know its objects.

    Attributes:
        folder: everything it writes, logs in `folder/logs`; removed by a clean stop.
        admin: a user in group system:masters; `client` calls as them.
        witness: the same user, who calls the witness as server 0; without one, the API servers that there are.
        processes: every process by name, in the order they start.
    """

    def __init__(
        self,
        *,
        apiservers: int = 1,
        nodes: int = 0,
        audited: bool = False,
        bodies: Sequence[str] = (),
        apiserver_flags: Sequence[str] = (),
        wires: Wires | None = None,
        witness: bool = False,
        policies: bool = True,
    ) -> None:
        self._count, self._nodes, self._audited, self._bodies = apiservers, nodes, audited, bodies
        self._flags, self._wires, self._witnessed = list(apiserver_flags), wires, witness
        self._policies = policies
        self.processes: dict[str, Process] = {}
        self.folder = Path()

    def start(self) -> Self:
        """Start everything and return when it serves: 5 to 8 s on two cores, minutes if it must be built first.

        Raises:
            ControlPlaneError: something did not start; everything is stopped again, the logs are kept.
        """
        found = binaries.find()
        self.minor = found.minor
        self._binaries = found.paths
        self.folder = folders.make()
        try:
            self._prepare()
            self._start()
        except BaseException:
            self.stop(keep_logs=True)
            raise
        return self

    def stop(self, *, keep_logs: bool = False) -> None:
        """End every process at once and remove the folder, or say where the logs are kept."""
        for process in reversed(self.processes.values()):
            process.kill()
        if keep_logs and self.folder != Path():
            shutil.rmtree(self.folder / "etcd", ignore_errors=True)
            folders.keep(self.folder)
            print(f"controlplane: logs are kept in {self.folder / 'logs'}", file=sys.stderr, flush=True)
        elif self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)
        self.processes.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(keep_logs=kind is not None and issubclass(kind, Exception))

    # Its parts

    def apiserver(self, number: int = 0) -> Process:
        """The API server with that number."""
        return self.processes[f"kube-apiserver-{number}"]

    @property
    def etcd(self) -> Process:
        """The store."""
        return self.processes["etcd"]

    @property
    def controller_manager(self) -> Process:
        """The built-in controllers."""
        return self.processes["kube-controller-manager"]

    @property
    def scheduler(self) -> Process:
        """The scheduler."""
        return self.processes["kube-scheduler"]

    @property
    def kwok(self) -> Process:
        """The fake kubelets."""
        return self.processes["kwok"]

    @property
    def logs(self) -> Path:
        """The folder with a log of each process; other processes may add theirs."""
        return self.folder / "logs"

    # Its users

    def user(self, name: str, groups: Iterable[str] = (), *, role: str | None = "edit") -> User:
        """Add a user, or get the one added before.

        Args:
            name: as the API server is to see it; at most 64 characters.
            groups: their groups.
            role: a ClusterRole that they get in all namespaces, in force when this returns; None for no rights.
        """
        user, new = self._users.make(name, groups)
        if new and role is not None:
            grant(self.client, user, role)
        return user

    def service_account(self, namespace: str, name: str, *, role: str | None = None) -> User:
        """A user that the API server takes for that service account; the account need not exist."""
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
        return self.user(f"system:serviceaccount:{namespace}:{name}", groups, role=role)

    def account(self, namespace: str, name: str, *, role: str) -> User:
        """A service account that exists, by a token of its own: its name may be longer than fits in a certificate."""
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        token = self.client.create(path, request)["status"]["token"]
        known = f"system:serviceaccount:{namespace}:{name}"
        user = Bearer(known, (), self.servers, self.admin.authority, self.admin.pair, Path(), token)
        grant(self.client, user, role)
        return user

    def kubectl(
        self, user: User, *args: str, stdin: str | None = None, check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as a user; both streams come back as text."""
        command = [str(self._binaries["kubectl"]), f"--kubeconfig={user.kubeconfig}", *args]
        cache = {"KUBECACHEDIR": str(self.folder / "kubectl-cache")}
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=check, env={**os.environ, **cache}
        )

    def audit_events(self) -> list[dict[str, Any]]:
        """Every audited request so far, over all API servers (started with `audited=True`)."""
        return audit.events(self.logs)

    # How it starts

    def _prepare(self) -> None:
        certificates = self.folder / "certificates"
        self.authority = Authority(certificates)
        key = certificates / "service-account.key"
        new_key(key)
        policy = self.folder / "audit-policy.json" if self._audited else None
        if policy is not None:
            audit.write_policy(policy, self._bodies)
        self._files = flags.Files(self._binaries, self.authority.certificate, key, policy)
        self._serving = self.authority.server("kube-apiserver", ("kubernetes.default.svc",))
        self._ports = [ports.free() for _ in range(self._count)]
        self.servers = tuple(f"https://127.0.0.1:{port}" for port in self._ports)
        self._users = Users(self.folder / "users", self.authority, self.servers)
        self.admin = self._make("admin", "system:masters")
        self.client = self.admin.client()
        self.witness = self.admin
        if self._witnessed:
            self._witness_port = ports.free()
            self.witness = dataclasses.replace(
                self.admin, servers=(f"https://127.0.0.1:{self._witness_port}",)
            )

    def _start(self) -> None:
        store = ports.free()
        argv = flags.etcd(self._files, self.folder / "etcd", store, ports.free())
        self._run("etcd", argv, ready.over_http(store))
        self.etcd.wait_ready()
        for number, port in enumerate(self._ports):
            # The first one alone fills an empty store: two at once would trip over each other.
            name = f"kube-apiserver-{number}"
            reached = store if self._wires is None else self._wires.link(name, "etcd", store)
            self._run_apiserver(name, port, reached, self.admin.client(number))
        if self._witnessed:
            name = "kube-apiserver-witness"
            self._run_apiserver(name, self._witness_port, store, self.witness.client(), "--watch-cache=false")
        self._run_controllers()
        self.client.apply(gpu_node(f"gpu-node-{number}") for number in range(self._nodes))
        if not wait_until(self._settled, 60, every=0.1):
            raise ControlPlaneError(f"nodes or the default service account are not ready; see {self.logs}")

    def _run_apiserver(self, name: str, port: int, store: int, client: Client, *more: str) -> None:
        log = self.logs / f"audit-{name.removeprefix('kube-apiserver-')}.log"
        url = f"http://127.0.0.1:{store}"
        argv = flags.apiserver(self._files, url, port, self._serving, log)
        argv += flags.policies(self.minor, on=self._policies)
        self._run(name, [*argv, *self._flags, *more], ready.over_https(client))
        self.processes[name].wait_ready(60)

    def _run_controllers(self) -> None:
        for name, argv in (
            ("kube-controller-manager", flags.controller_manager),
            ("kube-scheduler", flags.scheduler),
        ):
            self._run(name, argv(self._files, self._make(f"system:{name}").kubeconfig, ports.free()))
        if self._nodes:
            stages = Path(__file__).with_name("kwok.yaml")
            self._run("kwok", flags.kwok(self._files, self.admin.kubeconfig, stages))

    def _make(self, name: str, *groups: str) -> User:
        return self._users.make(name, groups)[0]

    def _settled(self) -> bool:
        for process in self.processes.values():
            if not process.alive:
                process.wait_ready()  # says how it ended
        status, _ = self.client.call("GET", "/api/v1/namespaces/default/serviceaccounts/default")
        nodes = self.client.get("/api/v1/nodes")["items"]
        return status == 200 and not any(node["spec"].get("taints") for node in nodes)

    def _run(self, name: str, argv: list[str], serves: Callable[[], bool] = lambda: True) -> None:
        self.processes[name] = Process(name, argv, logs=self.logs, ready=serves)
        self.processes[name].start()
