"""The steps that tests of budgets share: pods that stay as they are, waiting with deadlines, reading a refusal."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from controlplane import User
from controlplane.process import wait_until
from harness import Answer, AsyncClient, World, manifests
from harness.manifests import Manifest

HOLD = {"controlplane/hold": "true"}
"""Keeps the fake kubelet away from a pod: it stays Pending until a test says otherwise."""

ADVICE = ". Delete a pod or let one finish, or ask for less"
"""How the line of a refusal ends that says how much is used."""

_REFUSED = 'admission webhook "pods.labquota.dev" denied the request: '


def held(name: str, namespace: str, **resources: Any) -> Manifest:
    """A pod that stays as it is created."""
    annotations = {**HOLD, **resources.pop("annotations", {})}
    return manifests.pod(name, namespace, annotations=annotations, **resources)


async def fill(client: AsyncClient, *pods: Manifest) -> None:
    """Create pods that are all expected to pass."""
    for pod in pods:
        answer = await client.create_pod(pod)
        assert answer.status == 201, answer.message


def line(answer: Answer) -> str:
    """The line of labquota's refusal, without the API server's words before it."""
    assert answer.status == 403, f"not refused: {answer.status} {answer.message}"
    assert answer.body["reason"] == "Forbidden", answer.body
    assert _REFUSED in answer.message
    return answer.message.partition(_REFUSED)[2]


def codes(answer: Answer) -> list[str]:
    """The codes of a refusal's causes, in their order."""
    return [cause["reason"] for cause in answer.causes]


def settled(world: World, owner: str, pods: int) -> None:
    """Wait until an owner's budget shows so many pods, all confirmed: from then on a refusal's line is exact."""

    def shown() -> bool:
        usage, ledger = world.usage(owner), world.ledger(owner)
        return (
            ledger is not None
            and ";" not in ledger
            and usage.get("used", {}).get("pods", "0") == str(pods)
            and not usage.get("reserved")
        )

    assert wait_until(shown, 10), f"{owner}: {world.usage(owner)}, ledger {world.ledger(owner)}"


async def eventually(ask: Callable[[], Awaitable[object]], seconds: float, what: str) -> float:
    """Ask until the answer is true; returns after how many seconds it was. Fails after `seconds`."""
    began = time.monotonic()
    while True:
        if await ask():
            return time.monotonic() - began
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.02)


async def fits(client: AsyncClient, pod: Manifest, seconds: float = 1.0) -> float:
    """Try a pod as dry runs until it would pass; returns after how many seconds it did."""

    async def passes() -> bool:
        return (await client.create_pod(pod, dryRun="All")).ok

    return await eventually(passes, seconds, f"pod {pod['metadata']['name']} passes")


async def refused_soon(client: AsyncClient, pod: Manifest, seconds: float = 1.0) -> Answer:
    """Try a pod as dry runs until it is refused; returns the refusal."""
    answers: list[Answer] = []

    async def refuses() -> bool:
        answers.append(await client.create_pod(pod, dryRun="All"))
        return not answers[-1].ok

    await eventually(refuses, seconds, f"pod {pod['metadata']['name']} is refused")
    return answers[-1]


def pod_path(namespace: str, name: str) -> str:
    """The path of one pod."""
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def service_account(world: World, namespace: str, name: str) -> User:
    """A service account of an administrator's that may edit what is in namespaces."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    world.plane.client.call("POST", path, {"metadata": {"name": name}})  # kube-system has its own already
    return world.plane.service_account(namespace, name, role="edit")


def resizers(world: World, *shorts: str) -> list[User]:
    """Users who may resize pods in place, which Kubernetes' role `edit` does not let them."""
    name, users = world.name("resizer"), [world.user(each) for each in shorts]
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["pods/resize"], "verbs": ["get", "patch", "update"]}]
    world.apply(
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
    )
    world.apply(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": rbac, "kind": "User", "name": user.name} for user in users],
        }
    )
    path = f"{pod_path('default', 'none')}/resize"
    for user in users:
        client = user.client()
        assert wait_until(lambda: client.call("GET", path)[0] == 404, 10), user.name  # noqa: B023  called in this turn
    return users
