"""What an administrator applies to install labquota, read from crds/ and config/install, fitted to loopback."""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

__all__ = ["NAMESPACE", "ROOT", "collection", "definitions", "everything_else", "load", "registrations"]

ROOT = Path(__file__).parents[2]
NAMESPACE = "labquota-system"

# What must be there before what: rights before those who use them, and policies last.
_ORDER = ("Namespace", "PriorityLevelConfiguration", "ServiceAccount", "ClusterRole", "Role")


def load(folder: Path) -> list[dict[str, Any]]:
    """Every document of the YAML files in a folder, in the order of their names."""
    documents: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.yaml")):
        documents += [each for each in yaml.safe_load_all(path.read_text()) if each]
    return documents


def definitions() -> list[dict[str, Any]]:
    """The CustomResourceDefinitions."""
    return load(ROOT / "crds")


def collection(definition: dict[str, Any]) -> str:
    """The path under which the objects of a CustomResourceDefinition are listed."""
    spec = definition["spec"]
    return f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"


def everything_else(minor: int) -> list[dict[str, Any]]:
    """Namespace, rights and policies, in an order that works; without the webhook's registration."""
    found = [each for each in load(ROOT / "config" / "install") if not _registers(each)]
    found.sort(key=lambda each: _ORDER.index(each["kind"]) if each["kind"] in _ORDER else len(_ORDER))
    return [_of_version(each, minor) for each in found]


def registrations(url: str, authority: Path, failure_policy: str | None = None) -> list[dict[str, Any]]:
    """The webhook's registration, pointing to `url` (with a port, without a path) instead of a Service."""
    bundle = base64.b64encode(authority.read_bytes()).decode()
    found = [each for each in load(ROOT / "config" / "install") if _registers(each)]
    for webhook in _webhooks(found):
        path = webhook["clientConfig"].get("service", {}).get("path") or "/validate"
        webhook["clientConfig"] = {"url": url + path, "caBundle": bundle}
        if failure_policy is not None:
            webhook["failurePolicy"] = failure_policy
    return found


def _webhooks(found: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return (webhook for each in found for webhook in each["webhooks"])


def _registers(manifest: dict[str, Any]) -> bool:
    return manifest["kind"] in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


def _of_version(manifest: dict[str, Any], minor: int) -> dict[str, Any]:
    """MutatingAdmissionPolicy is `v1` from Kubernetes 1.36 on, and `v1beta1` before."""
    if manifest["kind"].startswith("MutatingAdmissionPolicy") and minor < 36:
        return {**manifest, "apiVersion": "admissionregistration.k8s.io/v1beta1"}
    return manifest
