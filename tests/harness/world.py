"""Names of its own for every test, so that tests on one control plane do not disturb each other, and a clean end."""

import secrets
import time
from typing import Any, Self

from controlplane import ControlPlane, User
from controlplane.process import wait_until
from harness import manifests
from harness.clients import AsyncClient, pods
from harness.installation import Installation
from harness.manifests import Manifest

__all__ = ["World"]

CUSTOM = "/apis/labquota.dev/v1alpha1"


class World:
    """What one test makes: users, namespaces, groups, overrides. `close` takes it all away again.

    Attributes:
        plane: the control plane that it lives on.
        installed: the labquota that is installed there, if any.
        tag: what the names of everything in it start with.
    """

    def __init__(self, plane: ControlPlane, installed: Installation | None = None) -> None:
        self.plane, self.installed = plane, installed
        self.tag = f"w{secrets.token_hex(3)}"
        self._namespaces: list[str] = []
        self._objects: list[str] = []

    def name(self, short: str) -> str:
        """A name that no other test uses."""
        return f"{self.tag}-{short}"

    def user(self, short: str, groups: tuple[str, ...] = (), *, role: str | None = "edit") -> User:
        """A user; ask `.name` for what the API server calls them. Groups are taken as they are."""
        return self.plane.user(self.name(short), groups, role=role)

    def owner(self, user: User) -> str:
        """The owner that a user's pods are charged to."""
        return f"user:{user.name}"

    def namespace(self, short: str = "ns", **fields: Any) -> str:
        """A namespace in which pods can be made at once; returns its name. `fields` as in `manifests.namespace`."""
        name = self.name(short)
        self.plane.client.create("/api/v1/namespaces", manifests.namespace(name, **fields))
        self._namespaces.append(name)
        # Pods need it, and the controller that makes it takes a moment; it accepts one that is there.
        account = {"metadata": {"name": "default"}}
        self.plane.client.call("POST", f"/api/v1/namespaces/{name}/serviceaccounts", account)
        return name

    def group(self, short: str, **spec: Any) -> str:
        """A ResourceLimitGroup (`manifests.group`); returns its name when labquota has seen it."""
        return self._seen(manifests.group(self.name(short), **spec))

    def override(self, short: str, owner: str, **spec: Any) -> str:
        """A ResourceLimitOverride (`manifests.override`); returns its name when labquota has seen it."""
        return self._seen(manifests.override(self.name(short), owner, **spec))

    def apply(self, manifest: Manifest) -> str:
        """Apply any object and take it away at the end; returns its name."""
        self.plane.client.apply([manifest])
        path = self.plane.client.path_of(manifest)
        if path not in self._objects:
            self._objects.append(path)
        return str(manifest["metadata"]["name"])

    def forget(self, manifest: Manifest) -> None:
        """Delete an applied object now."""
        path = self.plane.client.path_of(manifest)
        self.plane.client.delete(path)
        self._objects.remove(path)

    def client(self, user: User | None = None, **options: Any) -> AsyncClient:
        """A user's fast client (an admin's without a user): `async with world.client(alice) as client:`."""
        return AsyncClient(user or self.plane.admin, **options)

    def usage(self, owner: str) -> dict[str, Any]:
        """The status of an owner's OwnerUsage; empty while there is none."""
        for each in self.plane.client.get(f"{CUSTOM}/ownerusages")["items"]:
            if each["spec"]["owner"] == owner:
                status: dict[str, Any] = each.get("status", {})
                return status
        return {}

    def ledger(self, owner: str) -> str | None:
        """An owner's ledger as it is stored; None where there is none."""
        for each in self.plane.client.get(f"{CUSTOM}/ownerledgers")["items"]:
            if each["owner"] == owner:
                return str(each["ledger"])
        return None

    def _seen(self, manifest: Manifest) -> str:
        name = self.apply(manifest)
        path = self.plane.client.path_of(manifest)

        def observed() -> bool:
            found = self.plane.client.get(path)
            generation: int = found["metadata"]["generation"]
            return bool(found.get("status", {}).get("observedGeneration") == generation)

        # The replicas watch what the operator watches; a moment more covers the difference between them.
        if self.installed is not None and wait_until(observed, 2):
            time.sleep(0.1)
        return name

    def close(self) -> None:
        """Delete what was made: applied objects, pods (at once), then namespaces (in the background)."""
        client = self.plane.client
        for path in reversed(self._objects):
            client.delete(path)
        for name in self._namespaces:
            client.delete(f"/api/v1/namespaces/{name}")  # first, so that no controller makes new pods
            client.delete(pods(name), gracePeriodSeconds=0)
        wait_until(lambda: not any(client.get(pods(each))["items"] for each in self._namespaces), 10)
        self._namespaces.clear()
        self._objects.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
