"""The command lines of the control plane's programs, with the reason for what is not a default."""

from dataclasses import dataclass
from pathlib import Path

from controlplane.certificates import Pair

__all__ = ["Files", "apiserver", "controller_manager", "etcd", "kwok", "policies", "scheduler"]


@dataclass(frozen=True)
class Files:
    """Where the programs and their shared files are."""

    binaries: dict[str, Path]
    authority: Path
    service_account_key: Path
    audit_policy: Path | None


def etcd(files: Files, data: Path, port: int, peer: int) -> list[str]:
    """One member without fsync: its data is thrown away."""
    client, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    return [
        str(files.binaries["etcd"]),
        f"--data-dir={data}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--log-level=warn",
    ]


_GROUP = "admissionregistration.k8s.io"


def apiserver(files: Files, store: str, port: int, serving: Pair, audit_log: Path) -> list[str]:
    """An API server on loopback that knows users by client certificate; `policies` has flags to be added."""
    argv = [
        str(files.binaries["kube-apiserver"]),
        f"--etcd-servers={store}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",  # Endpoints may not hold loopback addresses
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={files.authority}",
        "--authorization-mode=Node,RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={files.service_account_key}",
        f"--service-account-signing-key-file={files.service_account_key}",
        "--service-cluster-ip-range=10.255.0.0/16",
        "--allow-privileged=true",
        "--enable-aggregator-routing=true",
        "--goaway-chance=0",
        "--profiling=false",
    ]
    if files.audit_policy is not None:
        argv += [f"--audit-policy-file={files.audit_policy}", f"--audit-log-path={audit_log}"]
    return argv


def policies(minor: int, *, on: bool) -> list[str]:
    """What switches MutatingAdmissionPolicy on or off: off, its objects cannot even be created."""
    plugins = "--enable-admission-plugins=NodeRestriction"
    if minor < 36:  # there it is beta: switched on by gate, API and plug-in
        beta = ["--feature-gates=MutatingAdmissionPolicy=true", f"--runtime-config={_GROUP}/v1beta1=true"]
        return [*beta, f"{plugins},MutatingAdmissionPolicy"] if on else [plugins]
    if on:
        return [plugins]
    resources = ("mutatingadmissionpolicies", "mutatingadmissionpolicybindings")
    served = ",".join(f"{_GROUP}/v1/{each}=false" for each in resources)
    return [plugins, "--disable-admission-plugins=MutatingAdmissionPolicy", f"--runtime-config={served}"]


def controller_manager(files: Files, kubeconfig: Path, port: int) -> list[str]:
    """The controllers, each with its own service account, as real clusters have it."""
    return [
        str(files.binaries["kube-controller-manager"]),
        *_controller(kubeconfig, port),
        f"--service-account-private-key-file={files.service_account_key}",
        f"--root-ca-file={files.authority}",
        "--use-service-account-credentials=true",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        # Fake nodes are not to be watched closely; evictions stay possible for whom wants them.
        "--node-monitor-grace-period=60s",
    ]


def scheduler(files: Files, kubeconfig: Path, port: int) -> list[str]:
    """The scheduler, without its default 50 calls a second."""
    argv = _controller(kubeconfig, port)
    return [str(files.binaries["kube-scheduler"]), *argv, "--kube-api-qps=1000", "--kube-api-burst=2000"]


def kwok(files: Files, kubeconfig: Path, config: Path) -> list[str]:
    """Fake kubelets for the nodes that carry our annotation."""
    return [
        str(files.binaries["kwok"]),
        f"--kubeconfig={kubeconfig}",
        f"--config={config}",
    ]


def _controller(kubeconfig: Path, port: int) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--leader-elect=false",  # there is one, and it must work at once
        "--profiling=false",
    ]
