"""A simulated cluster that also says which kinds it has, and objects that come from one another."""

import json
from typing import Any

from labquota.kube import errors
from labquota.kube.lineage import Lineage
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.pods import Metadata, Reference
from labquota.quota.trust import DEFAULT, Trust
from unit.simulated import Clock, Cluster

KINDS = {
    "/api/v1": [("pods", "Pod", True), ("nodes", "Node", False), ("serviceaccounts", "ServiceAccount", True)],
    "/apis/apps/v1": [("deployments", "Deployment", True), ("replicasets", "ReplicaSet", True)],
    "/apis/batch/v1": [("jobs", "Job", True), ("jobs/status", "Job", True), ("cronjobs", "CronJob", True)],
    "/apis/ray.io/v1": [("rayclusters", "RayCluster", True)],
    "/apis/example.org/v1": [("gadgets", "Gadget", True), ("widgets", "Widget", True)],
}


class Discovered(Cluster):
    """Answers discovery, too."""

    def __init__(self) -> None:
        super().__init__()
        self.forbidden = ""
        self.missing = ""
        """An API version that is not installed."""
        self.namespaces: dict[str, dict[str, str]] = {}

    async def get(self, path: str, params: Any = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        if self.forbidden and self.forbidden in path:
            self.calls.append(("get", path))
            raise errors.ApiError(403, "Forbidden", f"cannot get {self.forbidden}")
        if path in KINDS and path != self.missing:
            self.calls.append(("get", path))
            found = [{"name": name, "kind": kind, "namespaced": inside} for name, kind, inside in KINDS[path]]
            return json.dumps({"kind": "APIResourceList", "resources": found}).encode()
        if path.count("/") <= 3 and path.startswith("/api"):
            raise errors.NotFound(404, "NotFound", f"{path} is not here")
        return await super().get(path, params, timeout=timeout)

    def put(self, path: str, uid: str, maker: Reference | None = None, stamp: str = "") -> Reference:
        """Store an object, and return a controller reference to it."""
        name = path.rpartition("/")[2]
        meta: dict[str, Any] = {"name": name, "uid": uid}
        if stamp:
            meta["annotations"] = {OWNER_ANNOTATION: stamp}
        if maker is not None:
            meta["ownerReferences"] = [reference(maker)]
        self.store(path, {"metadata": meta})
        version = "/".join(path.split("/")[2:4]) if path.startswith("/apis") else "v1"
        plural = path.split("/")[-2]
        kinds = KINDS[f"/apis/{version}" if "/" in version else "/api/v1"]
        kind = next(kind for found, kind, _ in kinds if found == plural)
        return Reference(version, kind, name, uid, controller=True)

    def lineage(self, trust: Trust = DEFAULT) -> Lineage:
        """What finds owners in it."""
        return Lineage(self, Clock(), trust, lambda name: self.namespaces.get(name, {}))


def reference(to: Reference) -> dict[str, Any]:
    """One of metadata.ownerReferences."""
    return {
        "apiVersion": to.api_version,
        "kind": to.kind,
        "name": to.name,
        "uid": to.uid,
        "controller": to.controller,
    }


def made_by(maker: Reference | None) -> Metadata:
    """The metadata of a pod with this controller reference."""
    return Metadata(name="pod", namespace="lab", uid="pod", owner_references=[maker] if maker else [])
