"""Where the demo plays: a control plane with fake GPU nodes, labquota on it, and the people who use both."""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controlplane import ControlPlane, User, binaries
from controlplane.process import wait_until
from demo.shell import Shell, Unexpected
from demo.transcript import Transcript
from harness import Installation, installing
from kubelet.gpunode import GpuNode

__all__ = ["Person", "Stage", "open_stage"]

NODES = 3
FILES = Path(__file__).with_name("files")
PEOPLE: dict[str, tuple[str, ...]] = {
    "alice": (),
    "rita": (),
    "ravi": (),
    "sam": (),
    "frank": ("faculty",),
    "olga": (),
    "nina": (),
    "mia": (),
}
"""Everybody with the groups that their identity provider puts them in; all may create pods in every namespace."""


class Person(Shell):
    """A user of the cluster at a prompt."""

    def __init__(self, user: User, folder: Path, env: dict[str, str], transcript: Transcript) -> None:
        super().__init__(
            user.name.rpartition(":")[2], folder, {**env, "KUBECONFIG": str(user.kubeconfig)}, transcript
        )
        self.user = user


@dataclass
class Stage:
    """What acts play on.

    Attributes:
        plane: the control plane.
        installed: labquota on it.
        transcript: what they write on.
        admin: the cluster's administrator, in the root of the repository.
        people: everybody else by name, where the demo's manifests are.
        kubeconfig: a file with a context for each of them.
        path: the folders with kubectl and labquota, as PATH has them.
        stack: what else has to be stopped, before the control plane is.
        gpu_nodes: the nodes with an agent by name, as soon as there are any.
    """

    plane: ControlPlane
    installed: Installation
    transcript: Transcript
    admin: Person
    people: dict[str, Person]
    kubeconfig: Path
    path: str
    stack: ExitStack
    gpu_nodes: dict[str, GpuNode] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    def usage(self, owner: str) -> dict[str, Any]:
        """The status of an owner's OwnerUsage; empty while there is none."""
        for each in self.plane.client.get("/apis/labquota.dev/v1alpha1/ownerusages")["items"]:
            if each["spec"]["owner"] == owner:
                status: dict[str, Any] = each.get("status") or {}
                return status
        return {}

    def wait_used(self, owner: str, gpus: str, seconds: float = 5) -> float:
        """Wait until an owner's budget table shows `3/3` GPUs; the seconds that it took.

        Raises:
            Unexpected: it does not in time.
        """
        began = time.monotonic()
        if not wait_until(lambda: self._gpus(owner) == gpus, seconds, every=0.05):
            expected = f"the budget of {owner} to show {gpus} GPUs within {seconds:g} s"
            raise Unexpected(expected, f"it shows {self._gpus(owner)}")
        return time.monotonic() - began

    def namespace(self, name: str) -> None:
        """Have the administrator make a namespace, and wait until pods can be made in it."""
        self.admin.run(f"kubectl create namespace {name}", says=("created",))
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        if not wait_until(lambda: self.plane.client.call("GET", account)[0] == 200, 30):
            raise Unexpected(f"namespace {name} to have its default service account", "none after 30 s")

    def _gpus(self, owner: str) -> str:
        return str((self.usage(owner).get("summary") or {}).get("gpu", "nothing"))


@contextmanager
def open_stage(transcript: Transcript) -> Iterator[Stage]:
    """Start everything, saying how far it is; whatever happens, stop everything.

    Raises:
        ControlPlaneError: something does not start; the logs are kept.
    """
    transcript.progress("starting a Kubernetes control plane on loopback")
    with ControlPlane(nodes=NODES) as plane:
        parts = ", ".join(name.removesuffix("-0") for name in plane.processes)
        transcript.progress(f"Kubernetes 1.{plane.minor} serves, with {NODES} fake GPU nodes: {parts}")
        transcript.progress("installing labquota: crds/ and config/install, 2 webhook replicas, 1 operator")
        plane.client.apply(installing.load(FILES / "trainings.yaml"))
        owners = (FILES / "owners.yaml").read_text()
        with Installation(plane, replicas=2, owners=owners) as installed, ExitStack() as stack:
            transcript.progress("labquota is in force: webhook-0, webhook-1, operator-0 are ready")
            yield _stage(plane, installed, transcript, stack)
            transcript.progress("stopping everything")


def _stage(plane: ControlPlane, installed: Installation, transcript: Transcript, stack: ExitStack) -> Stage:
    programs = f"{binaries.find().paths['kubectl'].parent}:{Path(sys.executable).parent}"
    env = {
        "PATH": f"{programs}:{os.environ.get('PATH', '')}",
        "KUBECACHEDIR": str(plane.folder / "kubectl-cache"),
    }
    people = {
        name: Person(plane.user(name, groups), FILES, env, transcript) for name, groups in PEOPLE.items()
    }
    operator = plane.service_account("training-system", "operator", role="edit")
    people["operator"] = Person(operator, plane.folder, env, transcript)
    admin = Person(plane.admin, installing.ROOT, env, transcript)
    kubeconfig = _merged(plane.folder / "kubeconfig", [admin.user, *(each.user for each in people.values())])
    return Stage(plane, installed, transcript, admin, people, kubeconfig, programs, stack)


def _merged(path: Path, users: Sequence[User]) -> Path:
    """One kubeconfig with a context for each user, the first one current."""
    configs = [json.loads(user.kubeconfig.read_text()) for user in users]
    merged = dict(configs[0])
    for key in ("users", "contexts"):
        merged[key] = [entry for config in configs for entry in config[key]]
    path.touch(mode=0o600)
    path.write_text(json.dumps(merged, indent=1))
    return path
