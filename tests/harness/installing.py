"""What an administrator applies to install labquota, fitted to loopback: crds/, config/install, `labquota policies`."""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from labquota import ownership
from labquota.policies import guarding, registering, rights, stamping

__all__ = ["NAMESPACE", "ROOT", "collection", "definitions", "everything_else", "load", "registrations"]

ROOT = Path(__file__).parents[2]
NAMESPACE = "labquota-system"

# What must be there before what: rights before those who use them, and policies last.
_ORDER = ("Namespace", "PriorityLevelConfiguration", "ServiceAccount", "ClusterRole", "Role")


def load(folder: Path) -> list[dict[str, Any]]:
    """Every document of a YAML file, or of those in a folder in the order of their names."""
    documents: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else [folder]:
        documents += [each for each in yaml.safe_load_all(path.read_text()) if each]
    return documents


def definitions() -> list[dict[str, Any]]:
    """The CustomResourceDefinitions."""
    return load(ROOT / "crds")


def collection(definition: dict[str, Any]) -> str:
    """The path under which the objects of a CustomResourceDefinition are listed."""
    spec = definition["spec"]
    return f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"


def everything_else(minor: int, owners: str = "", *, policies: bool = True) -> list[dict[str, Any]]:
    """Namespace, rights and policies, in an order that works; without the webhook's registration.

    Args:
        minor: Of the API server's version.
        owners: The owners' settings as YAML; empty for the policies as they are shipped.
        policies: Whether the API server has MutatingAdmissionPolicy.
    """
    found = [each for each in _installed(owners, policies=policies) if not _registers(each)]
    found.sort(key=lambda each: _ORDER.index(each["kind"]) if each["kind"] in _ORDER else len(_ORDER))
    return [_of_version(each, minor) for each in found]


def registrations(
    url: str,
    authority: Path,
    failure_policy: str | None = None,
    owners: str = "",
    *,
    policies: bool = True,
) -> list[dict[str, Any]]:
    """The webhooks' registrations, pointing to `url` (with a port, without a path) instead of a Service.

    `failure_policy` is that of the validating one. The rest is as in `everything_else`.
    """
    bundle = base64.b64encode(authority.read_bytes()).decode()
    found = [each for each in _installed(owners, policies=policies) if _registers(each)]
    for webhook in _webhooks(found):
        path = webhook["clientConfig"].get("service", {}).get("path") or "/validate"
        webhook["clientConfig"] = {"url": url + path, "caBundle": bundle}
        if failure_policy is not None and path == "/validate":
            webhook["failurePolicy"] = failure_policy
    return found


def _installed(owners: str, *, policies: bool) -> list[dict[str, Any]]:
    shipped = load(ROOT / "config" / "install")
    if not owners and policies:
        return shipped
    trust = ownership.read(owners)
    names = {path.name for path in (ROOT / "config" / "install").glob("owner-*.yaml")}
    rest = [
        each
        for path in sorted((ROOT / "config" / "install").glob("*.yaml"))
        if path.name not in names
        for each in yaml.safe_load_all(path.read_text())
    ]
    own = [*rights.manifests(trust), *guarding.policies(trust)]
    if policies:
        return [*rest, *own, *stamping.policies(trust), *registering.beside_policies(trust)]
    return [*rest, *own, *registering.instead_of_policies(trust)]


def _webhooks(found: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return (webhook for each in found for webhook in each["webhooks"])


def _registers(manifest: dict[str, Any]) -> bool:
    return manifest["kind"] in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


def _of_version(manifest: dict[str, Any], minor: int) -> dict[str, Any]:
    """MutatingAdmissionPolicy is `v1` from Kubernetes 1.36 on, and `v1beta1` before."""
    if manifest["kind"].startswith("MutatingAdmissionPolicy") and minor < 36:
        return {**manifest, "apiVersion": "admissionregistration.k8s.io/v1beta1"}
    return manifest
