"""Where owners are stamped, read from what is stored; and custom resources for those who make pods from them."""

from typing import Any

from cluster.attackers import LABEL, STAMP, stamp
from controlplane import User
from controlplane.process import wait_until
from harness import World
from harness.manifests import Manifest

WORKLOADS = (
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "ReplicationController",
    "Job",
    "CronJob",
)


def templates(manifest: Manifest) -> list[Manifest]:
    """The templates in a workload, the outer one first."""
    spec = manifest.get("spec", {})
    if "jobTemplate" in spec:
        return [spec["jobTemplate"], spec["jobTemplate"]["spec"]["template"]]
    return [spec["template"]] if manifest["kind"] in WORKLOADS else []


def owners(manifest: Manifest) -> list[str | None]:
    """The stamps on a stored object and on its templates."""
    return [stamp(each) for each in (manifest, *templates(manifest))]


def labels(manifest: Manifest) -> list[str | None]:
    """The labels on what becomes pods: a pod, or the templates of a workload."""
    places = [manifest] if manifest["kind"] == "Pod" else templates(manifest)
    return [(each["metadata"].get("labels") or {}).get(LABEL) for each in places]


def forge(manifest: Manifest, owner: str) -> Manifest:
    """The manifest with an owner and a name written wherever there is room for one."""
    for each in (manifest, *templates(manifest)):
        meta = each.setdefault("metadata", {})
        meta["annotations"] = {**(meta.get("annotations") or {}), STAMP: owner}
        meta["labels"] = {**(meta.get("labels") or {}), LABEL: owner.partition(":")[2]}
    return manifest


def define(world: World, kind: str, resource: str, *, namespaced: bool = True, version: str = "v1") -> None:
    """Have the API server serve a custom resource (`plural.group`) that takes anything, as far as it does not yet."""
    plural, _, group = resource.partition(".")
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource},
        "spec": {
            "group": group,
            "scope": "Namespaced" if namespaced else "Cluster",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                    },
                }
            ],
        },
    }
    world.plane.client.apply([definition])
    where = f"/apis/{group}/{version}{'/namespaces/default' if namespaced else ''}/{plural}?dryRun=All"
    probe = {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": {"name": "probe"}}
    # Lists are answered before that; a policy that is to change what it does not know yet says 503.
    assert wait_until(lambda: world.plane.client.call("POST", where, probe)[0] == 201, 30), where


def custom(kind: str, version: str, name: str, namespace: str, spec: Any = None) -> Manifest:
    """A custom resource."""
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec or {}}


def gadget(world: World, name: str, namespace: str) -> Manifest:
    """A custom resource that the harness' settings list, defined first."""
    define(world, "Gadget", "gadgets.example.org")
    return custom("Gadget", "example.org/v1", name, namespace)


def account(world: World, principal: str, role: str = "cluster-admin") -> User:
    """A platform's service account (`namespace/name`), made by an administrator, with the rights that it has there."""
    namespace, _, name = principal.partition("/")
    client = world.plane.client
    client.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    client.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    return world.plane.account(namespace, name, role=role)


def make(world: World, user: User, manifest: Manifest) -> Manifest:
    """Create an object of any kind as somebody; returns it as it is stored."""
    where = world.plane.client.path_of(manifest).rpartition("/")[0]
    made: Manifest = user.client().create(where, manifest)
    return made


def place(world: World, user: User, short: str, **meta: Any) -> Manifest:
    """A namespace that somebody makes, gone after the test; pods can be made there at once. As it is stored."""
    bare: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.name(short)}}
    make(world, user, {**bare, "metadata": {**bare["metadata"], **meta}})
    name = world.apply(bare)
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    assert wait_until(lambda: world.plane.client.call("GET", account)[0] == 200, 10), account
    return {**world.plane.client.get(f"/api/v1/namespaces/{name}"), "apiVersion": "v1", "kind": "Namespace"}
