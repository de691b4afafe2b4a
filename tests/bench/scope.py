"""Keeps labquota's registration and policies to its own namespaces, on a control plane that serves other cases too.

What is applied is what an installation applied, with one more condition on the namespace. Nothing else differs.
"""

from typing import Any

from bench.rows import BenchError
from controlplane import ControlPlane, User
from controlplane.process import wait_until
from harness import installing, manifests

__all__ = ["LABEL", "narrow", "wait_narrowed"]

LABEL = "bench/case"
_KINDS = (
    "MutatingAdmissionPolicy",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingWebhookConfiguration",
)
_STAMP = "labquota.dev/owner"


def narrow(plane: ControlPlane, case: str) -> None:
    """Let only namespaces with label `bench/case: CASE` see what labquota has registered."""
    only = {"key": LABEL, "operator": "In", "values": [case]}
    registered = [
        each for each in installing.load(installing.ROOT / "config" / "install") if "webhooks" in each
    ]
    for manifest in [*installing.everything_else(plane.minor), *registered]:
        if manifest["kind"] in _KINDS:
            path = plane.client.path_of(manifest)
            found = plane.client.get(path)
            for place in _places(found):
                selector = place.setdefault("namespaceSelector", {})
                selector["matchExpressions"] = [*selector.get("matchExpressions", []), only]
            plane.client.request("PUT", path, found)


def wait_narrowed(person: User, outside: str, inside: str) -> None:
    """Wait until a person's pods are stamped in one namespace and no longer in another.

    Raises:
        BenchError: it takes too long.
    """
    client = person.client()

    def stamped(namespace: str) -> bool:
        pod = manifests.pod("bench-probe-", namespace, generate_name=True, cpu="1m", memory="1Mi")
        made = client.create(f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
        return _STAMP in (made["metadata"].get("annotations") or {})

    if not wait_until(lambda: stamped(inside) and not stamped(outside), 20, every=0.1):
        raise BenchError("labquota's policies do not keep to its own namespaces after 20 s")


def _places(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Where a namespaceSelector goes."""
    if "webhooks" in manifest:
        webhooks: list[dict[str, Any]] = manifest["webhooks"]
        return webhooks
    return [manifest["spec"]["matchConstraints"]]
