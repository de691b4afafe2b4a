"""Those who try to escape: people with Kubernetes' own roles in the namespaces that are theirs, and whom they pass for.

What they get is looked at twice: at the stamps of the pods that are stored, and at the budgets that pay.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Self

from cluster.steps import HOLD, eventually, settled
from controlplane import User
from controlplane.process import wait_until
from controlplane.users import Bearer
from harness import Answer, AsyncClient, World, manifests
from harness.clients import pods
from harness.manifests import Manifest

STAMP = "labquota.dev/owner"
LABEL = "labquota.dev/user"
APPLY = "application/apply-patch+yaml"
REPLACE = "application/json-patch+json"
_RBAC = "rbac.authorization.k8s.io"


def resident(
    world: World, short: str, *namespaces: str, role: str = "edit", groups: tuple[str, ...] = ()
) -> User:
    """A user with a role in these namespaces and no right anywhere else, as people in a shared cluster have it."""
    user = world.user(short, groups, role=None)
    for where in namespaces:
        bind(world, user, role, where)
    return user


def bind(world: World, user: User, role: str, namespace: str) -> None:
    """Give a user, or a service account, a ClusterRole in one namespace, and wait until it is in force."""
    world.apply(
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"bound-{secrets.token_hex(4)}", "namespace": namespace},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user.name}],
        }
    )
    _allowed(user, {"verb": "list", "resource": "pods", "namespace": namespace})


def entitle(world: World, user: User, verbs: Sequence[str], *resources: str) -> None:
    """Give a user rights in the whole cluster that no role of Kubernetes' own gives people: `resource.group`."""
    name = world.name(f"entitled-{secrets.token_hex(4)}")
    rules = []
    for each in resources:
        resource, _, group = each.partition(".")
        rules.append({"apiGroups": [group], "resources": [resource], "verbs": list(verbs)})
    for manifest in (
        {"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules},
        {
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user.name}],
        },
    ):
        world.apply({"apiVersion": f"{_RBAC}/v1", **manifest})
    resource, _, group = resources[-1].partition(".")
    resource, _, part = resource.partition("/")
    _allowed(user, {"verb": verbs[-1], "group": group, "resource": resource, "subresource": part})


def _allowed(user: User, attributes: Mapping[str, str]) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": dict(attributes)},
    }
    client, path = user.client(), "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert wait_until(lambda: client.create(path, review)["status"]["allowed"], 10), (user.name, attributes)


class Passing(AsyncClient):
    """Calls of a user who passes for somebody else.

    Args:
        user: Who calls.
        name: Whom they impersonate.
        groups: The groups that they say.
    """

    def __init__(self, user: User, name: str, groups: Sequence[str] = ()) -> None:
        super().__init__(user)
        self._said = [("Impersonate-User", name), *(("Impersonate-Group", each) for each in groups)]

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        for name, value in self._said:
            self._open.headers.add(name, value)
        return self


def bearing(user: User, token: str) -> AsyncClient:
    """The calls of whoever bears a token, asked for by a user of the same API servers."""
    return AsyncClient(Bearer("", (), user.servers, user.authority, user.pair, user.kubeconfig, token))


def workload(kind: str, name: str, namespace: str, *, replicas: int = 1, **pod: Any) -> Manifest:
    """A workload of any built-in kind, from Deployment to CronJob, whose pods stay Pending."""
    pod["annotations"] = {**HOLD, **pod.get("annotations", {})}
    if kind in ("Job", "CronJob"):
        job = manifests.job(name, namespace, completions=replicas, **pod)
        if kind == "Job":
            return job
        spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"metadata": {}, "spec": job["spec"]}}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": job["metadata"], "spec": spec}
    made = manifests.deployment(name, namespace, replicas=replicas, **pod)
    made["kind"] = kind
    if kind == "StatefulSet":
        made["spec"] |= {"serviceName": name, "podManagementPolicy": "Parallel"}
    if kind == "DaemonSet":
        del made["spec"]["replicas"]
    if kind == "ReplicationController":
        made["apiVersion"] = "v1"
        made["spec"]["selector"] = made["spec"]["selector"]["matchLabels"]
    return made


def path(world: World, manifest: Manifest) -> str:
    """The path of an object."""
    return world.plane.client.path_of(manifest)


async def create(world: World, client: AsyncClient, manifest: Manifest) -> Answer:
    """Create an object of any kind."""
    return await client.create(path(world, manifest).rpartition("/")[0], manifest)


async def created(world: World, client: AsyncClient, manifest: Manifest) -> Manifest:
    """Create an object that is expected to pass, and return it as it is stored."""
    answer = await create(world, client, manifest)
    assert answer.status == 201, answer.message
    found: Manifest = answer.body
    return found


async def applied(client: AsyncClient, where: str, manifest: Manifest, manager: str = "attacker") -> Answer:
    """Server-side apply, by force."""
    return await client.call(
        "PATCH", where, manifest, params={"fieldManager": manager, "force": "true"}, content_type=APPLY
    )


async def founded(world: World, client: AsyncClient, short: str, **meta: Any) -> str:
    """A namespace that a user makes, where pods can be made at once; returns its name."""
    manifest: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.name(short)}}
    await created(world, client, {**manifest, "metadata": {**manifest["metadata"], **meta}})
    name = world.apply(manifest)  # so that it is gone after the test
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    assert wait_until(lambda: world.plane.client.call("GET", account)[0] == 200, 10), account
    return name


def has_policies(world: World) -> bool:
    """Whether the API server stamps by itself."""
    versions = [f"/apis/admissionregistration.k8s.io/{each}" for each in ("v1", "v1beta1")]
    found = [world.plane.client.call("GET", each) for each in versions]
    return any("MutatingAdmissionPolicy" in str(body) for status, body in found if status == 200)


def reference(to: Manifest, **fields: Any) -> Manifest:
    """A controller reference to a stored object; `fields` replace its own."""
    meta = to["metadata"]
    return {
        "apiVersion": to["apiVersion"],
        "kind": to["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        **fields,
    }


def stamp(manifest: Manifest) -> str | None:
    """The owner that an object or a template carries; None for none."""
    found: str | None = (manifest["metadata"].get("annotations") or {}).get(STAMP)
    return found


async def stamps(client: AsyncClient, namespace: str, selector: str = "") -> list[str | None]:
    """The owners that the pods of a namespace carry, in order."""
    found = await client.list(pods(namespace), labelSelector=selector)
    return sorted((stamp(each) for each in found), key=str)


async def appear(client: AsyncClient, namespace: str, count: int, selector: str = "") -> list[str | None]:
    """Wait until a namespace has so many pods; returns the owners that they carry."""
    found: list[str | None] = []

    async def there() -> bool:
        found[:] = await stamps(client, namespace, selector)
        return len(found) == count

    await eventually(there, 15, f"{count} pods {selector} in {namespace}")
    return found


def charged(world: World, budgets: Mapping[str, int]) -> None:
    """Wait until each owner's budget shows so many pods, all confirmed."""
    for owner, count in budgets.items():
        if count:
            settled(world, owner, count)
    for owner, count in budgets.items():
        if not count:
            held = world.usage(owner).get("used", {}).get("pods", "0")
            assert held == "0", f"{owner} pays for {held} pods: {world.usage(owner)}"
