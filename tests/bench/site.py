"""Where everything is measured: one control plane, and each case in namespaces of its own.

none      a namespace without anything
yes       a webhook that says yes (a process of its own, one)
quota     a ResourceQuota over the resources that labquota limits too
quotas    fifty namespaces with a ResourceQuota each: what an owner each would take
labquota  two replicas and the operator, as shipped
"""

import base64
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from bench import scope
from bench.rows import BenchError
from bench.yes import CAPTURED
from controlplane import ControlPlane, Process, ports
from controlplane.certificates import Authority
from harness import AsyncClient, Installation, installing, manifests
from harness.manifests import Manifest

__all__ = ["CASES", "LABQUOTAS", "PEOPLE", "STAMP", "Site", "open_site"]

CASES = ("none", "yes", "quota", "labquota")
PEOPLE = 50
LABQUOTAS = "bench-labquota"
"""Labquota's own namespace."""
STAMP = "labquota.dev/owner"
LABEL = "labquota.dev/user"
_NO_STAMP, _NO_LABEL = "labquota.dev/other", "labquota.dev/another"
_GROUP = "bench:members"
_LIMITS: dict[str, str | int | float] = {
    "gpu": 1_000_000,
    "requests.cpu": "1000000",
    "requests.memory": "1000Ti",
    "pods": 1_000_000,
}
_HARD: dict[str, Any] = {
    "requests.nvidia.com/gpu": 1_000_000,
    "requests.cpu": "1000000",
    "requests.memory": "1000Ti",
    "pods": 1_000_000,
}


class Site:
    """A control plane with all cases on it.

    Attributes:
        plane: the control plane.
        installed: labquota on it; its limits are out of reach unless a row sets its own.
        yes: the process of the webhook that says yes, at `yes_url`.
        captured: the file with a review that it was sent.
        people: who creates pods.
        clients: a client of each of them, in the same order.
        admin: the administrator's client.
    """

    def __init__(self, plane: ControlPlane, installed: Installation) -> None:
        self.plane, self.installed = plane, installed
        self.captured = plane.folder / "captured-review.json"
        self.people = [plane.user(f"bench-{number}", [_GROUP], role=None) for number in range(PEOPLE)]
        self.clients: list[AsyncClient] = []
        self.admin = AsyncClient(plane.admin)

    def namespaces(self, case: str) -> list[str]:
        """Where a case's pods go, by person: one namespace for all but `quotas`."""
        return (
            [f"bench-{case}-{number}" for number in range(PEOPLE)] if case == "quotas" else [f"bench-{case}"]
        )

    def prepare(self) -> None:
        """Make namespaces, quotas, rights, limits and the webhook that says yes."""
        client = self.plane.client
        client.apply([_rights(), manifests.group("bench", subjects=[f"group:{_GROUP}"], aggregate=_LIMITS)])
        for case in (*CASES, "quotas"):
            for name in self.namespaces(case):
                self.namespace(name, case)
                if case.startswith("quota"):
                    client.apply([manifests.resource_quota("bench", name, **_HARD)])
        self._start_yes()
        scope.narrow(self.plane, "labquota")
        scope.wait_narrowed(self.people[0], "bench-none", LABQUOTAS)

    def namespace(self, name: str, case: str) -> None:
        """Make a namespace of a case in which pods can be made at once."""
        self.plane.client.apply([manifests.namespace(name, labels={scope.LABEL: case})])
        account = {"metadata": {"name": "default"}}
        self.plane.client.call("POST", f"/api/v1/namespaces/{name}/serviceaccounts", account)

    def _start_yes(self) -> None:
        authority = Authority(self.plane.folder / "yes", "yes")
        pair, port = authority.server("yes"), ports.free()
        self.yes_url = f"https://127.0.0.1:{port}"
        paths = os.pathsep.join(str(installing.ROOT / each) for each in ("tests", "operator"))
        argv = [sys.executable, "-m", "bench.yes", str(port), str(pair.certificate), str(pair.key)]
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": paths}
        self.yes = Process(
            "yes", [*argv, str(self.captured)], logs=self.plane.logs, env=env, ready=lambda: _listens(port)
        )
        self.plane.processes["yes"] = self.yes
        self.yes.start()
        self.yes.wait_ready()
        self.plane.client.apply([_says_yes(port, authority.certificate)])

    def pod(self, name: str, namespace: str, person: int | None = None, **fields: Any) -> Manifest:
        """A pod as every case creates it: never scheduled; with a person's number it carries their stamp.

        Elsewhere than in labquota's own namespace it carries the same bytes under another key: labquota's operator
        would take it for a limited owner's pod that came past the webhook.
        """
        annotations, labels = {**fields.pop("annotations", {})}, {**fields.pop("labels", {})}
        if person is not None:  # as a stamped template gives them
            annotations[STAMP if namespace == LABQUOTAS else _NO_STAMP] = self.owner(person)
            labels[LABEL if namespace == LABQUOTAS else _NO_LABEL] = self.people[person].name
        spec = {"schedulerName": "nobody", **fields.pop("spec", {})}
        asks: dict[str, Any] = {"cpu": "500m", "memory": "1Gi", "gpu": 1}
        if "containers" in fields:
            asks = {}
        return manifests.pod(
            name, namespace, annotations=annotations, labels=labels, spec=spec, **asks, **fields
        )

    def owner(self, person: int) -> str:
        """Whom a person's pods are charged to."""
        return f"user:{self.people[person].name}"


@asynccontextmanager
async def open_site(say: Callable[[str], None]) -> AsyncIterator[Site]:
    """Start everything; whatever happens, stop everything.

    Raises:
        ControlPlaneError: something does not start; the logs are kept.
        BenchError: labquota does not keep to its namespaces.
    """
    say("starting a control plane")
    # No nodes: nothing is scheduled or run. Clearing pods is not measured, and one worker would take the longest.
    with ControlPlane(apiserver_flags=["--delete-collection-workers=8"]) as plane:
        say("installing labquota: 2 webhook replicas, 1 operator")
        with Installation(plane) as installed:
            site = Site(plane, installed)
            site.prepare()
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(site.admin)
                for person in site.people:
                    site.clients.append(await stack.enter_async_context(AsyncClient(person)))
                await _capture(site)
                yield site
            say("stopping everything")


async def _capture(site: Site) -> None:
    """Have the webhook that says yes keep a review of about 7 kB, the size of a usual pod's."""
    filling = [{"name": f"SETTING_{number}", "value": "x" * 40} for number in range(31)]
    container = manifests.container(cpu="500m", memory="1Gi", gpu=1, env=filling)
    pod = site.pod(CAPTURED, "bench-yes", containers=[container], annotations={STAMP: site.owner(0)})
    for _ in range(100):
        answer = await site.clients[0].create_pod(pod, dryRun="All")
        if not answer.ok:
            raise BenchError(f"a pod for the webhook that says yes: {answer.message}")
        if site.captured.exists():
            return
    raise BenchError("the API server does not call the webhook that says yes")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _rights() -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "bench"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": _GROUP}],
    }


def _says_yes(port: int, authority: Path) -> Manifest:
    """Registered as labquota is, for its own namespaces."""
    bundle = base64.b64encode(authority.read_bytes()).decode()
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    webhook = {
        "name": "yes.bench.example",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "clientConfig": {"url": f"https://127.0.0.1:{port}/validate", "caBundle": bundle},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {scope.LABEL: "yes"}},
    }
    metadata = {"name": "bench-yes"}
    kind = "ValidatingWebhookConfiguration"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        "webhooks": [webhook],
    }
