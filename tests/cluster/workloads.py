"""Workloads of each kind for tests of early word and late help, and what can be seen of them."""

from typing import Any

from controlplane import User
from harness import Answer, AsyncClient, World, manifests
from harness.clients import pods
from harness.manifests import Manifest

HOLD = {"controlplane/hold": "true"}
"""Its pods stay Pending: they hold budget and end only when they are deleted."""

NUDGED = "labquota.dev/nudged"

PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
    "ReplicationController": "/api/v1/namespaces/{}/replicationcontrollers",
}


def workload(kind: str, name: str, namespace: str, count: int = 1, **asks: Any) -> Manifest:
    """A workload of some kind that wants so many pods at once, which stay Pending."""
    asks = {"annotations": HOLD, **asks}
    if kind in ("Job", "CronJob"):
        job = manifests.job(name, namespace, completions=count, **asks)
        if kind == "Job":
            return job
        spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job["spec"]}}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": job["metadata"], "spec": spec}
    made = manifests.deployment(name, namespace, replicas=count, **asks)
    if kind == "Deployment":
        return made
    made["kind"] = kind
    if kind == "StatefulSet":
        made["spec"] |= {"serviceName": name, "podManagementPolicy": "Parallel"}
    if kind == "DaemonSet":
        del made["spec"]["replicas"]
    if kind == "ReplicationController":
        made["apiVersion"] = "v1"
        made["spec"]["selector"] = made["spec"]["selector"]["matchLabels"]
    return made


def path_of(made: Manifest) -> str:
    """Where a workload is."""
    meta = made["metadata"]
    return f"{PATHS[made['kind']].format(meta['namespace'])}/{meta['name']}"


async def create(client: AsyncClient, made: Manifest, **params: str) -> Answer:
    """Create a workload."""
    answer = await client.create(path_of(made).rpartition("/")[0], made, **params)
    assert answer.ok, answer.message
    return answer


async def pod_names(client: AsyncClient, namespace: str, start: str = "") -> list[str]:
    """The names of the pods in a namespace that begin so."""
    found = [each["metadata"]["name"] for each in await client.list(pods(namespace))]
    return sorted(name for name in found if name.startswith(start))


async def makers(client: AsyncClient, namespace: str) -> list[dict[str, Any]]:
    """The ReplicaSets in a namespace."""
    return await client.list(PATHS["ReplicaSet"].format(namespace))


async def events(client: AsyncClient, namespace: str) -> list[dict[str, Any]]:
    """labquota's own Events in a namespace."""
    found = await client.list(f"/api/v1/namespaces/{namespace}/events")
    return [each for each in found if each.get("source", {}).get("component") == "labquota"]


def student(world: World, short: str = "alice", **aggregate: Any) -> tuple[User, str]:
    """A user with limits of their own, and a namespace for them."""
    user = world.user(short)
    world.group(f"{short}s", subjects=[world.owner(user)], aggregate=aggregate, whenUnset="Ignore")
    return user, world.namespace(short)
